# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rosbags read and written without ROS: for training on them, replaying and recording them."""
