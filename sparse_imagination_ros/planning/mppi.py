# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Model predictive path integral control: the average of the candidates, the good ones count."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from sparse_imagination_ros.planning.proposals import propose, Spread


@dataclass(frozen=True)
class Optimum:
    """What an optimisation came to: actions [T, A], and the lowest cost that was imagined."""

    actions: Tensor
    cost: float


def optimise(
    nominal: Tensor, costs_of: Callable[[Tensor], Tensor], candidates: int, iterations: int,
    spread: Spread, temperature: float, generator: Generator,
) -> Optimum:
    """Improve a nominal sequence [T, A]; `costs_of` maps candidates [N, T, A] to costs [N]."""
    cost = torch.inf
    for _ in range(iterations):
        drawn = propose(nominal, candidates, spread, generator)
        costs = costs_of(drawn)
        nominal = torch.tensordot(weights(costs, temperature), drawn, 1)
        cost = min(cost, float(costs.min()))
    return Optimum(nominal, cost)


def weights(costs: Tensor, temperature: float) -> Tensor:
    """
    Return how much each candidate counts, [N], with a sum of one.

    The temperature is in units of the distance between the mean and the lowest cost, so that it
    means the same for every model and at every distance from the goal.
    """
    excess = costs - costs.min()
    return torch.softmax(-excess / (temperature * excess.mean() + 1e-12), 0)
