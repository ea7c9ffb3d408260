# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Model predictive path integral control, anytime: sample, imagine, average; the good ones count.

How candidates are drawn is the matter of `proposals.py`; how much may be imagined is decided by
whoever grants it. `cem.py` differs in how candidates are weighed, and in nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

# Temperatures that are tried, in units of the mean excess cost.
COLDEST, HOTTEST, TEMPERATURES = -5.0, 1.0, 37

# How many of so many candidates may be imagined next; 0: no more.
Grant = Callable[[int], int]
# Costs [N] and a number of effective samples to how much each candidate counts, [N].
Weigh = Callable[[Tensor, float], Tensor]


class Draw(Protocol):
    """Draws candidates."""

    def __call__(self, nominal: Tensor, sigma: float, elites: Tensor) -> Tensor:
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
    sigma, best, not_finite = refinement.sigma, torch.inf, 0
    granted: list[tuple[int, ...]] = []
    for _ in range(iterations):
        drawn = draw(nominal, sigma, elites)
        costs, chunks = _in_chunks(drawn, costs_of, grant)
        if not chunks:
            break
        granted.append(chunks)
        sound = costs.isfinite()
        not_finite += len(costs) - int(sound.sum())
        if not sound.any():
            continue
        drawn, costs = drawn[:len(costs)], costs.where(sound, torch.inf)
        weights = weigh(costs, refinement.effective)
        nominal = torch.tensordot(weights, drawn, 1)
        sigma = min(max(_spread(drawn, nominal, weights), refinement.least_sigma),
                    refinement.sigma)
        elites = drawn[costs.topk(min(refinement.elites, len(costs)), largest=False).indices]
        best = min(best, costs.min().item())
    return Optimum(nominal, best, elites, tuple(granted), not_finite)


def softmax_weights(costs: Tensor, effective: float) -> Tensor:
    """
    Return how much each candidate counts, [N], with a sum of one; infinite costs count nothing.

    The temperature is the lowest at which so many samples count: 1 / sum of squared weights is
    at least `effective`. So weights depend neither on scale nor on offset of the costs.
    """
    excess = costs - costs.min()
    mean = excess.nan_to_num(posinf=0).mean()
    weights = torch.softmax(-excess / (mean * _temperatures() + 1e-30), 1)
    enough = weights.square().sum(1) * effective <= 1
    # The hottest, if there are fewer samples than that.
    enough[-1] = True
    return weights[enough.int().argmax()]


def _in_chunks(
    drawn: Tensor, costs_of: Callable[[Tensor], Tensor], grant: Grant,
) -> tuple[Tensor, tuple[int, ...]]:
    """Imagine as many as is granted, in their order: costs [n], and of how many each chunk was."""
    chunks: list[int] = []
    costs: list[Tensor] = []
    while (done := sum(chunks)) < len(drawn) and (count := grant(len(drawn) - done)):
        costs.append(costs_of(drawn[done:done + count]))
        chunks.append(count)
    return torch.cat(costs) if costs else drawn.new_zeros(0), tuple(chunks)


def _spread(drawn: Tensor, mean: Tensor, weights: Tensor) -> float:
    """Return the weighted standard deviation of candidates [N, T, A] about a mean [T, A]."""
    return torch.dot(weights, (drawn - mean).square().mean((1, 2))).sqrt().item()


@lru_cache
def _temperatures() -> Tensor:
    return torch.logspace(COLDEST, HOTTEST, TEMPERATURES)[:, None]
