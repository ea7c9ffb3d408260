# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 in and out: the only room that imports rclpy."""
