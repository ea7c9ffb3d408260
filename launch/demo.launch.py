# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated robot with a camera, and the planner that drives it."""

from launch import LaunchDescription

from sparse_imagination_ros.graph import GRAPHS
from sparse_imagination_ros.nodes.launch_actions import description


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    return description(GRAPHS['demo'])
