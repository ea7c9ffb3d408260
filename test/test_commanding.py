# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop of the commands and the thread of the planner: who goes first."""

from collections.abc import Iterator
from threading import Thread

import numpy as np
import pytest
from ros_graph import Graph

from sparse_imagination_ros.nodes import commanding
from sparse_imagination_ros.nodes.commanding import Commanding
from sparse_imagination_ros.nodes.outlets import CommandForm, CommandOutlet, wired
from sparse_imagination_ros.nodes.tally import Tally
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.planning.plan import CommandHistory

pytestmark = pytest.mark.ros


@pytest.fixture
def sent() -> list[np.ndarray]:
    return []


@pytest.fixture
def loop(
    graph: Graph, sent: list[np.ndarray], monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Commanding]:
    """Return a loop that has no plan, so that it says once in a second that the robot stands."""
    form = CommandForm('twist', False, '', 'velocities', '', 1.0)
    out = CommandOutlet(graph.node, wired(form, ('linear.x', 'linear.y'), 'the test'))
    monkeypatch.setattr(out, 'send', lambda values, stamp: sent.append(values))
    one = np.ones(2, np.float32)
    made = Commanding(
        graph.node, out, Limits(-one, one, 2 * one, 0.5), 1.0, lambda: None, lambda: False,
        CommandHistory(2, 1.0), Tally(100.0), alone=False)
    made.begin()
    yield made
    made.close()


def test_the_command_of_a_plan_leaves_before_its_planner_goes_on(
    graph: Graph, loop: Commanding, sent: list[np.ndarray], monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However busy the machine that tests is.
    monkeypatch.setattr(commanding, 'COURTESY_S', 20.0)
    left: list[int] = []

    def plan() -> None:
        for _ in range(10):
            before = len(sent)
            loop.hurry()
            left.append(len(sent) - before)

    planner = Thread(target=plan)
    planner.start()
    graph.wait(lambda: not planner.is_alive(), 'ten plans')
    assert len(left) == 10 and min(left) >= 1


def test_a_planner_does_not_wait_for_an_executor_that_hangs(
    loop: Commanding, sent: list[np.ndarray],
) -> None:
    loop.hurry()
    assert not sent
