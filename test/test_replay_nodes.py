# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag played into the real node over DDS gives the plans that the command gives."""

import json
from pathlib import Path
import subprocess
import sys

from bag_maker import write_bag
from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from replay_bag import room_drive
from ros_graph import Graph
from test_replay import PARAMETERS, replay

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


def launch(graph: Graph, folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start what replay.launch.py starts, as one does who has no `ros2 launch`."""
    return subprocess.Popen(
        [sys.executable, '-m', 'sparse_imagination_ros.cli.main', 'launch', '--logs',
         str(folder / 'logs'), 'replay', *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)


def test_the_node_and_the_command_make_the_same_plans(
    graph: Graph, tmp_path: Path, untrained: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(15.0))
    (tmp_path / 'node.yaml').write_text(PARAMETERS + '    seed: 3\n')
    (tmp_path / 'player.yaml').write_text(PLAYER)
    assert replay(tmp_path, untrained, str(bag), '--offline', '--engine', 'reference', '--seed',
                  '3', '--json', str(tmp_path / 'f.json')) == 0
    rows = json.loads((tmp_path / 'f.json').read_text())['runs'][0]['rows']
    cycles = graph.listen(DiagnosticStatus, 'planner_node/cycle')
    process = launch(
        graph, tmp_path, f'bag:={bag}', f'bundle:={untrained}', 'engine:=reference',
        f'params_file:={tmp_path / "node.yaml"}', f'replay_file:={tmp_path / "player.yaml"}')
    graph.wait(lambda: process.poll() is not None, 'the end of the bag')
    said, complaints = process.communicate()
    assert process.returncode == 0, said + complaints
    assert f'{len(rows["plan"])} plans; the bag is through' in said
    assert '[planner_node] ' in said and '[bag_node] ' in said
    wanted = [
        (subset, [value for action in plan for value in action])
        for subset, plan in zip(rows['subset'], rows['plan'], strict=True)]
    # What was said before DDS had found this listener was not heard.
    assert len(cycles) > len(wanted) / 10
    heard = [plan_of(cycle) for cycle in cycles]
    last = max(i for i, plan in enumerate(wanted) if plan == heard[-1])
    assert last > len(wanted) - 3, 'what was said last may be lost when its node ends'
    assert heard == wanted[last + 1 - len(heard):last + 1]


@pytest.mark.parametrize(('words', 'reason'), [
    (('bag:=nowhere',), 'nowhere is not there'), ((), '`bag` is empty; name what is')])
def test_a_bag_that_cannot_be_played_is_named_and_all_ends(
    words: tuple[str, ...], reason: str, graph: Graph, tmp_path: Path, untrained: Path,
) -> None:
    process = launch(graph, tmp_path, f'bundle:={untrained}', *words)
    graph.wait(lambda: process.poll() is not None, 'the end')
    said, _ = process.communicate()
    assert process.returncode == 2
    assert f'[bag_node] error: {reason}' in said
    assert 'Traceback' not in said
