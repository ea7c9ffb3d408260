# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A planner in a thread of its own, with a mailbox that holds only the newest frame.

It decides when to plan and which plan counts; how to plan is the planner's matter. Whoever sends
commands reads `current` at any time and never waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Condition, Thread
import time

from sparse_imagination_ros.planning.aside import Aside
from sparse_imagination_ros.planning.plan import Array, CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, Planner
from sparse_imagination_ros.planning.realtime import Garbage
from sparse_imagination_ros.tokens.frames import Frame, Picture

# A cycle takes less; one that takes longer will not end.
PATIENCE_S = 5.0
# And of one that takes so long it is said.
HANGS_S = 2.0


class Matter(Enum):
    """What a problem is about."""

    GOAL = 'goal'
    CYCLE = 'cycle'


@dataclass(frozen=True)
class Finished:
    """
    A cycle with its times: total_ms from trigger to usable plan, on the steady clock.

    On the same clock, arrived_s: when the frame that the plan came from arrived, and ended_s: when
    the plan was there. waited_ms: how long the frame of this cycle lay in the mailbox;
    handed_over_ms: how much of that the planner was idle.
    """

    cycle: Cycle
    frame: Frame
    arrived_s: float
    total_ms: float
    ended_s: float = 0.0
    waited_ms: float = 0.0
    handed_over_ms: float = 0.0


@dataclass(frozen=True)
class _Goal:
    picture: Picture
    sensed: Array | None


@dataclass(frozen=True)
class _Mail:
    goal: _Goal | None
    goal_number: int
    frame: Frame | None
    arrived_s: float
    age_s: float
    generation: int
    forget: bool
    changes: tuple[Callable[[Planner], None], ...]
    idle_s: float


class PlannerThread:
    """
    Makes a planner and runs it, all in one thread: some engines insist on that.

    Callbacks are called in this thread: on_cycle after each finished cycle, on_problem with what a
    goal or a cycle raised. timeless: whether it plans as if no time passed, and so none was short.
    """

    def __init__(
        self, make: Callable[[], Planner], sent: CommandHistory,
        on_cycle: Callable[[Finished], None], on_problem: Callable[[Matter, Exception], None],
        timeless: bool = False,
    ) -> None:
        self._make, self._sent, self._timeless = make, sent, timeless
        self._on_cycle, self._on_problem = on_cycle, on_problem
        self._change = Condition()
        self._failure: BaseException | None = None
        self._made = self._closing = self._has_goal = self._forget = False
        self._goal: _Goal | None = None
        self._goal_number = 0
        self._frame: Frame | None = None
        self._arrived_s = self._age_s = 0.0
        self._changes: list[Callable[[Planner], None]] = []
        # What became of the frames that were offered: planned from, replaced before by a newer
        # one, or dropped with their goal.
        self.planned = self.replaced = self.dropped = 0
        # Counts goals and rests: a cycle that began before the last one does not count.
        self._generation = 0
        self._current: Finished | None = None
        # What ended the thread, if it was not told to end.
        self.death: BaseException | None = None
        self._began_s: float | None = None
        self._aside: Aside | None = None
        self._thread = Thread(target=self._run, name='planner', daemon=True)

    def start(self) -> None:
        """Make the planner and wait for it; raise what making it raised."""
        self._thread.start()
        with self._change:
            self._change.wait_for(lambda: self._made)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the thread, after the cycle that runs; one that hangs is left behind."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join(PATIENCE_S)

    @property
    def current(self) -> Finished | None:
        """Return the newest plan that counts, with its cycle."""
        return self._current

    @property
    def busy_s(self) -> float:
        """How long the cycle that runs, or what an earlier one gave up, has taken so far."""
        began_s, aside = self._began_s, self._aside
        return max(0.0 if began_s is None else time.monotonic() - began_s,
                   0.0 if aside is None else aside.busy_s)

    @property
    def has_goal(self) -> bool:
        """Tell whether a goal was taken or waits to be."""
        return self._has_goal or self._goal is not None

    @property
    def has_frame(self) -> bool:
        """Tell whether a frame waits."""
        return self._frame is not None

    def set_goal(self, picture: Picture, sensed: Array | None = None) -> None:
        """Take a new goal; the plan for the old one no longer counts."""
        with self._change:
            self._replace_goal(_Goal(picture, sensed))

    def drop_goal(self) -> None:
        """Have no goal, and so no plan."""
        with self._change:
            self._replace_goal(None)

    def offer(self, frame: Frame, arrived_s: float, age_s: float = 0.0) -> None:
        """
        Offer a frame to plan from; it replaces one that still waits.

        arrived_s: when it came, on the steady clock; age_s: how long before that it was taken.
        """
        with self._change:
            self.replaced += self._frame is not None
            self._frame, self._arrived_s, self._age_s = frame, arrived_s, age_s
            self._change.notify_all()

    def change(self, change: Callable[[Planner], None]) -> None:
        """Have the planner changed before its next cycle; the plan that counts goes on."""
        with self._change:
            self._changes.append(change)
            self._change.notify_all()

    def rest(self) -> None:
        """Drop plan and frame, keep the goal; start afresh with the next frame."""
        with self._change:
            self._forget = True
            self._drop()

    def _replace_goal(self, goal: _Goal | None) -> None:
        self._goal, self._has_goal = goal, False
        self._goal_number += 1
        self._drop()

    def _drop(self) -> None:
        self._generation += 1
        self.dropped += self._frame is not None
        self._current = self._frame = None
        self._change.notify_all()

    def _run(self) -> None:
        try:
            planner = self._make()
            self._aside = planner.aside
        except BaseException as failure:
            self._failure = failure
            return
        finally:
            with self._change:
                self._made = True
                self._change.notify_all()
        try:
            with Garbage() as garbage:
                self._work(planner, garbage)
        except BaseException as death:
            self.death = death
            self._current = None

    def _work(self, planner: Planner, garbage: Garbage) -> None:
        newest_s = float('-inf')
        while (mail := self._next_mail()) is not None:
            for change in mail.changes:
                self._apply(planner, change)
            if mail.goal is not None:
                self._take_goal(planner, mail.goal, mail.goal_number)
            elif mail.frame is not None:
                # A clock that went back: what was seen later has not happened yet.
                if mail.forget or mail.frame.stamp_s < newest_s:
                    planner.forget()
                newest_s = mail.frame.stamp_s
                self._take_frame(planner, mail.frame, mail)
                garbage.sweep()

    def _next_mail(self) -> _Mail | None:
        idle_s = time.monotonic()
        with self._change:
            self._change.wait_for(
                lambda: self._closing or self._changes or self._goal is not None
                or (self._frame is not None and self._has_goal))
            if self._closing:
                return None
            mail = _Mail(
                self._goal, self._goal_number, self._frame if self._has_goal else None,
                self._arrived_s, self._age_s, self._generation, self._forget,
                tuple(self._changes), idle_s)
            self._changes.clear()
            if self._goal is not None:
                # Its frame waits for the goal.
                self._goal = None
            elif mail.frame is not None:
                self._frame, self._forget = None, False
                self.planned += 1
            return mail

    def _apply(self, planner: Planner, change: Callable[[Planner], None]) -> None:
        try:
            change(planner)
        except Exception as problem:
            self._on_problem(Matter.CYCLE, problem)

    def _take_goal(self, planner: Planner, goal: _Goal, number: int) -> None:
        try:
            planner.set_goal(goal.picture, goal.sensed)
        except Exception as problem:
            self._on_problem(Matter.GOAL, problem)
            return
        with self._change:
            # A newer goal, or the wish to have none, may have come meanwhile.
            self._has_goal = number == self._goal_number

    def _take_frame(self, planner: Planner, frame: Frame, mail: _Mail) -> None:
        began_s = self._began_s = time.monotonic()
        try:
            if self._timeless:
                cycle = planner.plan(frame, self._sent)
            else:
                cycle = planner.plan(
                    frame, self._sent, began_s + planner.budget_s,
                    max(0.0, mail.age_s + began_s - mail.arrived_s))
            ended_s = time.monotonic()
            with self._change:
                if mail.generation != self._generation:
                    return
                last, arrived_s = self._current, mail.arrived_s
                if last is not None and last.cycle.plan is cycle.plan:
                    # The last plan goes on: it is no younger for that.
                    arrived_s = last.arrived_s
                finished = Finished(
                    cycle, frame, arrived_s, 1000 * (ended_s - began_s), ended_s,
                    1000 * (began_s - mail.arrived_s),
                    1000 * (began_s - max(mail.arrived_s, mail.idle_s)))
                self._current = finished
            self._on_cycle(finished)
        except Exception as problem:
            with self._change:
                self._current = None
            self._on_problem(Matter.CYCLE, problem)
        finally:
            self._began_s = None
