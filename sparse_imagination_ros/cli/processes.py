# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph as processes, for where `ros2 launch` does not exist; what runs is in graph.py."""

from collections.abc import Callable, Mapping
import ctypes
from dataclasses import dataclass
import os
from pathlib import Path
import shlex
import signal
import subprocess
import sys
import time
from types import TracebackType

from sparse_imagination_ros.errors import SparseImaginationError
from sparse_imagination_ros.graph import NodeSpec, Value
from sparse_imagination_ros.share import PACKAGE

# How long a process may take to end, before it is told so less kindly.
PATIENCE_S = 5.0
TAIL_LINES = 15
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None


class ProcessError(SparseImaginationError):
    """A process ended that should not have."""


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """Starts nodes and sees to it that none is left behind."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs, self._environment = logs, environment
        self._children: dict[str, _Child] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> 'Processes':
        """Enter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all that still runs."""
        for name in self.names:
            self.end(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the nodes that were started and not ended."""
        return tuple(self._children)

    def start(self, spec: NodeSpec) -> int:
        """Start a node; return the number of its process."""
        log = self._logs / f'{spec.name}.log'
        environment = {
            **os.environ, 'ROS_LOG_DIR': str(self._logs.resolve() / 'ros'), **self._environment,
            **dict(spec.environment)}
        words = command_line(spec)
        try:
            with log.open('wb') as output:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    env=environment,
                    # Ctrl-C is for us; we end the nodes in order.
                    start_new_session=True, preexec_fn=_die_with_parent)
        except OSError as error:
            raise ProcessError(f'{spec.name} cannot be started by `{words[0]}` ({error})'
                               ) from error
        self._children[spec.name] = _Child(process, log)
        return process.pid

    def log(self, name: str) -> Path:
        """Return what a node that runs writes to."""
        return self._children[name].log

    def code(self, name: str) -> int | None:
        """Return with what a node ended, or None if it runs."""
        return self._children[name].process.poll()

    def check(self) -> None:
        """Complain if a process ended by itself."""
        for name, child in self._children.items():
            code = self.code(name)
            if code is not None:
                raise ProcessError(
                    f'{name} ended by itself ({_exit(code)}); the end of {child.log}:\n'
                    f'{_tail(child.log)}')

    def end(
        self, name: str, meanwhile: Callable[[], None] = lambda: time.sleep(0.05),
    ) -> int | None:
        """
        End a node as Ctrl-C would, calling `meanwhile` while it does; insist if need be.

        Return with what it ended.
        """
        child = self._children.pop(name)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if child.process.poll() is not None:
                break
            child.process.send_signal(number)
            end_s = time.monotonic() + PATIENCE_S
            while child.process.poll() is None and time.monotonic() < end_s:
                meanwhile()
        return child.process.poll()


def command_line(spec: NodeSpec) -> list[str]:
    """Return how a node is started, with this Python."""
    if spec.package != PACKAGE:
        raise ProcessError(
            f'{spec.name} is not of this package; start it by `ros2 launch`, or by itself')
    words = [*shlex.split(spec.prefix), sys.executable, '-m',
             f'{spec.package}.nodes.{spec.executable}', '--ros-args',
             '--log-level', spec.log_level, '-r', f'__node:={spec.name}']
    if spec.namespace:
        words += ['-r', f'__ns:=/{spec.namespace.strip("/")}']
    if spec.parameter_file is not None:
        words += ['--params-file', str(spec.parameter_file)]
    for name, value in spec.parameters:
        words += ['-p', f'{name}:={_yaml(value)}']
    for old, new in spec.remaps:
        words += ['-r', f'{old}:={new}']
    return words


def _yaml(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f'[{", ".join(map(_yaml, value))}]'
    # In quotes: a text such as 007 or yes is to stay a text.
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _die_with_parent() -> None:
    # Also when we are killed: no robot goes on driving by itself.
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _exit(code: int) -> str:
    return f'killed by {signal.Signals(-code).name}' if code < 0 else f'exit code {code}'


def _tail(path: Path) -> str:
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join(f'    {line}' for line in lines[-TAIL_LINES:]) or '    (empty)'
