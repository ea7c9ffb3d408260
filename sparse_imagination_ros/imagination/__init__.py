# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One pure function, (context, goal, candidates) -> costs, and its engines."""
