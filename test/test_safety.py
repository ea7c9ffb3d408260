# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happens in mid-drive when a part dies: the robot is at rest, in time, over real ROS 2."""

import os
from pathlib import Path
import signal
import time

from nav_msgs.msg import Odometry
import numpy as np
import pytest
from ros_graph import Graph

from sparse_imagination_ros.nodes.messages import seconds, values_from
from sparse_imagination_ros.sim.robots import robot

pytestmark = [pytest.mark.ros, pytest.mark.timing]

BASE = robot('omnidirectional')
STALENESS_S = 0.5
BRAKING_S = max(np.array(BASE.limit) / np.array(BASE.acceleration))
# For the periods of timers and odometry, on a machine that does other things, too.
GRACE_S = 0.5


class Drive:
    """Simulator and planner at work, and the robot in motion."""

    def __init__(self, graph: Graph, bundle: Path) -> None:
        self._graph = graph
        self.odometry: list[Odometry] = graph.listen(Odometry, 'odom')
        graph.start('sim_node', seed=9000)
        self.planner = graph.start(
            'planner_node', bundle=str(bundle), staleness_s=STALENESS_S, tokens=16,
            autostart=True, camera_freeze_s=0.0)
        graph.wait(lambda: self.odometry and self._speed() > 0.5 * BASE.limit[0],
                   'the robot to drive')

    def rests_within(self, limit_s: float) -> bool:
        """Tell whether the robot comes to rest within this time from now, and stays so."""
        # Not of the last odometry: it is as old as this process was kept waiting.
        began_s = time.time()
        self._graph.wait(
            lambda: seconds(self.odometry[-1].header.stamp) > began_s + limit_s + 1.0,
            'time to pass')
        after = [self._speed(message) for message in self.odometry
                 if seconds(message.header.stamp) > began_s + limit_s]
        return len(after) > 5 and not any(after)

    def _speed(self, message: Odometry | None = None) -> float:
        twist = (message or self.odometry[-1]).twist.twist
        return float(abs(values_from(twist, BASE.action_names)).max())


@pytest.fixture
def drive(graph: Graph, untrained: Path) -> Drive:
    return Drive(graph, untrained)


def test_when_the_planner_is_killed_the_robot_rests(drive: Drive) -> None:
    os.kill(drive.planner, signal.SIGKILL)
    assert drive.rests_within(BASE.command_timeout_s + BASE.delay_s + BRAKING_S + GRACE_S)


def test_when_the_planner_hangs_the_robot_rests(drive: Drive) -> None:
    os.kill(drive.planner, signal.SIGSTOP)
    rests = drive.rests_within(BASE.command_timeout_s + BASE.delay_s + BRAKING_S + GRACE_S)
    os.kill(drive.planner, signal.SIGCONT)
    assert rests


def test_when_the_camera_fails_the_robot_rests(graph: Graph, drive: Drive) -> None:
    assert graph.change('sim_node', camera_enabled=False)[0].successful
    assert drive.rests_within(STALENESS_S + BRAKING_S + BASE.delay_s + GRACE_S)
    graph.wait_for_status('planner_node', 'stale camera')


def test_when_the_planner_is_ended_politely_the_robot_rests_at_once(
    graph: Graph, drive: Drive,
) -> None:
    os.kill(drive.planner, signal.SIGTERM)
    # No timeout of the base is needed: the last command is to stop.
    assert drive.rests_within(BASE.delay_s + BRAKING_S + GRACE_S)
