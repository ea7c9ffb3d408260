# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The audit lets good commands pass and counts bad ones."""

import numpy as np
import pytest

from sparse_imagination_ros.evaluation.audit import Audit, SLACK_S
from sparse_imagination_ros.planning.gate import Gate, Limits
from sparse_imagination_ros.planning.plan import Plan
from sparse_imagination_ros.sim.robots import robot

BASE = robot('omnidirectional')
TOP, HARDEST = BASE.limit[0], BASE.acceleration[0]


def audited(*commands: tuple[float, float]) -> Audit:
    audit = Audit(BASE)
    for sent_s, speed in commands:
        audit.add(sent_s, np.array([speed, 0.0]))
    return audit


def test_what_the_gate_lets_through_passes() -> None:
    high, acceleration = np.float32(BASE.limit), np.float32(BASE.acceleration)
    gate = Gate(Limits(-high, high, acceleration, 0.5))
    audit, random = Audit(BASE), np.random.default_rng(0)
    for tick in range(200):
        now_s = 0.05 * tick
        plan = Plan(now_s, now_s, 0.1, random.uniform(-3, 3, (5, 2)).astype(np.float32))
        late_s = random.uniform(0, SLACK_S)
        assert audit.add(now_s + late_s, gate.command(plan, now_s).values.astype(float))
    assert (audit.commands, audit.outside) == (200, 0)
    assert audit.rate_hz == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize('speed', [TOP * 1.01, -TOP * 1.01, float('nan'), float('inf')])
def test_a_command_beyond_the_limits_counts(speed: float) -> None:
    assert audited((0.0, 0.0), (5.0, speed)).outside == 1


def test_a_jump_counts_and_a_ramp_does_not() -> None:
    step = HARDEST * 0.05
    assert audited((0.0, 0.0), (0.05, step), (0.10, 2 * step)).outside == 0
    assert audited((0.0, 0.0), (0.05, 2.5 * step)).outside == 1
    assert audited((0.0, TOP)).outside == 1, 'a robot starts at rest'


def test_a_motion_that_the_robot_does_not_have_counts() -> None:
    audit = Audit(BASE)
    assert not audit.add(0.0, np.zeros(2), rest=0.1)


def test_the_rate_of_a_single_command_is_zero() -> None:
    assert audited((1.0, 0.0)).rate_hz == 0.0


def test_after_a_silence_in_which_the_base_has_stopped_a_command_may_not_jump() -> None:
    ramp = [(0.05 * tick, min(TOP, HARDEST * 0.05 * tick)) for tick in range(20)]
    assert audited(*ramp, (4.0, 0.5 * TOP)).outside == 1
    assert audited(*ramp, (4.0, 0.25)).outside == 0
    assert audited(*ramp, (4.0, 0.0)).outside == 0


def test_after_a_silence_a_base_may_be_told_to_rest_at_once_but_not_to_turn_back() -> None:
    ramp = [(0.05 * tick, min(TOP, HARDEST * 0.05 * tick)) for tick in range(20)]
    ended_s = ramp[-1][0]
    assert audited(*ramp, (ended_s + 0.32, 0.0)).outside == 0
    assert audited(*ramp, (ended_s + 0.32, -0.5 * TOP)).outside == 1
