# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files under the real launch, where it is installed: up, driving, down by Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys

from bag_maker import write_bag
import pytest
from replay_bag import room_drive
from ros_graph import Graph

pytest.importorskip('launch_ros', reason='ROS 2 launch is not among the wheels')
packages = pytest.importorskip('ament_index_python.packages')

pytestmark = pytest.mark.ros
ROOT = Path(__file__).parents[1]

try:
    packages.get_package_prefix('sparse_imagination_ros')
except packages.PackageNotFoundError:
    pytest.skip('the package is not installed by colcon', allow_module_level=True)


@contextmanager
def launched(folder: Path, file: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / 'launch.log').open('wb') as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / 'test' / 'real_launch.py'), str(ROOT / 'launch' / file),
             *words], stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def ends(graph: Graph, folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Press Ctrl-C, as a terminal does, for the launch and all that it started."""
    os.killpg(process.pid, signal.SIGINT)
    graph.wait(lambda: process.poll() is not None, 'the launch to end')
    log = (folder / 'launch.log').read_text()
    assert process.returncode == 0, log
    assert 'Traceback' not in log and 'process has died' not in log, log
    return log


def test_the_demo_drives_and_ends_cleanly(graph: Graph, untrained: Path, tmp_path: Path) -> None:
    with launched(tmp_path, 'demo.launch.py', f'bundle:={untrained}', 'budget_ms:=90',
                  'namespace:=bot') as process:
        graph.wait_for_status('bot/planner_node', 'driving')
        assert graph.readings('bot/planner_node')['budget ms'] == '90.0'
        log = ends(graph, tmp_path, process)
    assert log.count('process has finished cleanly') == 2


def test_the_planner_waits_for_its_camera_and_ends_cleanly(
    graph: Graph, untrained: Path, tmp_path: Path,
) -> None:
    with launched(tmp_path, 'planner.launch.py', f'bundle:={untrained}', 'image:=/camera/image',
                  'use_respawn:=true', 'prefix:=nice -n 1') as process:
        graph.wait_for_status('planner_node', 'stale camera: no image on /camera/image')
        ends(graph, tmp_path, process)


def test_a_manager_steers_the_planner_that_does_not_start_by_itself(
    graph: Graph, untrained: Path, tmp_path: Path,
) -> None:
    with launched(tmp_path, 'planner.launch.py', f'bundle:={untrained}',
                  'autostart:=false') as process:
        graph.wait_for_status('planner_node', 'not configured')
        for name in ('configure', 'activate', 'deactivate', 'cleanup', 'configure', 'activate'):
            assert graph.transition(name)
        ends(graph, tmp_path, process)


def test_a_bag_is_played_and_the_launch_ends_cleanly(
    graph: Graph, untrained: Path, tmp_path: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(3.0))
    with launched(tmp_path, 'replay.launch.py', f'bag:={bag}', f'bundle:={untrained}') as process:
        graph.wait(lambda: process.poll() is not None, 'the end of the launch by itself')
    log = (tmp_path / 'launch.log').read_text()
    assert process.returncode == 0 and 'the bag is through' in log
    assert 'Traceback' not in log and 'process has died' not in log, log
