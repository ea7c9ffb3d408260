# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of a running planner, and who judges them; `make faults` causes all there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
import json
from pathlib import Path
import time

from geometry_msgs.msg import Twist
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from sparse_imagination_ros.cli.domains import isolated, own_domain
from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.evaluation.faults import FaultRow, table_json, table_markdown
from sparse_imagination_ros.nodes.faults.fault import tried
from sparse_imagination_ros.nodes.faults.observer import Observer
from sparse_imagination_ros.nodes.faults.stage import PLAIN, Setup, Stage
from sparse_imagination_ros.nodes.faults.table import chosen, FAULTS
from sparse_imagination_ros.sim.robots import robot

BASE = robot('omnidirectional')
# The quick ones of those that matter most.
AROUND = (
    'camera_freezes', 'camera_repeats', 'camera_black', 'two_cameras', 'goal_replaced',
    'lifecycle_active', 'bundle_replaced', 'process_stopped', 'process_ended')
INSIDE = ('engine_no_numbers', 'memory_refused', 'planner_dies', 'commands_hang')


@contextmanager
def staged(bundle: Path, folder: Path, setup: Setup) -> Iterator[Stage]:
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        for name, value in {**isolated(domain), 'ROS_LOG_DIR': str(folder / 'ros')}.items():
            patch.setenv(name, value)
        with Stage(domain, bundle, folder) as stage:
            stage.start(setup)
            yield stage


@pytest.fixture(scope='module')
def around(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(untrained, tmp_path_factory.mktemp('around'), PLAIN) as stage:
        yield stage


@pytest.fixture(scope='module')
def inside(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(untrained, tmp_path_factory.mktemp('inside'), Setup(inside=True)) as stage:
        yield stage


@pytest.mark.ros
@pytest.mark.timing
@pytest.mark.parametrize('name', AROUND)
def test_a_robot_comes_through_what_happens_around_its_planner(around: Stage, name: str) -> None:
    fault, = chosen([name])
    row = tried(around, fault)
    assert row.commands > 0 and row.is_well, row


@pytest.mark.ros
@pytest.mark.timing
@pytest.mark.parametrize('name', INSIDE)
def test_a_robot_comes_through_what_happens_inside_its_planner(inside: Stage, name: str) -> None:
    fault, = chosen([name])
    row = tried(inside, fault)
    assert row.commands > 0 and row.is_well, row


@pytest.mark.ros
def test_an_observer_notices_a_command_that_should_not_have_been_sent() -> None:
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        for name, value in isolated(domain).items():
            patch.setenv(name, value)
        observer, context = Observer(domain, BASE, 'planner_node'), Context()
        rclpy.init(context=context, domain_id=domain)
        node = Node('commander', context=context)
        commands = node.create_publisher(Twist, 'cmd_vel', 10)

        def heard(speed: float, count: int) -> None:
            command = Twist()
            command.linear.x = speed
            commands.publish(command)
            end_s = time.monotonic() + 30
            while observer.audit.commands < count:
                assert time.monotonic() < end_s, 'waited in vain'
                observer.listen(0.01)

        try:
            end_s = time.monotonic() + 30
            while not commands.get_subscription_count():
                assert time.monotonic() < end_s, 'waited in vain'
                observer.listen(0.01)
            heard(0.0, 1)
            heard(0.05, 2)
            assert observer.audit.outside == 0 and observer.base.speed > 0.0
            heard(1.5 * BASE.limit[0], 3)
            assert observer.audit.outside == 1, 'too fast'
            heard(-BASE.limit[0], 4)
            assert observer.audit.outside == 2, 'a jump'
        finally:
            observer.close()
            node.destroy_node()
            rclpy.try_shutdown(context=context)


GOOD = FaultRow(
    'lens', 'a cover | on it', 'comes to rest', 40, 0, False, 812.4, 1400.0, True, '',
    'blind camera: take it off')


@pytest.mark.parametrize('spoilt', [
    {'unsafe_commands': 1}, {'rest_ms': 1401.0}, {'rest_ms': float('inf')}, {'recovered': False},
    {'missed': 'nobody said so'}])
def test_a_row_is_well_only_if_all_is_as_promised(spoilt: dict[str, object]) -> None:
    bad = replace(GOOD, **spoilt)
    assert GOOD.is_well and not bad.is_well
    assert table_json([GOOD])['well'] and not table_json([GOOD, bad])['well']


def test_a_table_can_be_read_by_scripts_and_by_people() -> None:
    helped = replace(GOOD, name='dead', told=True, person='started it again')
    table = table_json([GOOD, helped])
    assert json.loads(json.dumps(table))['commands'] == 80
    assert {'name', 'unsafe_commands', 'rest_ms', 'limit_ms', 'recovered', 'reads'} <= table[
        'rows'][0].keys()
    lines = table_markdown([GOOD, helped]).splitlines()
    assert len(lines) == 4 and '| 1400 ms | drives by itself |' in lines[2]
    assert '1400 ms when told' in lines[3] and 'a person has started it again' in lines[3]
    assert all(line.count('|') == 6 for line in lines)


def test_there_are_at_least_thirty_faults_with_names_of_their_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30


def test_faults_are_told_and_chosen_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['faults', '--list', '--only', 'camera_freezes']) == 0
    assert capsys.readouterr().out.split()[0] == 'camera_freezes'
    with pytest.raises(ConfigError, match='no fault is called `luck`'):
        chosen(['luck'])
