# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Model predictive path integral control, anytime: sample, imagine, average; the good ones count.

How candidates are drawn is the matter of `proposals.py`; how much may be imagined is decided by
whoever grants it. `cem.py` differs in how candidates are weighed, and in nothing else. All this is
arithmetic with few numbers, for which numpy takes a fraction of the time of torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Protocol

import numpy as np

from sparse_imagination_ros.planning.plan import Array

# Temperatures that are tried, in units of the largest excess cost.
COLDEST, HOTTEST, TEMPERATURES = -4.0, 2.0, 37
TINY = np.float32(1e-30)
_MINUS_TEMPERATURES = -np.logspace(COLDEST, HOTTEST, TEMPERATURES, dtype=np.float32)[:, None]
# Of the candidates so many times as many are looked at as shall count: the others would not.
LOOKED_AT = 4

# Costs beyond it are taken for no numbers, since with them the arithmetic would overflow.
LARGEST = np.float32(1e36)

# How many of so many candidates may be imagined next; 0: no more.
Grant = Callable[[int], int]


class OutOfTimeError(Exception):
    """What was granted takes too long after all; it does not count, and more may be asked for."""


# The lowest costs [M], rising, and a number of effective samples to how much each counts, [M].
Weigh = Callable[[Array, float], Array]


class Draw(Protocol):
    """Draws candidates."""

    def __call__(self, nominal: Array, sigma: float, elites: Array, /) -> Array:
        """Return [N, T, A] around a nominal sequence [T, A], with elites [E, T, A] among them."""


@dataclass(frozen=True)
class Refinement:
    """
    How a search goes from one iteration to the next.

    sigma: the noise of the first, and least_sigma of any; effective: how many candidates shall
    count; elites: how many of the best are imagined again.
    """

    sigma: float
    least_sigma: float
    effective: float
    elites: int


@dataclass(frozen=True)
class Optimum:
    """
    What an optimisation came to, however early it was ended.

    actions: [T, A]; cost: the lowest that was imagined; elites: [E, T, A], the best candidates;
    granted: for each iteration, of how many candidates its chunks were; not_finite: how many costs
    were no numbers. Of the last iteration: candidates [M, T, A] that were imagined, their costs
    [M], and how many of them counted, as 1 / sum of squared weights.
    """

    actions: Array
    cost: float
    elites: Array
    granted: tuple[tuple[int, ...], ...]
    not_finite: int
    candidates: Array
    costs: Array
    effective: float

    @property
    def imagined(self) -> int:
        """How many candidates were imagined."""
        return sum(map(sum, self.granted))


def everything(left: int) -> int:
    """Grant all at once."""
    return left


def optimise(
    nominal: Array, elites: Array, costs_of: Callable[[Array], Array], draw: Draw,
    weigh: Weigh, refinement: Refinement, iterations: int, grant: Grant = everything,
) -> Optimum:
    """
    Improve a nominal sequence [T, A]; `costs_of` maps candidates [N, T, A] to costs [N].

    Any iteration may be cut short: the candidates that were imagined until then are a smaller
    sample of the same kind.
    """
    sigma, cost, not_finite = refinement.sigma, inf, 0
    granted: list[tuple[int, ...]] = []
    imagined, its_costs, effective = elites[:0], np.zeros(0, np.float32), 0.0
    for _ in range(iterations):
        drawn = draw(nominal, sigma, elites)
        costs, chunks = _in_chunks(drawn, costs_of, grant)
        if not chunks:
            break
        granted.append(chunks)
        drawn, costs, bad = _only_numbers(drawn, costs)
        not_finite += bad
        if not len(costs):
            continue
        best, lowest = best_of(drawn, costs, refinement.effective)
        weights = weigh(lowest, refinement.effective)
        nominal = mean(best, weights)
        sigma = min(max(_spread(best, nominal, weights), refinement.least_sigma),
                    refinement.sigma)
        elites, cost = best[:refinement.elites], min(cost, float(lowest[0]))
        imagined, its_costs = drawn[:len(costs)], costs
        effective = 1 / float(weights @ weights)
    return Optimum(nominal, cost, elites, tuple(granted), not_finite, imagined, its_costs,
                   effective)


def best_of(drawn: Array, costs: Array, effective: float) -> tuple[Array, Array]:
    """Return the best of the imagined candidates, [M, T, A], and their costs, rising."""
    best = costs.argsort()[:ceil(LOOKED_AT * effective)]
    return drawn.take(best, 0), costs[best]


def softmax_weights(lowest: Array, effective: float) -> Array:
    """
    Return how much each candidate counts, with a sum of one, by costs that are numbers.

    The temperature is the lowest at which so many samples count: 1 / sum of squared weights is
    at least `effective`. So weights depend neither on scale nor on offset of the costs.
    """
    excess = lowest - lowest[0]
    weights = np.exp(excess / ((excess[-1] + TINY) * _MINUS_TEMPERATURES))
    sums = weights.sum(1)
    enough = (weights * weights).sum(1) * effective <= sums * sums
    # The hottest, if there are fewer samples than that.
    enough[-1] = True
    chosen = enough.argmax()
    share: Array = weights[chosen] / sums[chosen]
    return share


def mean(candidates: Array, weights: Array) -> Array:
    """Return the weighted mean [T, A] of candidates [M, T, A]."""
    return (weights @ candidates.reshape(len(weights), -1)).reshape(candidates.shape[1:])


def _in_chunks(
    drawn: Array, costs_of: Callable[[Array], Array], grant: Grant,
) -> tuple[Array, tuple[int, ...]]:
    """Imagine as many as is granted, in their order: costs [n], and of how many each chunk was."""
    chunks: list[int] = []
    costs: list[Array] = []
    done, total = 0, len(drawn)
    while done < total and (count := grant(total - done)):
        try:
            costs.append(costs_of(drawn[done:done + count]))
        except OutOfTimeError:
            continue
        chunks.append(count)
        done += count
    if len(costs) == 1:
        return costs[0], tuple(chunks)
    return np.concatenate(costs) if costs else np.zeros(0, np.float32), tuple(chunks)


def _only_numbers(drawn: Array, costs: Array) -> tuple[Array, Array, int]:
    """Return the candidates whose costs are numbers, those costs, and how many others were."""
    sound = np.abs(costs) < LARGEST
    if sound.all():
        return drawn, costs, 0
    return drawn[:len(costs)][sound], costs[sound], int((~sound).sum())


def _spread(candidates: Array, centre: Array, weights: Array) -> float:
    """Return the weighted standard deviation of candidates [M, T, A] about a mean [T, A]."""
    apart = candidates - centre
    return sqrt(mean(apart * apart, weights).sum() / centre.size)
