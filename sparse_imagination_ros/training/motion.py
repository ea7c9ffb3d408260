# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where in a dataset much moves: most of what is to be learned happens there."""

import torch
from torch import Tensor

from sparse_imagination_ros.training.dataset import Dataset

# So many steps are compared at once.
TOGETHER = 1024


def motion_of(dataset: Dataset, tokens: Tensor) -> Tensor:
    """Return how much the tokens [M, P, D] change after each step, [L]; 0 after the last."""
    step = torch.arange(int(dataset.starts[-1]))
    goes_on = step[step + 1 < dataset.ends(step)]
    motion = torch.zeros(len(step))
    for part in torch.split(goes_on, TOGETHER):
        now, later = (tokens[dataset.shown[steps]].float() for steps in (part, part + 1))
        motion[part] = (later - now).square().mean((1, 2))
    return motion


def start_weights(motion: Tensor, moving: float) -> Tensor:
    """Return how likely a clip begins at each step: a share of them by the motion there, [L]."""
    alike = torch.full_like(motion, 1 / len(motion))
    if not motion.any():
        return alike
    return moving * motion / motion.sum() + (1 - moving) * alike
