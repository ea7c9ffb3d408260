# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small worlds with a camera, for the demo and for closed-loop tests."""
