# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What makes cycles punctual is taken from the kernel, or it is said why it was not given."""

from collections.abc import Iterator
import ctypes
import errno
import gc
import os
from pathlib import Path
import subprocess
import sys
from threading import Thread
from typing import Any

import pytest

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.planning import realtime
from sparse_imagination_ros.planning.realtime import (
    cores_of,
    Garbage,
    Realtime,
    RealtimeConfig,
    UNCOLLECTED,
    USUAL_THRESHOLDS,
)

CORES = sorted(os.sched_getaffinity(0))
NOBODY = 65534


@pytest.fixture
def usual_garbage() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.set_threshold(*USUAL_THRESHOLDS)


class Ring:

    def __init__(self) -> None:
        self.me = self


@pytest.mark.usefixtures('usual_garbage')
def test_what_is_there_when_planning_begins_is_not_looked_at_again() -> None:
    before = gc.get_freeze_count()
    with Garbage() as garbage:
        assert gc.get_freeze_count() > before + 1000
        assert gc.get_threshold()[0] == UNCOLLECTED
        garbage.sweep()
    assert gc.get_freeze_count() == 0 and gc.get_threshold() == USUAL_THRESHOLDS


@pytest.mark.usefixtures('usual_garbage')
def test_garbage_is_collected_between_cycles_and_only_there() -> None:
    collected = []
    with Garbage() as garbage:
        gc.callbacks.append(lambda phase, info: collected.append(phase))
        try:
            for _ in range(10 * USUAL_THRESHOLDS[0]):
                Ring()
            assert not collected
            garbage.sweep()
            assert collected
        finally:
            gc.callbacks.pop()
        assert not any(isinstance(one, Ring) for one in gc.get_objects())


@pytest.mark.parametrize(('text', 'cores'), [
    ('', set()), (' ', set()), ('0', {0}), (f'0-{CORES[-1]}', set(range(CORES[-1] + 1))),
    ('0, 0', {0})])
def test_cores_are_read(text: str, cores: set[int]) -> None:
    assert cores_of('planner_cores', text) == cores


@pytest.mark.parametrize('text', [
    'all', '-1', '1-', '0-x', ',', '0,,1', '3-1', f'{os.cpu_count()}', '0-99999999999', '²'])
def test_cores_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match='`planner_cores` is '):
        cores_of('planner_cores', text)


@pytest.mark.parametrize(('planner', 'commands'), [(10, 0), (10, 10), (20, 10)])
def test_a_planner_that_would_hold_up_the_commands_is_refused(planner: int, commands: int) -> None:
    with pytest.raises(ConfigError, match=r'`planner_priority` is .* raise the one or lower'):
        Realtime(RealtimeConfig(planner_priority=planner, command_priority=commands))


def test_a_thread_is_kept_to_its_cores_and_others_are_not() -> None:
    taking = Realtime(RealtimeConfig(planner_cores=str(CORES[0])))
    seen = []

    def plan() -> None:
        taking.place_planner()
        taking.begin_planner()
        seen.append(os.sched_getaffinity(0))

    thread = Thread(target=plan)
    thread.start()
    thread.join()
    assert seen == [{CORES[0]}] and sorted(os.sched_getaffinity(0)) == CORES
    assert taking.values()['planner cores'] == str(CORES[0]) and not taking.refused


UNPRIVILEGED = f"""
import os, resource
from sparse_imagination_ros.planning.realtime import Realtime, RealtimeConfig
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.geteuid() == 0:
    os.seteuid({NOBODY})
realtime = Realtime(RealtimeConfig(True, '', '', 10, 20))
realtime.begin_planner()
realtime.begin_commands()
print(*realtime.refused, sep='\\n')
print(realtime.values())
realtime.end()
"""


def test_what_the_kernel_refuses_is_said_in_a_line_each_with_what_to_do() -> None:
    process = subprocess.run(
        [sys.executable, '-c', UNPRIVILEGED], capture_output=True, text=True, check=True)
    planner, commands, memory, values = process.stdout.splitlines()
    for line, name in ((planner, '`planner_priority` 10'), (commands, '`command_priority` 20')):
        assert line.startswith(f'{name} is refused') and 'rtprio' in line
    assert memory.startswith('`lock_memory` is refused: this user may lock 64 kB')
    assert 'memlock unlimited' in memory
    assert "'memory': 'not locked'" in values and "'planner scheduling': 'ordinary'" in values


def test_cores_that_the_kernel_refuses_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: int, cores: object) -> None:
        raise OSError(errno.EINVAL, 'Invalid argument')

    monkeypatch.setattr(os, 'sched_setaffinity', refuse)
    taking = Realtime(RealtimeConfig(planner_cores='0'))
    taking.place_planner()
    assert taking.refused == [
        '`planner_cores` 0 is refused (Invalid argument): this process may use the cores '
        + ', '.join(map(str, CORES))]


def test_memory_that_cannot_be_locked_though_it_may_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:

        def mallopt(self, name: int, value: int) -> int:
            return 1

        def mlockall(self, flags: int) -> int:
            ctypes.set_errno(errno.ENOMEM)
            return -1

    monkeypatch.setattr(realtime, '_libc', Full)
    monkeypatch.setattr(realtime, '_may_lock_all', lambda: True)
    assert realtime.lock_memory() == (
        '`lock_memory` is refused (Cannot allocate memory): see `man mlockall`')


TAKES_ALL = """
import os
from sparse_imagination_ros.planning.realtime import Realtime, RealtimeConfig
def locked():
    status = open('/proc/self/status').read()
    return int(status.split('VmLck:')[1].split()[0])
realtime = Realtime(RealtimeConfig(True, '', '', 10, 20))
before = os.sched_getscheduler(0)
realtime.begin_commands()
print(realtime.refused, realtime.values(), locked() > 1000)
realtime.end()
print(os.sched_getscheduler(0) == before, locked())
"""


def test_what_the_kernel_gives_is_given_back_in_the_end() -> None:
    process = subprocess.run(
        [sys.executable, '-c', TAKES_ALL], capture_output=True, text=True, check=True)
    taken, left = process.stdout.splitlines()
    if not taken.startswith('[]'):
        pytest.skip(f'this machine refuses: {taken}')
    assert 'SCHED_FIFO 20' in taken and "'memory': 'locked'" in taken and taken.endswith('True')
    assert left == 'True 0'


@pytest.mark.ros
def test_the_node_says_what_it_was_given(graph: Any, untrained: Path) -> None:
    from stage import Stage

    from sparse_imagination_ros.nodes.messages import readings

    stage = Stage(graph)
    graph.start(
        'planner_node', bundle=str(untrained), tokens=6, autostart=True,
        planner_cores=str(CORES[0]), command_cores=str(CORES[-1]))
    stage.show_goal()
    stage.wait_until_it_drives()
    graph.wait(lambda: 'planner_node: real time' in graph.all_statuses, 'the status')
    said = readings(graph.all_statuses['planner_node: real time'])
    assert (said['planner cores'], said['command cores']) == (str(CORES[0]), str(CORES[-1]))
    assert said['planner scheduling'] == 'ordinary' and said['memory'] == 'not locked'
    assert int(said['objects that are not looked at for garbage']) > 10_000


@pytest.mark.ros
def test_priorities_that_contradict_each_other_are_refused_with_the_reason(
    graph: Any, untrained: Path,
) -> None:
    graph.start('planner_node', bundle=str(untrained), planner_priority=5, autostart=True)
    graph.wait_for_status('planner_node', 'would hold up the commands')
    graph.change('planner_node', planner_priority=0)
    assert graph.transition('configure')
