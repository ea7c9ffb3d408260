# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Model predictive path integral control, anytime: sample, imagine, average; the good ones count.

How candidates are drawn is the matter of `proposals.py`; how much may be imagined is decided by
whoever grants it. `cem.py` differs in how candidates are weighed, and in nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, isfinite, sqrt
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

# Temperatures that are tried, in units of the largest excess cost.
COLDEST, HOTTEST, TEMPERATURES = -4.0, 2.0, 37
TINY = np.float32(1e-30)
_MINUS_TEMPERATURES = -np.logspace(COLDEST, HOTTEST, TEMPERATURES, dtype=np.float32)[:, None]
# Of the candidates so many times as many are looked at as shall count: the others would not.
LOOKED_AT = 4

# How many of so many candidates may be imagined next; 0: no more.
Grant = Callable[[int], int]


class OutOfTimeError(Exception):
    """What was granted takes too long after all; it does not count, and more may be asked for."""


# The lowest costs [M], rising, and a number of effective samples to how much each counts, [M].
Weigh = Callable[[Tensor, float], Tensor]


class Draw(Protocol):
    """Draws candidates."""

    def __call__(self, nominal: Tensor, sigma: float, elites: Tensor, /) -> Tensor:
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
    were no numbers.
    """

    actions: Tensor
    cost: float
    elites: Tensor
    granted: tuple[tuple[int, ...], ...]
    not_finite: int

    @property
    def imagined(self) -> int:
        """How many candidates were imagined."""
        return sum(map(sum, self.granted))


def everything(left: int) -> int:
    """Grant all at once."""
    return left


def optimise(
    nominal: Tensor, elites: Tensor, costs_of: Callable[[Tensor], Tensor], draw: Draw,
    weigh: Weigh, refinement: Refinement, iterations: int, grant: Grant = everything,
) -> Optimum:
    """
    Improve a nominal sequence [T, A]; `costs_of` maps candidates [N, T, A] to costs [N].

    Any iteration may be cut short: the candidates that were imagined until then are a smaller
    sample of the same kind.
    """
    sigma, cost, not_finite = refinement.sigma, inf, 0
    granted: list[tuple[int, ...]] = []
    for _ in range(iterations):
        drawn = draw(nominal, sigma, elites)
        costs, chunks = _in_chunks(drawn, costs_of, grant)
        if not chunks:
            break
        granted.append(chunks)
        costs, bad = _only_numbers(costs)
        not_finite += bad
        if bad == len(costs):
            continue
        best, lowest = best_of(drawn, costs, refinement.effective)
        weights = weigh(lowest, refinement.effective)
        nominal = mean(best, weights)
        sigma = min(max(_spread(best, nominal, weights), refinement.least_sigma),
                    refinement.sigma)
        elites, cost = best[:refinement.elites], min(cost, lowest[0].item())
    return Optimum(nominal, cost, elites, tuple(granted), not_finite)


def best_of(drawn: Tensor, costs: Tensor, effective: float) -> tuple[Tensor, Tensor]:
    """Return the best of the imagined candidates, [M, T, A], and their costs, rising."""
    count = min(len(costs), ceil(LOOKED_AT * effective))
    lowest, places = costs.topk(count, largest=False)
    return drawn[places], lowest


def softmax_weights(lowest: Tensor, effective: float) -> Tensor:
    """
    Return how much each candidate counts, with a sum of one; infinite costs count nothing.

    The temperature is the lowest at which so many samples count: 1 / sum of squared weights is
    at least `effective`. So weights depend neither on scale nor on offset of the costs.
    """
    costs = lowest.numpy()
    excess = costs - costs[0]
    # They rise: the last one before those that are infinite.
    scale = excess[np.searchsorted(excess, np.float32(inf)) - 1] + TINY
    weights = np.exp(excess / (scale * _MINUS_TEMPERATURES))
    weights /= weights.sum(1, keepdims=True)
    enough = (weights * weights).sum(1) * effective <= 1
    # The hottest, if there are fewer samples than that.
    enough[-1] = True
    return torch.from_numpy(weights[enough.argmax()])


def mean(candidates: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean [T, A] of candidates [M, T, A]."""
    return torch.mv(candidates.flatten(1).t(), weights).view(candidates.shape[1:])


def _in_chunks(
    drawn: Tensor, costs_of: Callable[[Tensor], Tensor], grant: Grant,
) -> tuple[Tensor, tuple[int, ...]]:
    """Imagine as many as is granted, in their order: costs [n], and of how many each chunk was."""
    chunks: list[int] = []
    costs: list[Tensor] = []
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
    return torch.cat(costs) if costs else drawn.new_zeros(0), tuple(chunks)


def _only_numbers(costs: Tensor) -> tuple[Tensor, int]:
    """Return costs of which those that are no numbers are infinite, and how many those are."""
    if isfinite(costs.sum().item()):
        return costs, 0
    costs = costs.nan_to_num(inf, inf, inf)
    return costs, int(costs.isinf().sum())


def _spread(candidates: Tensor, centre: Tensor, weights: Tensor) -> float:
    """Return the weighted standard deviation of candidates [M, T, A] about a mean [T, A]."""
    apart = (candidates - centre).flatten(1)
    return sqrt(torch.dot(weights, torch.linalg.vecdot(apart, apart)).item() / centre.numel())
