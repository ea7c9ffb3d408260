# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What makes a cycle punctual, as far as Python lets us: memory, cores, scheduling and garbage.

What the kernel refuses is said, with what to do about it, and the planner goes on without it.
"""

import ctypes
from dataclasses import dataclass
import gc
import os
from pathlib import Path
import resource
from types import TracebackType

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import ConfigError

# As Linux and glibc number them.
MCL_CURRENT, MCL_FUTURE, CAP_IPC_LOCK = 1, 2, 14
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Larger pieces of memory go back to the kernel when they are freed; glibc allows no more.
KEPT_BYTES = 32 * 1024 * 1024
# Above this the kernel itself may be held up, so that nothing could stop us any more.
TOP_PRIORITY = 98
# Between cycles, what is young is collected each time, and all every so often.
CYCLES_UNTIL_ALL = 200
# If no cycle comes, Python collects by itself when there are so many more objects.
UNCOLLECTED = 50_000
USUAL_THRESHOLDS = gc.get_threshold()


@dataclass(frozen=True)
class RealtimeConfig:
    """What the process takes from the machine, so that its cycles are punctual."""

    lock_memory: bool = setting(
        False, 'whether all memory of the process is made ready and locked, so that no cycle '
               'waits for a page')
    planner_cores: str = setting(
        '', 'processor cores of the planner and the threads of its network, such as `2-3,5`; '
            'empty: all')
    command_cores: str = setting('', 'processor cores of the loop of the commands; empty: all')
    planner_priority: int = setting(
        0, 'priority of the planner under SCHED_FIFO, below that of the commands; 0: as any '
           'other program', 0, TOP_PRIORITY)
    command_priority: int = setting(
        0, 'priority of the loop of the commands under SCHED_FIFO; 0: as any other program', 0,
        TOP_PRIORITY)


class Realtime:
    """
    Takes what the config asks for, and gives it back.

    refused: what the kernel did not give, with what to do. Cores and priority are those of the
    thread that calls.
    """

    def __init__(self, config: RealtimeConfig) -> None:
        """Raise what cannot be meant; take nothing yet."""
        self._config = config
        self._cores = {name: cores_of(name, getattr(config, name))
                       for name in ('planner_cores', 'command_cores')}
        if config.planner_priority and config.planner_priority >= config.command_priority:
            raise ConfigError(
                f'`planner_priority` is {config.planner_priority}, which is not below '
                f'`command_priority` ({config.command_priority}): the planner would hold up the '
                'commands; raise the one or lower the other')
        self.refused: list[str] = []
        self._locked = False
        self._now: dict[str, object] = {}
        self._before: tuple[set[int], int] | None = None

    def place_planner(self) -> None:
        """Keep the calling thread, and those that it will start, to the cores of the planner."""
        self._place('planner_cores')

    def begin_planner(self) -> None:
        """Give the calling thread the planner's priority, and none to those that it started."""
        self._prioritise('planner_priority')
        self._note('planner')

    def begin_commands(self) -> None:
        """Take all that the loop of the commands needs, in its thread; and lock memory."""
        self._before = os.sched_getaffinity(0), os.sched_getscheduler(0)
        self._place('command_cores')
        self._prioritise('command_priority')
        self._note('command')
        if self._config.lock_memory:
            problem = lock_memory()
            self._locked = not problem
            if problem:
                self.refused.append(problem)

    def end(self) -> None:
        """Give back what the thread of the commands and the process have."""
        if self._before is not None:
            cores, policy = self._before
            if self._cores['command_cores']:
                os.sched_setaffinity(0, cores)
            if os.sched_getscheduler(0) != policy:
                os.sched_setscheduler(0, policy, os.sched_param(0))
        if self._locked:
            _libc().munlockall()
        self._before, self._locked = None, False

    def values(self) -> dict[str, object]:
        """Return what the kernel gave, by name."""
        return {
            **self._now, 'memory': 'locked' if self._locked else 'not locked',
            'objects that are not looked at for garbage': gc.get_freeze_count()}

    def _place(self, name: str) -> None:
        cores = self._cores[name]
        if not cores:
            return
        try:
            os.sched_setaffinity(0, cores)
        except OSError as error:
            allowed = ', '.join(map(str, sorted(os.sched_getaffinity(0))))
            self.refused.append(
                f'`{name}` {getattr(self._config, name)} is refused ({error.strerror}): this '
                f'process may use the cores {allowed}')

    def _prioritise(self, name: str) -> None:
        priority = getattr(self._config, name)
        if not priority:
            return
        try:
            # What this thread starts is not to inherit its priority.
            os.sched_setscheduler(
                0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        except OSError as error:
            limit, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
            self.refused.append(
                f'`{name}` {priority} is refused ({error.strerror}): the limit rtprio is {limit}; '
                f'put `USER - rtprio {TOP_PRIORITY}` in /etc/security/limits.conf and log in '
                'again, or give a container --cap-add SYS_NICE')

    def _note(self, who: str) -> None:
        """Keep what the kernel says of the calling thread."""
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        self._now[f'{who} cores'] = ','.join(map(str, sorted(os.sched_getaffinity(0))))
        self._now[f'{who} scheduling'] = (
            f'SCHED_FIFO {os.sched_getparam(0).sched_priority}' if policy == os.SCHED_FIFO
            else 'ordinary')


class Garbage:
    """
    Has Python look for garbage between cycles, and not in the middle of one.

    What is there at the beginning stays, and is not looked at again.
    """

    def __init__(self) -> None:
        self._sweeps = 0

    def __enter__(self) -> 'Garbage':
        gc.collect()
        gc.freeze()
        gc.set_threshold(UNCOLLECTED, *USUAL_THRESHOLDS[1:])
        return self

    def sweep(self) -> None:
        """Collect; called between two cycles."""
        self._sweeps += 1
        gc.collect(1 if self._sweeps % CYCLES_UNTIL_ALL else 2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        gc.set_threshold(*USUAL_THRESHOLDS)
        gc.unfreeze()


def cores_of(name: str, text: str) -> frozenset[int]:
    """Read cores such as `2-3,5`; errors call the setting by its name."""
    there = os.cpu_count() or 1
    cores: set[int] = set()
    for part in text.replace(' ', '').split(',') if text.strip() else ():
        first, dash, last = part.partition('-')
        if not _is_core(first) or (dash and not _is_core(last)):
            raise ConfigError(f'`{name}` is {text!r}; write cores as `2-3,5`')
        some = range(int(first), int(last or first) + 1)
        if not some or some[-1] >= there:
            raise ConfigError(f'`{name}` is {text!r}; this machine has the cores 0-{there - 1}')
        cores.update(some)
    return frozenset(cores)


def lock_memory() -> str:
    """Make all memory of the process ready, and lock it and what comes; return why not."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not _may_lock_all():
        # With less, it would be a later allocation that fails.
        return (f'`lock_memory` is refused: this user may lock {limit // 1024} kB, all is needed; '
                'put `USER - memlock unlimited` in /etc/security/limits.conf and log in again, or '
                'start a container with --ulimit memlock=-1')
    libc = _libc()
    # What was freed stays with us: to get it back from the kernel costs page faults.
    libc.mallopt(M_TRIM_THRESHOLD, -1)
    libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE) != 0:
        reason = os.strerror(ctypes.get_errno())
        return f'`lock_memory` is refused ({reason}): see `man mlockall`'
    return ''


def _is_core(word: str) -> bool:
    # No machine has cores of more digits.
    return word.isascii() and word.isdecimal() and len(word) < 6


def _may_lock_all() -> bool:
    """Tell whether the process has the capability to lock as much as it likes."""
    status = Path('/proc/self/status').read_text(encoding='utf-8')
    capabilities = status.partition('CapEff:')[2].split()[0]
    return bool(int(capabilities, 16) >> CAP_IPC_LOCK & 1)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
