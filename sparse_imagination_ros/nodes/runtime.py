# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a node's process starts, spins and ends, and how its lifecycle callbacks fail."""

from collections.abc import Callable, Sequence
from functools import wraps
import signal
import sys
import traceback
from typing import Any, Protocol

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from sparse_imagination_ros.errors import SparseImaginationError

# How long a signal to end may go unnoticed.
WAKE_UP_S = 0.1
# The transitions that people ask for, by name.
NUMBERS = {
    'configure': Transition.TRANSITION_CONFIGURE, 'cleanup': Transition.TRANSITION_CLEANUP,
    'activate': Transition.TRANSITION_ACTIVATE, 'deactivate': Transition.TRANSITION_DEACTIVATE,
    'shutdown from unconfigured': Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    'shutdown from inactive': Transition.TRANSITION_INACTIVE_SHUTDOWN,
    'shutdown from active': Transition.TRANSITION_ACTIVE_SHUTDOWN}
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


def refuse_wrong_transitions(node: Any) -> None:
    """Have a lifecycle node answer to a wrong transition; the rclpy of Jazzy ends the process."""
    service = node._service_change_state
    change = service.callback

    def answering(request: ChangeState.Request, response: ChangeState.Response) -> Any:
        wanted, machine = request.transition, node._state_machine
        if any(label == wanted.label if wanted.label else number == wanted.id
               for number, label, *_ in machine.available_transitions):
            return change(request, response)
        known = next((name for name, number in NUMBERS.items() if number == wanted.id), '')
        node.get_logger().error(
            f'the transition `{wanted.label or known or wanted.id}` is refused: it does not '
            f'start from the state `{machine.current_state[1]}`')
        response.success = False
        return response
    service.callback = answering


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
