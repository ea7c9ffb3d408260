# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Asks services of other nodes: of their lifecycles, and of the simulator.

A request, or its answer, is lost while only one side has found the other, so it is sent again.
"""

from collections.abc import Callable
import time
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from sparse_imagination_ros.errors import NodeError

ASK_AGAIN_S = 5.0
# Who loads a network from a cold disk answers late.
START_TIME_S = 180.0
# Everything else is answered sooner.
ANSWER_TIME_S = 20.0
# So long nothing is done but to listen.
LISTEN_S = 0.02
# What to ask for, and the state that it leads to.
TRANSITIONS = {
    'configure': (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
    'activate': (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
    'deactivate': (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
    'cleanup': (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED)}

# Lets a node hear of others for at most so many seconds.
Listen = Callable[[float], None]


def ask(client: Client, request: Any, listen: Listen, limit_s: float) -> Any:
    """Return the answer to a request that may be sent more than once."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        answer = ask_once(client, request, listen)
        if answer is not None:
            return answer
    raise NodeError(f'{client.srv_name} does not answer within {limit_s:g} s: see the logs')


def ask_once(client: Client, request: Any, listen: Listen) -> Any:
    """Return the answer, or None if there is none for a while."""
    end_s = time.monotonic() + ASK_AGAIN_S
    future = None
    while time.monotonic() < end_s and not (future and future.done()):
        if future is None and client.service_is_ready():
            future = client.call_async(request)
        listen(LISTEN_S)
    return future.result() if future and future.done() else None


class Lifecycle:
    """The lifecycle of another node."""

    def __init__(self, node: Node, name: str, listen: Listen) -> None:
        """Steer the node of this name; `node` asks, and `listen` is how it waits."""
        self._change = node.create_client(ChangeState, f'{name}/change_state')
        self._get = node.create_client(GetState, f'{name}/get_state')
        self._listen = listen

    def state(self) -> int:
        """Ask for its state; what was published to it before is taken before it answers."""
        answer = ask(self._get, GetState.Request(), self._listen, START_TIME_S)
        return int(answer.current_state.id)

    def bring(self, name: str) -> bool:
        """Bring it through a transition; tell whether it consented."""
        number, wanted = TRANSITIONS[name]
        request = ChangeState.Request(transition=Transition(id=number))
        while (answer := ask_once(self._change, request, self._listen)) is None:
            # It may also just take its time; it tells its state when it is done.
            if self.state() == wanted:
                return True
        return bool(answer.success)


class Simulator:
    """The simulator's node."""

    def __init__(self, node: Node, name: str, listen: Listen) -> None:
        """Steer the node of this name; `node` asks, and `listen` is how it waits."""
        self._set = node.create_client(SetParameters, f'{name}/set_parameters')
        self._reset = node.create_client(Trigger, f'{name}/reset')
        self._name, self._listen = name, listen

    def adjust(self, **values: object) -> None:
        """Change its parameters; raise what it refuses."""
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        for result in ask(self._set, request, self._listen, ANSWER_TIME_S).results:
            if not result.successful:
                said = ', '.join(f'{name} {value}' for name, value in values.items())
                raise NodeError(f'{self._name} refuses {said}: {result.reason}')

    def draw(self, seed: int, **values: object) -> str:
        """Have it begin anew in the world of a seed; return what it says of that."""
        self.adjust(seed=seed, **values)
        answer = ask(self._reset, Trigger.Request(), self._listen, ANSWER_TIME_S)
        if not answer.success:
            raise NodeError(f'{self._name} cannot be reset to seed {seed}: {answer.message}')
        return str(answer.message)
