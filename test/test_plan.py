# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plans and sent commands are read by time."""

import numpy as np

from sparse_imagination_ros.planning.plan import CommandHistory, Plan

ACTIONS = np.float32([[1], [2], [3]])
PLAN = Plan(frame_stamp_s=10.0, start_s=10.0, step_s=0.5, actions=ACTIONS)


def test_each_action_holds_for_its_step():
    assert [float(PLAN.at(t)[0]) for t in (10.0, 10.49, 10.5, 11.2)] == [1, 1, 2, 3]


def test_before_its_start_a_plan_gives_its_first_action_and_after_its_end_none():
    assert PLAN.at(9.0) == 1
    assert PLAN.at(11.5) == 0


def test_a_late_plan_is_slid_not_replayed():
    assert PLAN.slid(10.5)[:, 0].tolist() == [2, 3, 3]
    assert PLAN.slid(10.25)[:, 0].tolist() == [1.5, 2.5, 3]


def test_a_plan_slid_past_its_end_holds_the_last_action():
    assert PLAN.slid(100.0)[:, 0].tolist() == [3, 3, 3]


def test_the_mean_command_weighs_by_time():
    sent = CommandHistory(1, span_s=5.0)
    sent.add(1.0, np.float32([2]))
    sent.add(1.5, np.float32([4]))
    assert sent.mean(1.0, 2.0) == 3
    assert sent.mean(1.5, 2.5) == 4


def test_nothing_was_commanded_before_the_first_command():
    sent = CommandHistory(1, span_s=5.0)
    assert sent.mean(0.0, 1.0) == 0
    sent.add(1.0, np.float32([2]))
    assert sent.mean(0.5, 1.5) == 1


def test_the_mean_over_a_moment_is_the_command_that_was_in_force():
    sent = CommandHistory(1, span_s=5.0)
    assert sent.mean(1.0, 1.0) == 0
    sent.add(1.0, np.float32([2]))
    sent.add(1.5, np.float32([4]))
    assert [float(sent.mean(at_s, at_s)[0]) for at_s in (0.5, 1.2, 1.5)] == [0, 2, 4]


def test_an_interval_can_be_averaged_in_parts():
    sent = CommandHistory(1, span_s=5.0)
    sent.add(1.0, np.float32([2]))
    sent.add(1.75, np.float32([4]))
    assert sent.means(1.0, 2.0, 2).tolist() == [[2], [3]]


def test_commands_older_than_the_span_are_forgotten_but_not_the_one_that_still_acts():
    sent = CommandHistory(1, span_s=1.0)
    for second in range(100):
        sent.add(float(second), np.float32([second]))
    assert sent.mean(98.0, 99.0) == 98
    assert len(sent._sent) <= 3
