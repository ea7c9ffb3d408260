# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cross-entropy method: as MPPI, but the few best candidates count, and count the same."""

import torch
from torch import Tensor


def elite_weights(lowest: Tensor, effective: float) -> Tensor:
    """Return how much each candidate counts: the `effective` best ones an equal share."""
    count = max(1, min(round(effective), int(lowest.isfinite().sum())))
    weights = torch.zeros_like(lowest)
    weights[:count] = 1 / count
    return weights
