# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a node's process starts, spins and ends, and how its lifecycle callbacks fail."""

from collections.abc import Callable, Sequence
from functools import wraps
import signal
import sys
import traceback
from typing import Any, Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from sparse_imagination_ros.errors import SparseImaginationError

# How long a signal to end may go unnoticed.
WAKE_UP_S = 0.1
# So many signals may say the same.
SAME_WISH = 2


class Closable(Protocol):
    """A node that says its last words while it still can publish."""

    def close(self) -> None:
        """Bring everything to rest."""


def run_node(make: Callable[[], Any], args: Sequence[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM; return the exit code of the process."""
    # rclpy's own handlers end the context at once: no stop command could be sent any more.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    ending = _Ending()
    try:
        node = make()
    except SparseImaginationError as error:
        print(f'error: {error}', file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not ending.asked and rclpy.ok():
            executor.spin_once(timeout_sec=WAKE_UP_S)
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
        end_in_peace()
    return 0


def end_in_peace() -> None:
    """Let no signal disturb the last moments of a process that has done everything."""
    # A launch hands on the Ctrl-C that it heard: it may come when we are through already.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def transition(
    callback: Callable[[Any, LifecycleState], TransitionCallbackReturn],
) -> Callable[[Any, LifecycleState], TransitionCallbackReturn]:
    """Report what a lifecycle callback raises, by `report` of its node; rclpy keeps silent."""
    @wraps(callback)
    def reporting(node: Any, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return callback(node, state)
        except SparseImaginationError as error:
            node.report(str(error))
        except Exception as error:
            # Not the user's doing: the developers need the traceback, in the log, once.
            node.get_logger().error(traceback.format_exc())
            node.report(f'{callback.__name__} failed: {error!r}; this is a bug, please report it')
        return TransitionCallbackReturn.FAILURE
    return reporting


class _Ending:
    """
    Notes that the process was asked to end; asked a third time, it ends at once.

    One Ctrl-C may come twice, from the terminal and from the launch that started this process, at
    any distance; and the robot is still to be stopped.
    """

    def __init__(self) -> None:
        self._count = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    @property
    def asked(self) -> bool:
        """Tell whether it was asked to end."""
        return self._count > 0

    def _note(self, number: int, frame: object) -> None:
        self._count += 1
        if self._count > SAME_WISH:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
