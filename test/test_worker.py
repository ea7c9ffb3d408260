# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The planner's thread: the newest frame counts, an old goal does not, and errors do not kill."""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from threading import Event
import time

import numpy as np
import pytest

from sparse_imagination_ros.errors import BundleError, FrameError
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, Planner, PlannerConfig
from sparse_imagination_ros.planning.worker import Finished, Matter, PlannerThread
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle

BLANK = np.zeros((224, 224, 3), np.uint8)


class Held(Planner):
    """The real planner, which can be made to think for as long as a test likes."""

    def __init__(self, bundle: Bundle) -> None:
        self.go, self.thinking = Event(), Event()
        self.go.set()
        super().__init__(bundle, PlannerConfig(
            tokens=4, candidates=8, iterations=1, steps=3))
        self.thinking.clear()

    def plan(
        self, frame: Frame, sent: CommandHistory, deadline_s: float = inf, waited_s: float = 0.0,
    ) -> Cycle:
        self.thinking.set()
        self.go.wait()
        self.waited_s = waited_s
        return super().plan(frame, sent, deadline_s, waited_s)


class Scene:
    """A worker with its real planner."""

    def __init__(self, bundle: Bundle) -> None:
        self.finished: list[Finished] = []
        self.problems: list[tuple[Matter, Exception]] = []
        self._bundle = bundle
        self.worker = PlannerThread(
            self._make, CommandHistory(2, 5.0), self.finished.append,
            lambda matter, problem: self.problems.append((matter, problem)))
        self.worker.start()

    def _make(self) -> Planner:
        self.planner = Held(self._bundle)
        return self.planner

    def offer(self, stamp_s: float, picture: Picture = BLANK) -> None:
        self.worker.offer(Frame(stamp_s, picture), time.monotonic())

    def wait_for(self, something: list[object], count: int = 1) -> None:
        end_s = time.monotonic() + 30
        while len(something) < count:
            assert time.monotonic() < end_s, 'waited in vain'
            time.sleep(0.005)


@pytest.fixture
def scene(untrained: Path) -> Iterator[Scene]:
    scene = Scene(Bundle.load(untrained))
    yield scene
    scene.planner.go.set()
    scene.worker.close()


def test_a_frame_waits_for_a_goal(scene: Scene) -> None:
    scene.offer(1.0)
    time.sleep(0.1)
    assert not scene.finished and not scene.worker.has_goal
    scene.worker.set_goal(BLANK)
    scene.offer(2.0)
    scene.wait_for(scene.finished)
    current = scene.worker.current
    assert current is not None and current.frame.stamp_s == 2.0 and current.total_ms > 0
    assert current.cycle.plan.frame_stamp_s == 2.0 and scene.worker.has_goal


def test_only_the_newest_of_waiting_frames_is_planned_from(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.planner.go.clear()
    scene.offer(1.0)
    scene.planner.thinking.wait(10)
    for stamp_s in (1.1, 1.2, 1.3):
        scene.offer(stamp_s)
    scene.planner.go.set()
    scene.wait_for(scene.finished, 2)
    assert [f.frame.stamp_s for f in scene.finished] == [1.0, 1.3]


def test_the_wait_of_a_frame_counts_from_when_it_was_taken(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.worker.offer(Frame(1.0, BLANK), time.monotonic() - 0.2, age_s=0.3)
    scene.wait_for(scene.finished)
    assert 0.5 <= scene.planner.waited_s < 5.0


def test_a_plan_for_an_old_goal_never_counts(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.planner.go.clear()
    scene.offer(1.0)
    scene.planner.thinking.wait(10)
    scene.worker.set_goal(BLANK + np.uint8(9))
    scene.planner.go.set()
    scene.offer(1.1)
    scene.wait_for(scene.finished)
    assert [f.frame.stamp_s for f in scene.finished] == [1.1]


def test_at_rest_there_is_no_plan_and_the_goal_stays(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.offer(1.0)
    scene.wait_for(scene.finished)
    scene.worker.rest()
    assert scene.worker.current is None and scene.worker.has_goal
    scene.offer(2.0)
    scene.wait_for(scene.finished, 2)
    assert scene.worker.current is not None


def test_a_bad_goal_is_reported_and_leaves_none(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.offer(1.0)
    scene.wait_for(scene.finished)
    scene.worker.set_goal(BLANK[:9])
    scene.wait_for(scene.problems)
    matter, problem = scene.problems[0]
    assert matter is Matter.GOAL and isinstance(problem, FrameError)
    assert scene.worker.current is None and not scene.worker.has_goal


def test_a_bad_frame_is_reported_and_the_next_one_counts(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.offer(1.0, BLANK[:9])
    scene.wait_for(scene.problems)
    assert scene.problems[0][0] is Matter.CYCLE and scene.worker.current is None
    scene.offer(1.1)
    scene.wait_for(scene.finished)


def test_a_clock_that_goes_back_is_survived(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    for count, stamp_s in enumerate((5.0, 5.1, 1.0, 1.1), 1):
        scene.offer(stamp_s)
        scene.wait_for(scene.finished, count)
    assert not scene.problems and scene.finished[-1].cycle.plan.frame_stamp_s == 1.1


def test_what_stops_a_planner_from_being_made_is_raised_where_it_is_started() -> None:
    def fail() -> Planner:
        raise BundleError('the bundle is no good')

    worker = PlannerThread(fail, CommandHistory(2, 5.0), print, print)
    with pytest.raises(BundleError, match='no good'):
        worker.start()
    worker.close()


def test_a_change_comes_before_the_next_cycle_and_keeps_the_plan_that_counts(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.offer(1.0)
    scene.wait_for(scene.finished)
    changed: list[object] = []
    scene.worker.change(changed.append)
    scene.wait_for(changed)
    assert changed == [scene.planner] and scene.worker.current is scene.finished[0]
    scene.offer(1.1)
    scene.wait_for(scene.finished, 2)


def test_a_change_that_fails_is_reported_and_planning_goes_on(scene: Scene) -> None:
    def fail(planner: Planner) -> None:
        raise BundleError('no such setting')

    scene.worker.set_goal(BLANK)
    scene.worker.change(fail)
    scene.wait_for(scene.problems)
    scene.offer(1.0)
    scene.wait_for(scene.finished)


def test_frames_that_were_replaced_are_counted_and_waits_are_told(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.planner.go.clear()
    scene.offer(1.0)
    scene.planner.thinking.wait(10)
    for stamp_s in (1.1, 1.2, 1.3):
        scene.offer(stamp_s)
    time.sleep(0.05)
    scene.planner.go.set()
    scene.wait_for(scene.finished, 2)
    assert scene.worker.replaced == 2
    waited = scene.finished[1]
    assert waited.waited_ms >= 50 > 0 <= waited.handed_over_ms < waited.waited_ms


def test_what_became_of_each_frame_is_counted(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.planner.go.clear()
    scene.offer(1.0)
    scene.planner.thinking.wait(10)
    for stamp_s in (1.1, 1.2):
        scene.offer(stamp_s)
    assert scene.worker.has_frame
    scene.worker.rest()
    scene.planner.go.set()
    scene.offer(1.3)
    scene.wait_for(scene.finished)
    worker = scene.worker
    assert (worker.planned, worker.replaced, worker.dropped, worker.has_frame) == (2, 1, 1, False)


def test_a_thread_that_died_says_of_what(scene: Scene) -> None:
    def die(_: Planner) -> None:
        raise SystemExit('killed')

    scene.worker.set_goal(BLANK)
    scene.offer(1.0)
    scene.wait_for(scene.finished)
    assert scene.worker.death is None
    scene.worker.change(die)
    end_s = time.monotonic() + 30
    while scene.worker.death is None:
        assert time.monotonic() < end_s
        time.sleep(0.005)
    assert isinstance(scene.worker.death, SystemExit) and scene.worker.current is None


def test_it_tells_how_long_a_cycle_runs(scene: Scene) -> None:
    scene.worker.set_goal(BLANK)
    scene.planner.go.clear()
    scene.offer(1.0)
    scene.planner.thinking.wait(10)
    time.sleep(0.05)
    assert scene.worker.busy_s >= 0.05
    scene.planner.go.set()
    scene.wait_for(scene.finished)
    end_s = time.monotonic() + 30
    while scene.worker.busy_s:
        assert time.monotonic() < end_s
        time.sleep(0.005)
