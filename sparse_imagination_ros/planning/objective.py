# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a good imagined future is."""

import torch
from torch import Tensor


def step_weights(steps: int, growth: float) -> Tensor:
    """
    Return how much the distance to the goal after each step counts, [T], with a sum of one.

    Every later step counts `growth` times the one before: a detour through a door must pay off
    at the end, and of two ways to the goal the faster one is better. If it is infinite, only the
    last step counts, as in the objective of the official releases.
    """
    # Counted from the last step, so that no growth is too large.
    weights = growth ** torch.arange(1 - steps, 1, dtype=torch.float64)
    return (weights / weights.sum()).float()
