# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cross-entropy method: as MPPI, but the few best candidates count, and count the same."""

import numpy as np

from sparse_imagination_ros.planning.plan import Array


def elite_weights(lowest: Array, effective: float) -> Array:
    """Return how much each candidate counts: the `effective` best ones an equal share."""
    count = max(1, min(round(effective), len(lowest)))
    weights = np.zeros_like(lowest)
    weights[:count] = 1 / count
    return weights
