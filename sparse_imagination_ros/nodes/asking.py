# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Asks services of other nodes, and brings them from one state of their lifecycle to another.

A request, or its answer, is lost while only one side has found the other, so it is sent again.
"""

from collections.abc import Callable
import time
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.node import Node

from sparse_imagination_ros.errors import NodeError

ASK_AGAIN_S = 5.0
# Who loads a network from a cold disk answers late.
START_TIME_S = 180.0
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
