# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a launch file as `ros2 launch` does: real_launch.py FILE name:=value ..."""

import sys

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def main() -> int:
    file, *words = sys.argv[1:]
    chosen = [tuple(word.split(':=', 1)) for word in words]
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
        PythonLaunchDescriptionSource(file), launch_arguments=chosen)]))
    return int(service.run())


if __name__ == '__main__':
    sys.exit(main())
