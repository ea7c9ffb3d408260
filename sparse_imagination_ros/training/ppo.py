# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Proximal policy optimisation: what is minimised. Where rewards come from is not known here."""

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

# How far a probability may go from what it was before a step counts no more.
CLIP = 0.2
# What the error of the critic counts.
VALUE_WEIGHT = 0.5


@dataclass(frozen=True)
class Tried:
    """
    Decisions of a batch [B], when they were made.

    actions: [B, A]; likelihood: its logarithm, [B]; advantage, worth: [B], how much more came than
    was expected, and how much came.
    """

    actions: Tensor
    likelihood: Tensor
    advantage: Tensor
    worth: Tensor


def likelihood(actions: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the logarithm of the density of actions [B, A] about a mean [B, A], [B]."""
    off = (actions - mean) / log_std.exp()
    return -(off.square() / 2 + log_std + log(2 * pi) / 2).sum(-1)


def advantages(rewards: Tensor, values: Tensor, discount: float, mixing: float) -> Tensor:
    """
    Return the generalised advantages [S, N] of episodes of S steps, after which nothing comes.

    rewards, values: [S, N]; values are what was expected before each step.
    """
    advantage, later = torch.zeros_like(rewards), torch.zeros_like(rewards[0])
    for step in reversed(range(len(rewards))):
        following = values[step + 1] if step + 1 < len(rewards) else torch.zeros_like(later)
        surprise = rewards[step] + discount * following - values[step]
        later = surprise + discount * mixing * later
        advantage[step] = later
    return advantage


def ppo_loss(tried: Tried, mean: Tensor, log_std: Tensor, values: Tensor) -> Tensor:
    """Return the loss of a policy with this mean [B, A] and this critic's values [B]."""
    ratio = (likelihood(tried.actions, mean, log_std) - tried.likelihood).exp()
    advantage = (tried.advantage - tried.advantage.mean()) / (tried.advantage.std() + 1e-6)
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
    return VALUE_WEIGHT * (values - tried.worth).square().mean() - gain.mean()
