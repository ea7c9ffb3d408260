# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plan from a camera, in real time, with a sparse visual world model."""
