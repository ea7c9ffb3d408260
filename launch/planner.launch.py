# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The planner, for a robot that brings its own camera and base."""

from launch import LaunchDescription

from sparse_imagination_ros.graph import GRAPHS
from sparse_imagination_ros.nodes.launch_actions import description


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    return description(GRAPHS['planner'])
