# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a good imagined future is: parts that are added up.

A part of your own is a function of a `Moment`; docs/planning.md tells how a package adds one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from math import ceil
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.imagination.reference import (
    looked_at,
    Moment,
    Objective,
    strides,
)
from sparse_imagination_ros.world_models.predictor import Predictor

# Under this name packages announce objectives.
ENTRY_POINTS = 'sparse_imagination_ros.objectives'


@dataclass(frozen=True)
class GoalDistance:
    """
    The distance to the goal as the predictor measures it, proprioception included.

    weights: [T], what the distance after each step counts, 0 after those that the predictor does
    not show; regions: [P], what each token's place counts, or None if all count the same.
    """

    predictor: Predictor
    weights: tuple[float, ...]
    regions: Tensor | None = None

    def __call__(self, moment: Moment) -> Tensor:
        """Return what this step adds to each candidate's cost, [N]."""
        weight = self.weights[moment.step]
        if weight == 0:
            return moment.candidates.new_zeros(len(moment.candidates))
        counts = None if self.regions is None else self.regions[moment.subset]
        return weight * self.predictor.distance(moment.state, moment.goal, counts)


@dataclass(frozen=True)
class Sum:
    """Several objectives, each with its weight."""

    parts: Sequence[tuple[float, Objective]]

    def __call__(self, moment: Moment) -> Tensor:
        """Return what this step adds to each candidate's cost, [N]."""
        return torch.stack([weight * part(moment) for weight, part in self.parts]).sum(0)


def step_weights(steps: int, growth: float, stride: int = 1, looks: int = 1) -> Tensor:
    """
    Return how much the distance to the goal after each step counts, [T], with a sum of one.

    Every later step counts `growth` times the one before: a detour through a door must pay off
    at the end, and of two ways to the goal the faster one is better. If it is infinite, only the
    last step counts, as in the objective of the official releases. Of a stride only some steps are
    shown, which then count for those before them, too.
    """
    # Counted from the last step, so that no growth is too large.
    weights = growth ** torch.arange(1 - steps, 1, dtype=torch.float64)
    shares = (weights / weights.sum()).float()
    shown = torch.zeros_like(shares)
    for taken in strides(steps, stride):
        first = taken.start
        for last in looked_at(taken, looks):
            shown[last] = shares[first:last + 1].sum()
            first = last + 1
    return shown


def judged(costs: Tensor, worst_share: float) -> Tensor:
    """
    Return what candidates cost, [N], whose several futures cost [N, S].

    It is the mean of the worst futures (the conditional value at risk), of which there are so
    many that they make up this share of all.
    """
    count = max(1, ceil(worst_share * costs.shape[1]))
    return costs.topk(count, 1).values.mean(1)


def action_cost(commands: Tensor, last: Tensor, effort: float, change: float) -> Tensor:
    """
    Return what candidates cost by themselves, [N].

    commands: [N, T, A]; last: [A], what was commanded before. `effort` weighs the mean square of
    the commands, `change` that of their changes.
    """
    before = torch.cat([last.expand(len(commands), 1, -1), commands[:, :-1]], 1)
    return (effort * commands.square().mean((1, 2))
            + change * (commands - before).square().mean((1, 2)))


def region_weights(path: Path, grid: int) -> Tensor:
    """Read a mask image, white where tokens count and black where not; what each counts, [P]."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ConfigError(f'`region_mask`: {path} is not an image that can be read')
    small = cv2.resize(mask, (grid, grid), interpolation=cv2.INTER_AREA)
    if not small.any():
        raise ConfigError(f'`region_mask`: {path} is black: no token would count')
    return torch.from_numpy(small.astype(np.float32) / 255).flatten()


def added_objectives(text: str) -> list[tuple[float, Objective]]:
    """Return objectives of other packages with their weights, from `name=weight name=weight`."""
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    parts: list[tuple[float, Objective]] = []
    for word in text.split():
        name, _, weight = word.partition('=')
        if name not in known:
            raise ConfigError(
                f'`objectives`: no installed package announces `{name}`; '
                f'there are: {", ".join(sorted(known)) or "none"}')
        try:
            parts.append((float(weight), _made(known[name].load)))
        except ValueError:
            raise ConfigError(
                f'`objectives` is {text!r}; expected words like {name}=0.5') from None
    return parts


def _made(load: Callable[[], Callable[[], Objective]]) -> Objective:
    return load()()
