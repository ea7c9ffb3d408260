# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What people are shown of a cycle, as pictures, lines and layouts; nothing of ROS."""
