# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cross-entropy method: as MPPI, but the few best candidates count, and count the same."""

from torch import Tensor


def elite_weights(costs: Tensor, effective: float) -> Tensor:
    """Return how much each candidate counts, [N]: the `effective` best ones an equal share."""
    sound = int(costs.isfinite().sum())
    count = max(1, min(round(effective), sound))
    weights = costs.new_zeros(len(costs))
    weights[costs.topk(count, largest=False).indices] = 1 / count
    return weights
