# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may be said from a number of trials and of times. It knows nothing of robots."""

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

# Two-sided 95 % of the normal distribution.
Z_95 = 1.959963984540054
# Resamples behind an interval over blocks.
RESAMPLES = 1000
# A trend is drawn through so many points at most, each the median of its neighbours in time.
TREND_POINTS = 40


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of a proportion."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % confidence interval; all zero when nothing was measured."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Percentiles:
    """How long something took, in milliseconds; all zero when nothing was measured."""

    p50: float
    p95: float
    p99: float
    slowest: float

    def as_dict(self) -> dict[str, float]:
        """Return what is written to files."""
        return {'p50': self.p50, 'p95': self.p95, 'p99': self.p99, 'max': self.slowest}


def wilson(successes: int, trials: int) -> Interval:
    """Return Wilson's score interval, which stays honest near 0 and 1 and for few trials."""
    if not 0 <= successes <= trials:
        raise ValueError(f'{successes} successes of {trials} trials: not a count of trials')
    if trials == 0:
        return Interval(0.0, 1.0)
    share, z2 = successes / trials, Z_95**2
    centre = share + z2 / (2 * trials)
    reach = Z_95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    # The bounds at 0 and 1 are exact; rounding must not push them outside.
    return Interval(max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale))


def over_blocks(
    above: NDArray[np.float64], below: NDArray[np.float64], block: NDArray[np.int64], seed: int,
) -> Estimate:
    """
    Return the sum of `above` over that of `below`, with an interval from drawing blocks anew.

    above, below, block: [n]. What lies in one block, as neighbours in time do, may depend on each
    other; blocks may not. With ones below it is the mean.
    """
    if len(above) == 0:
        return Estimate(0.0, 0.0, 0.0)
    _, number = np.unique(block, return_inverse=True)
    tops, bottoms = np.bincount(number, above), np.bincount(number, below)
    drawn = np.random.default_rng(seed).integers(len(tops), size=(RESAMPLES, len(tops)))
    ratios = tops[drawn].sum(1) / np.maximum(bottoms[drawn].sum(1), 1e-300)
    low, high = np.percentile(ratios, (2.5, 97.5))
    value = float(above.sum() / max(below.sum(), 1e-300))
    return Estimate(value, float(low), float(high))


def trend(times: NDArray[np.float64], values: NDArray[np.float64]) -> Estimate:
    """
    Return by how much values [n] grow in a unit of time, with the interval of Sen.

    The median of the slopes between all pairs of points: a few outliers do not turn it. Neighbours
    in time depend on each other, so they are one point.
    """
    count = min(TREND_POINTS, len(times))
    if count < 2:
        return Estimate(0.0, 0.0, 0.0)
    parts = [np.array_split(numbers, count) for numbers in (times, values)]
    x, y = (np.array([np.median(part) for part in numbers]) for numbers in parts)
    one, other = np.triu_indices(count, 1)
    slopes = np.sort((y[other] - y[one]) / (x[other] - x[one]))
    reach = Z_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, math.floor((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return Estimate(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Spearman's correlation of two rows of numbers; NaN if one of them is constant."""
    ranks = np.stack([_ranks(one), _ranks(other)])
    apart = ranks - ranks.mean(1, keepdims=True)
    scale = float(np.sqrt(np.prod(np.square(apart).sum(1))))
    return float(np.prod(apart, 0).sum()) / scale if scale else math.nan


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the place of each number among all; equal ones share the mean of theirs."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    ranks: NDArray[np.float64] = middle[number]
    return ranks


def percentiles(times_ms: Sequence[float]) -> Percentiles:
    """
    Return the percentiles of measured times.

    Each is a time that was measured (the smallest one with at least that share at or below it),
    not a point between two: a tail must not look better than any cycle was.
    """
    if len(times_ms) == 0:
        return Percentiles(0.0, 0.0, 0.0, 0.0)
    p50, p95, p99 = np.percentile(times_ms, (50, 95, 99), method='inverted_cdf')
    return Percentiles(float(p50), float(p95), float(p99), float(np.max(times_ms)))


def spread(times_ms: Sequence[float]) -> float:
    """Return the standard deviation of measured times; zero when nothing was measured."""
    return float(np.std(times_ms)) if len(times_ms) else 0.0
