# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A world action model: from what is seen and a goal, the next actions, and what they will do.

What they will do is told as a latent of RLA, which videos without actions teach, too. Planning
and driving use the actions alone.
"""

from dataclasses import dataclass

import torch
from torch import nn, Tensor

from sparse_imagination_ros.world_models.rla.shape import Block, PLACE_WIDTH

# How far a correction may move an action, in units of the limits.
CORRECTION = 0.5


@dataclass(frozen=True)
class PolicyShape:
    """
    The sizes of a policy.

    steps: how many actions it tells; told: the numbers of its latent; corrected: whether what it
    learned from drives is corrected by what it tried in imagination.
    """

    token_width: int
    action_size: int
    told: int
    steps: int = 8
    width: int = 64
    depth: int = 2
    heads: int = 4
    corrected: bool = False


@dataclass(frozen=True)
class Decision:
    """What a policy says: actions [B, T, A], in units of the limits, and latents [B, Z]."""

    actions: Tensor
    latents: Tensor


class Policy(nn.Module):
    """Works on any subset of the tokens, the same of frame and goal, both with their places."""

    def __init__(self, shape: PolicyShape) -> None:
        super().__init__()
        self.shape = shape
        self.both_in = nn.Linear(2 * shape.token_width + PLACE_WIDTH, shape.width)
        self.asking = nn.Parameter(0.2 * torch.randn(1, shape.width))
        self.blocks = nn.Sequential(*(Block(shape.width, shape.heads) for _ in range(shape.depth)))
        self.trunk = nn.Sequential(
            nn.LayerNorm(shape.width), nn.Linear(shape.width, 4 * shape.width), nn.ReLU())
        self.actions_out = nn.Linear(4 * shape.width, shape.steps * shape.action_size)
        self.latents_out = nn.Linear(4 * shape.width, shape.told)
        self.correction = _correction(shape) if shape.corrected else None

    def forward(self, tokens: Tensor, goal: Tensor) -> Decision:
        """Decide from frames [B, K, D + E] and goals [B, K, D + E]."""
        known = self.knows(tokens, goal)
        return Decision(self.acts(known), self.latents_out(known))

    def acts(self, known: Tensor) -> Tensor:
        """Return the actions [B, T, A] of one who knows so much, [B, 4 * width]."""
        actions: Tensor = self.actions_out(known)
        if self.correction is not None:
            actions = actions + CORRECTION * self.correction(known).tanh()
        return actions.reshape(len(known), self.shape.steps, -1)

    def knows(self, tokens: Tensor, goal: Tensor) -> Tensor:
        """Return what decisions are made of, [B, 4 * width]."""
        width = self.shape.token_width
        both = torch.cat([tokens[..., :width], (goal - tokens)[..., :width], tokens[..., width:]],
                         -1)
        x = torch.cat([self.asking.expand(len(both), -1, -1), self.both_in(both)], 1)
        known: Tensor = self.trunk(self.blocks(x)[:, 0])
        return known


def _correction(shape: PolicyShape) -> nn.Module:
    last = nn.Linear(shape.width, shape.steps * shape.action_size)
    # At first nothing is corrected.
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(4 * shape.width, shape.width), nn.ReLU(), last)
