# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The picture of the README, from what the nodes really publish while the simulated robot drives.

    python -m sparse_imagination_ros.nodes.picture docs/planner.png

A busy machine imagines little in the time of a cycle: a budget in milliseconds may follow.
"""

from collections.abc import Sequence
import os
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

import cv2
from nav_msgs.msg import Path as PathMessage
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker, MarkerArray

from sparse_imagination_ros.cli.domains import isolated, own_domain
from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.errors import NodeError
from sparse_imagination_ros.graph import demo_graph
from sparse_imagination_ros.nodes.messages import picture_from
from sparse_imagination_ros.nodes.publishing import NEWEST_RELIABLE
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.views.poster import poster, Strokes
from sparse_imagination_ros.views.shown import GOAL, LINES, PATHS, TOKENS

PATIENCE_S = 90.0
# It has left its start by then.
DRIVE_S = 1.5
THIN, THICK = 1, 3


def take_picture() -> Picture:
    """Start simulator and planner, and return what they show of one moment of a drive."""
    heard: dict[str, Any] = {}
    node = Node('picture')
    kinds = {TOKENS: Image, GOAL: Image, LINES[0]: MarkerArray, PATHS[0]: PathMessage}
    for shown, kind in kinds.items():
        node.create_subscription(
            kind, shown.topic, lambda message, topic=shown.topic: heard.update({topic: message}),
            NEWEST_RELIABLE)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    end_s = time.monotonic() + PATIENCE_S
    while len(heard) < len(kinds):
        executor.spin_once(timeout_sec=0.05)
        if time.monotonic() > end_s:
            raise NodeError(f'only {sorted(heard)} came within {PATIENCE_S:g} s')
    end_s = time.monotonic() + DRIVE_S
    while time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    node.destroy_node()
    places = heard[PATHS[0].topic].poses
    plan = np.array([[p.pose.position.x, p.pose.position.y] for p in places])
    thin, thick = heard[LINES[0].topic].markers
    return poster(
        picture_from(heard[TOKENS.topic]), picture_from(heard[GOAL.topic]),
        [_strokes(thin, THIN), _strokes(thick, THICK)], plan)


def _strokes(marker: Marker, width: int) -> Strokes:
    points = np.array([[p.x, p.y] for p in marker.points]).reshape(-1, 2, 2)
    colours = np.array([[c.r, c.g, c.b] for c in marker.colors[::2]]).reshape(-1, 3)
    return Strokes(points, colours, width)


def main(words: Sequence[str] | None = None) -> None:
    """Write the picture to the path that is given, planned within the budget that is."""
    given = sys.argv[1:] if words is None else list(words)
    if not given:
        raise SystemExit(f'usage:{__doc__}')
    path, budget_ms = Path(given[0]), ''.join(given[1:])
    with own_domain() as domain, tempfile.TemporaryDirectory() as folder:
        os.environ.update(isolated(domain), ROS_LOG_DIR=folder)
        rclpy.init()
        with Processes(Path(folder), isolated(domain)) as processes:
            for spec in demo_graph(budget_ms=budget_ms):
                processes.start(spec)
            picture = take_picture()
        rclpy.try_shutdown()
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


if __name__ == '__main__':
    main()
