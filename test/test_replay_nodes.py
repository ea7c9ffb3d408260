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
    graph.wait(lambda: len(cycles) >= len(rows['plan']), 'all plans', 5)
    found = [readings(cycle) for cycle in cycles]
    plans = [[float(value) for value in said['plan'].split()] for said in found]
    assert plans == [[value for action in plan for value in action] for plan in rows['plan']]
    assert [said['subset'].split() for said in found] == [
        list(map(str, subset)) for subset in rows['subset']]


def test_a_bag_that_cannot_be_played_is_named(
    graph: Graph, tmp_path: Path, untrained: Path,
) -> None:
    _, player = replay_graph(str(tmp_path / 'nowhere'), str(untrained))
    graph.processes.start(player)
    graph.wait(lambda: 'error: ' in graph.log('bag_node'), 'the reason')
    assert 'nowhere is not there' in graph.log('bag_node')
    assert 'Traceback' not in graph.log('bag_node')
