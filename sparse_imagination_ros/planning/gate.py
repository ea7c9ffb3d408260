# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last room before the motors: no command reaches a robot without passing here."""

from dataclasses import dataclass
from enum import Enum
from math import inf
from threading import Lock

import numpy as np

from sparse_imagination_ros.planning.plan import Array, Plan

# However late a command is, its change is limited as if the one before were at most this old.
LONGEST_STEP_S = 0.1


@dataclass(frozen=True)
class Limits:
    """
    What a command may be. low, high, acceleration: [A]; acceleration is per second.

    A plan is fresh while its frame is younger than fresh_s, goes on while it is younger than
    staleness_s, and then no longer counts. A base that heard nothing for silence_s has stopped, or
    is stopping, by itself.
    """

    low: Array
    high: Array
    acceleration: Array
    staleness_s: float
    fresh_s: float = inf
    silence_s: float = inf


class Rung(Enum):
    """How much of the plan is left in a command: the ladder that a robot comes down."""

    FRESH = 'fresh plan'
    SLIDING = 'last plan goes on'
    SLOWING = 'slowing down'
    STANDING = 'standing'


class GateState(Enum):
    """Why a command is what it is."""

    DRIVING = 'driving'
    NO_PLAN = 'no plan yet'
    STALE = 'no fresh frame within the staleness limit'
    NOT_FINITE = 'the plan holds values that are not finite'
    STOPPED = 'stopped'


@dataclass(frozen=True)
class Command:
    """What goes to the robot: values [A], why, and where on the ladder it is."""

    values: Array
    state: GateState
    rung: Rung


class Gate:
    """
    Reads the plan at now and lets through what is allowed; else brings the robot to rest.

    Safe between threads: a watchdog may ask it when the loop of the commands does not.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, Lock()
        self._last = np.zeros_like(limits.low)
        self._last_s: float | None = None

    def change(self, limits: Limits) -> None:
        """Let through what is within other limits; a faster robot is slowed down to them."""
        with self._lock:
            self._limits = limits

    def command(
        self, plan: Plan | None, now_s: float, stopped: bool = False,
        steady_s: float | None = None, arrived_s: float | None = None,
    ) -> Command:
        """
        Return the command for this moment. `now_s` is on the clock of the plan's stamps.

        That clock may stand still or jump, as simulated time does. `steady_s` is now on one that
        cannot, and `arrived_s` on the same clock is when the plan's frame arrived: staleness is
        judged by both clocks, and the change of commands is limited by the steady one.
        """
        with self._lock:
            return self._command(plan, now_s, stopped, steady_s, arrived_s)

    def _command(
        self, plan: Plan | None, now_s: float, stopped: bool, steady_s: float | None,
        arrived_s: float | None,
    ) -> Command:
        steady_s = now_s if steady_s is None else steady_s
        state = self._judge(plan, now_s, stopped)
        waited_s = 0.0 if arrived_s is None else steady_s - arrived_s
        if state is GateState.DRIVING and not waited_s <= self._limits.staleness_s:
            state = GateState.STALE
        wanted = np.zeros_like(self._last)
        if state is GateState.DRIVING:
            assert plan is not None
            wanted = np.clip(plan.at(now_s), self._limits.low, self._limits.high)
        values = self._limit_rate(wanted, steady_s)
        if state is not GateState.DRIVING:
            return Command(values, state, Rung.SLOWING if values.any() else Rung.STANDING)
        assert plan is not None
        age_s = max(abs(now_s - plan.frame_stamp_s), waited_s)
        fresh = age_s <= self._limits.fresh_s
        return Command(values, state, Rung.FRESH if fresh else Rung.SLIDING)

    def _judge(self, plan: Plan | None, now_s: float, stopped: bool) -> GateState:
        if stopped:
            return GateState.STOPPED
        if plan is None:
            return GateState.NO_PLAN
        # A stamp from the future is as wrong as an old one: two clocks disagree.
        if not abs(now_s - plan.frame_stamp_s) <= self._limits.staleness_s:
            return GateState.STALE
        if not np.isfinite(plan.at(now_s)).all():
            return GateState.NOT_FINITE
        return GateState.DRIVING

    def _limit_rate(self, wanted: Array, now_s: float) -> Array:
        # The first command, and one after a clock that stood still or went back, may not jump.
        elapsed_s = 0.0 if self._last_s is None else max(0.0, now_s - self._last_s)
        if elapsed_s > self._limits.silence_s:
            # It goes on from what is left then, or it would jump.
            braked = self._limits.acceleration * np.float32(elapsed_s)
            self._last = np.sign(self._last) * np.maximum(np.abs(self._last) - braked, 0)
        step = self._limits.acceleration * np.float32(min(elapsed_s, LONGEST_STEP_S))
        if self._last_s is None or not 0 <= self._last_s - now_s < LONGEST_STEP_S:
            # Two threads may come in another order than they looked at the clock.
            self._last_s = now_s
        self._last = np.clip(wanted, self._last - step, self._last + step).astype(np.float32)
        return self._last.copy()
