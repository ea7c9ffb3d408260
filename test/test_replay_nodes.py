# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag played into the real node over DDS gives the plans that the command gives."""

import json
from pathlib import Path

from bag_maker import write_bag
from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from replay_bag import room_drive
from ros_graph import Graph
from test_replay import PARAMETERS, replay

from sparse_imagination_ros.graph import replay_graph
from sparse_imagination_ros.nodes.messages import readings

pytestmark = pytest.mark.ros

PLAYER = """
/**:
  ros__parameters:
    goal_s: 1.2
"""


def plan_of(cycle: DiagnosticStatus) -> tuple[list[int], list[float]]:
    said = readings(cycle)
    return list(map(int, said['subset'].split())), list(map(float, said['plan'].split()))


def test_the_node_and_the_command_make_the_same_plans(
    graph: Graph, tmp_path: Path, untrained: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(5.0))
    (tmp_path / 'planner.yaml').write_text(PARAMETERS)
    (tmp_path / 'player.yaml').write_text(PLAYER)
    cycles = graph.listen(DiagnosticStatus, 'planner_node/cycle')
    for spec in replay_graph(
            str(bag), str(untrained), str(tmp_path / 'planner.yaml'),
            str(tmp_path / 'player.yaml')):
        graph.processes.start(spec)
    assert replay(tmp_path, untrained, str(bag), '--offline', '--json',
                  str(tmp_path / 'f.json')) == 0
    rows = json.loads((tmp_path / 'f.json').read_text())['runs'][0]['rows']
    graph.wait(lambda: 'the bag is through' in graph.log('bag_node'), 'the end of the bag')
    wanted = [
        (subset, [value for action in plan for value in action])
        for subset, plan in zip(rows['subset'], rows['plan'], strict=True)]
    graph.wait(lambda: cycles and plan_of(cycles[-1]) == wanted[-1], 'the last plan', 5)
    # What was said before DDS had found this listener was not heard.
    assert len(cycles) > len(wanted) / 2
    assert [plan_of(cycle) for cycle in cycles] == wanted[-len(cycles):]


def test_a_bag_that_cannot_be_played_is_named(
    graph: Graph, tmp_path: Path, untrained: Path,
) -> None:
    _, player = replay_graph(str(tmp_path / 'nowhere'), str(untrained))
    graph.processes.start(player)
    graph.wait(lambda: 'error: ' in graph.log('bag_node'), 'the reason')
    assert 'nowhere is not there' in graph.log('bag_node')
    assert 'Traceback' not in graph.log('bag_node')
