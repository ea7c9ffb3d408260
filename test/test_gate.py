# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever the plan says, only what is allowed leaves the gate."""

from dataclasses import replace
from threading import Thread
import time

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from sparse_imagination_ros.planning.gate import Gate, GateState, Limits, Rung
from sparse_imagination_ros.planning.plan import Plan

LIMITS = Limits(
    low=np.float32([-1, -1]), high=np.float32([1, 1]), acceleration=np.float32([2, 2]),
    staleness_s=0.5)
PERIOD_S = 0.05


def plan_of(*action: float, stamp_s: float = 0.0) -> Plan:
    return Plan(stamp_s, stamp_s, 10.0, np.float32([action]))


def run(gate: Gate, plan: Plan | None, start_s: float, count: int, **kwargs):
    return [gate.command(plan, start_s + i * PERIOD_S, **kwargs) for i in range(count)]


def test_no_plan_means_no_motion():
    command = Gate(LIMITS).command(None, 0.0)
    assert command.state is GateState.NO_PLAN
    assert not command.values.any()


def test_random_plans_never_pass_a_limit():
    rng = np.random.default_rng(0)
    gate, last = Gate(LIMITS), np.zeros(2)
    for number in range(2000):
        now_s = number * PERIOD_S
        values = gate.command(plan_of(*rng.normal(0, 3, 2), stamp_s=now_s), now_s).values
        assert (np.abs(values) <= 1).all()
        assert (np.abs(values - last) <= 2 * PERIOD_S + 1e-5).all()
        last = values


def test_the_first_command_may_not_jump():
    assert not Gate(LIMITS).command(plan_of(1, 1), 0.0).values.any()


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_plan_that_is_not_finite_brings_the_robot_to_rest(bad):
    gate = Gate(LIMITS)
    assert run(gate, plan_of(1, 1), 0.0, 6)[-1].values.any()
    commands = run(gate, plan_of(1, bad, stamp_s=0.3), 0.3, 10)
    assert {c.state for c in commands} == {GateState.NOT_FINITE}
    assert np.isfinite([c.values for c in commands]).all()
    assert not commands[-1].values.any()


def test_a_stale_plan_slows_the_robot_down_within_its_limits():
    gate = Gate(LIMITS)
    commands = run(gate, plan_of(1, 0), 0.0, 40)
    speeds = [float(c.values[0]) for c in commands]
    assert commands[10].state is GateState.DRIVING
    assert commands[11].state is GateState.STALE
    assert speeds[-1] == 0
    assert np.abs(np.diff(speeds)).max() <= 2 * PERIOD_S + 1e-5


def test_a_plan_from_the_future_is_not_trusted():
    assert Gate(LIMITS).command(plan_of(1, 1, stamp_s=5.0), 0.0).state is GateState.STALE


def test_a_clock_that_stands_still_does_not_keep_a_plan_fresh():
    gate, plan = Gate(LIMITS), plan_of(1, 0)
    states = [gate.command(plan, 0.1, steady_s=i * PERIOD_S, arrived_s=0.0).state
              for i in range(20)]
    assert states[5] is GateState.DRIVING
    assert states[-1] is GateState.STALE


def test_stop_stands_above_a_good_plan():
    gate = Gate(LIMITS)
    run(gate, plan_of(1, 1), 0.0, 5)
    commands = run(gate, plan_of(1, 1, stamp_s=0.25), 0.25, 15, stopped=True)
    assert commands[-1].state is GateState.STOPPED
    assert not commands[-1].values.any()


def test_a_long_pause_allows_no_jump():
    gate = Gate(LIMITS)
    gate.command(plan_of(0, 0), 0.0)
    values = gate.command(plan_of(1, 1, stamp_s=60.0), 60.0).values
    assert (values <= 0.2 + 1e-6).all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 0.4), st.booleans(), st.floats(-2, 2)), max_size=60))
def test_a_robot_comes_down_the_ladder_rung_by_rung(steps):
    gate = Gate(replace(LIMITS, fresh_s=0.2))
    now_s, plan, last, speed = 0.0, None, Rung.STANDING, 0.0
    for elapsed_s, planned, action in steps:
        now_s += elapsed_s
        if planned:
            plan = plan_of(action, action, stamp_s=now_s)
        command = gate.command(plan, now_s)
        faster = float(np.abs(command.values).max()) > speed + 1e-6
        age_s = np.inf if plan is None else now_s - plan.frame_stamp_s
        if age_s <= 0.2:
            assert command.rung is Rung.FRESH
        elif age_s <= 0.5:
            assert command.rung is Rung.SLIDING
        else:
            assert command.rung is (Rung.SLOWING if command.values.any() else Rung.STANDING)
            assert not faster
            assert not (last is Rung.STANDING and command.rung is Rung.SLOWING)
        assert np.abs(command.values).max() <= 1
        last, speed = command.rung, float(np.abs(command.values).max())


def test_a_watchdog_may_ask_while_the_commands_go_on():
    gate, steps = Gate(LIMITS), []

    def ask() -> None:
        for _ in range(300):
            now_s = time.monotonic()
            steps.append((now_s, gate.command(plan_of(1, 1, stamp_s=now_s), now_s).values))

    threads = [Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.isfinite([values for _, values in steps]).all()
    took_s = max(now for now, _ in steps) - min(now for now, _ in steps)
    assert max(values.max() for _, values in steps) <= 2 * took_s + 1e-4


def test_other_limits_act_at_once_and_within_the_acceleration():
    gate = Gate(LIMITS)
    assert run(gate, plan_of(1, 1), 0.0, 11)[-1].values == pytest.approx([1, 1], abs=1e-5)
    gate.change(replace(LIMITS, high=np.float32([0.2, 1]), staleness_s=5.0))
    commands = run(gate, plan_of(1, 1), 0.55, 12)
    first = [c.values[0] for c in commands]
    assert (np.abs(np.diff(first)) <= 2 * PERIOD_S + 1e-5).all()
    assert first[-1] == pytest.approx(0.2) and commands[-1].values[1] == pytest.approx(1)
    assert commands[-1].state is GateState.DRIVING, 'the new staleness counts, too'


def test_after_a_silence_it_goes_on_from_what_braking_has_left() -> None:
    gate = Gate(replace(LIMITS, silence_s=0.3))
    assert run(gate, plan_of(1, 1), 0.0, 11)[-1].values == pytest.approx([1, 1], abs=1e-5)
    # The base has stopped by itself: what it was told before counts no more.
    values = gate.command(plan_of(1, 1, stamp_s=9.0), 9.0).values
    assert values == pytest.approx([0.2, 0.2], abs=1e-5)
    stale = Gate(replace(LIMITS, silence_s=0.3))
    run(stale, plan_of(1, 1), 0.0, 11)
    assert not stale.command(plan_of(1, 1), 9.0).values.any()


def test_a_tick_that_is_late_is_no_silence() -> None:
    gate = Gate(replace(LIMITS, silence_s=0.3))
    run(gate, plan_of(1, 1), 0.0, 11)
    assert gate.command(plan_of(1, 1, stamp_s=0.5), 0.75).values == pytest.approx([1, 1])
