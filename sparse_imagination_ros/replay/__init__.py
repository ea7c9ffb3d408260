# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the planner would have done on a recorded bag, and how well the model imagines."""
