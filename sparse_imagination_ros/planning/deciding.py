# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a bundle's policy says to do: a proposal for a search, or a plan without one."""

import torch
from torch import Tensor

from sparse_imagination_ros.world_models.rla.policy import Decision, Policy


def decided(policy: Policy, tokens: Tensor, goal: Tensor, size: int) -> Tensor:
    """Return commands [T, A] from a frame to a goal, both [K, D]; size: A, of one command."""
    decision: Decision = policy(tokens[None], goal[None])
    return decision.actions.reshape(-1, size).clamp(-1, 1)


def proposed(policy: Policy, tokens: Tensor, goal: Tensor, steps: int, size: int) -> Tensor:
    """Return the same as one proposal [1, T, A] of so many steps, at rest after its end."""
    commands = decided(policy, tokens, goal, size)[:steps]
    return torch.cat([commands, commands.new_zeros(steps - len(commands), size)])[None]
