# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may be said of an imagination: means with intervals, regions, calibration, ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks
from sparse_imagination_ros.replay.imagination import Imagined

# Bins of the curve that shows imagined distances over real ones.
BINS = 8


@dataclass(frozen=True)
class Horizon:
    """
    How far the imagination was off so many steps ahead, and two guesses that cost nothing.

    skill: 1 for a perfect model, 0 for one as good as the better guess, below 0 for a worse one.
    """

    steps: int
    seconds: float
    beginnings: int
    model: Estimate
    still: Estimate
    change: Estimate
    skill: Estimate


@dataclass(frozen=True)
class Calibration:
    """
    Whether what was imagined came nearer to where the robot really went.

    Over all steps: fell is the share of those that really came nearer than the beginning in which
    the imagination said so, too; correlation is between real and imagined changes of distance.
    real, imagined: [B], the mean change of distance in bins of equal counts.
    """

    steps: int
    fell: Estimate
    correlation: float
    real: tuple[float, ...]
    imagined: tuple[float, ...]


@dataclass(frozen=True)
class Rank:
    """The share of candidates that were held for better than the recorded commands."""

    count: int
    mean: Estimate
    best_tenth: float


@dataclass(frozen=True)
class Quality:
    """
    How well one bundle imagines with one number of tokens.

    model_at, still_at: [T][P], errors by place; None where nothing was imagined.
    """

    tokens: int
    segments: int
    blocks: int
    horizons: tuple[Horizon, ...]
    model_at: tuple[tuple[float | None, ...], ...]
    still_at: tuple[tuple[float | None, ...], ...]
    calibration: Calibration
    rank: Rank


def judge(imagined: Imagined, block: NDArray[np.int64], step_s: float, seed: int) -> Quality:
    """Say how good an imagination was; block: [S], segments of one are not independent."""
    horizons = []
    for number in range(imagined.model.shape[1]):
        seen = np.isfinite(imagined.model[:, number])
        if not seen.any():
            break
        model, still, change = (
            e[seen, number] for e in (imagined.model, imagined.still, imagined.change))
        blocks = block[seen]
        better = still if still.mean() <= change.mean() else change
        worse = over_blocks(model, better, blocks, seed)
        means = [over_blocks(e, np.ones_like(e), blocks, seed) for e in (model, still, change)]
        horizons.append(Horizon(
            number + 1, step_s * (number + 1), int(seen.sum()), means[0], means[1], means[2],
            Estimate(1 - worse.value, 1 - worse.high, 1 - worse.low)))
    ranks = imagined.rank
    return Quality(
        imagined.tokens, len(imagined.model), len(np.unique(block)), tuple(horizons),
        _rows(imagined.model_at), _rows(imagined.still_at),
        _calibration(imagined.near, block, seed),
        Rank(len(ranks), over_blocks(ranks, np.ones_like(ranks), block[imagined.ranked], seed),
             float((ranks <= 0.1).mean()) if len(ranks) else 0.0))


def pooled(parts: Sequence[Imagined]) -> Imagined:
    """Put what was imagined of several bags together; places are weighed by segments."""
    first = np.cumsum([0, *(len(part.model) for part in parts)])
    weights = np.diff(first)

    def at(name: str) -> NDArray[np.float64]:
        values = np.stack([getattr(part, name) for part in parts])
        there = np.isfinite(values) * weights[:, None, None]
        with np.errstate(invalid='ignore'):
            return np.asarray((np.nan_to_num(values) * there).sum(0) / there.sum(0))

    def all_of(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Imagined(
        parts[0].tokens, all_of('model'), all_of('still'), all_of('change'), at('model_at'),
        at('still_at'), all_of('near'), all_of('rank'),
        np.concatenate([p.ranked + f for p, f in zip(parts, first, strict=False)]))


def _calibration(near: NDArray[np.float64], block: NDArray[np.int64], seed: int) -> Calibration:
    whole = np.isfinite(near).all((1, 2))
    changes = (near[:, :, 1:] - near[:, :, :1])[whole]
    steps = changes.shape[2] if len(near) else 0
    # [S * T], segment by segment.
    real, imagined = changes[:, 0].ravel(), changes[:, 1].ravel()
    blocks = np.repeat(block[whole], steps)
    came = real < 0
    fell = over_blocks(
        (imagined < 0)[came].astype(float), np.ones(int(came.sum())), blocks[came], seed)
    varied = len(real) > 1 and real.std() > 0 and imagined.std() > 0
    order = np.argsort(real, kind='stable')
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return Calibration(
        len(real), fell, float(np.corrcoef(real, imagined)[0, 1]) if varied else 0.0,
        tuple(float(real[part].mean()) for part in bins),
        tuple(float(imagined[part].mean()) for part in bins))


def _rows(values: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(float(v) if np.isfinite(v) else None for v in row) for row in values)
