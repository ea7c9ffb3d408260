# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a policy is trained for: to get where a drive got to, seen from somewhere on its way.

The goal of a frame is a later frame of the same episode, so that any recording teaches. Actions
are learned from drives that know them; what they did, as a latent, also from videos.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.world_models.rla.policy import Decision, Policy

# From frames before and after [B, K, D + E] to what happened between them, [B, Z].
Teller = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PolicyConfig:
    """How a policy is trained, and how large it is."""

    training_steps: int = setting(3000, 'steps of the training', 1, 10**6)
    samples: int = setting(128, 'frames in a batch, half of them of videos if there are any', 2,
                           4096)
    ahead: int = setting(16, 'most model steps from a frame to its goal', 1, 1000)
    told: float = setting(
        0.1, 'weight of telling what the actions do, beside the actions themselves', 0.0, 100.0)
    width: int = setting(64, 'width of the policy', 16, 4096)
    depth: int = setting(2, 'blocks of the policy', 1, 100)


@dataclass(frozen=True)
class Way:
    """
    Steps [B] of a dataset with what comes of them.

    goal: the step of the goal; later: where the actions have led to, at most there.
    actions: [B, T, A], none after the goal.
    """

    now: Tensor
    goal: Tensor
    later: Tensor
    actions: Tensor


def draw_ways(
    dataset: Dataset, weights: Tensor, count: int, ahead: int, steps: int, generator: Generator,
) -> Way:
    """Draw frames with a later frame as their goal, and so many of the actions on the way."""
    now = dataset.draw(count, 2, generator, weights)[:, 0]
    farthest = (dataset.ends(now) - 1 - now).clamp(max=ahead)
    apart = 1 + (torch.rand(count, generator=generator) * farthest).long()
    goal = now + torch.minimum(apart, farthest)
    each = now[:, None] + torch.arange(steps)
    # There the robot shall stay.
    on_the_way = each < goal[:, None]
    actions = dataset.actions[each.clamp(max=len(dataset.actions) - 1)] * on_the_way[..., None]
    return Way(now, goal, torch.minimum(now + steps, goal), actions)


def policy_loss(
    policy: Policy, now: Tensor, goal: Tensor, later: Tensor, actions: Tensor, tell: Teller,
    told_weight: float,
) -> Tensor:
    """
    Return the error of actions, and that of telling what they did.

    now, goal, later: [B, K, D + E]; actions: [M, T, A], of the first M, the others are videos'.
    """
    decision: Decision = policy(now, goal)
    loss = (decision.actions[:len(actions)] - actions).square().mean()
    with torch.no_grad():
        wanted = tell(now, later)
    missed = decision.latents - wanted
    return loss + told_weight * (missed.square().mean() + missed.abs().mean())
