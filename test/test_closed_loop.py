# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The closed loop in virtual time is fair to a planner, and charges it for every millisecond."""

from dataclasses import replace

from guide import Guide, limits_of
import numpy as np
import pytest

from sparse_imagination_ros.evaluation.closed_loop import (
    drive_episode,
    drive_episodes,
    Episode,
    LoopConfig,
    score,
)
from sparse_imagination_ros.sim.rooms import Rooms

SEED = 9000


def drive(latency_ms: float, config: LoopConfig = LoopConfig()) -> tuple[Episode, Guide]:
    world = Rooms('omnidirectional')
    guide = Guide(world)
    limits = limits_of(world, config.staleness_s)
    return drive_episode(world, guide, limits, SEED, config, lambda _: latency_ms), guide


def test_a_planner_in_time_reaches_goals_behind_unseen_doors() -> None:
    world = Rooms('omnidirectional')
    episodes = list(drive_episodes(world, Guide(world), limits_of(world), range(SEED, SEED + 8)))
    assert [episode.seed for episode in episodes] == list(range(SEED, SEED + 8))
    assert all(episode.success for episode in episodes)
    assert all(episode.away <= 1 for episode in episodes)


def test_the_same_latencies_give_the_same_drive() -> None:
    first, _ = drive(70.0)
    second, _ = drive(70.0)
    np.testing.assert_array_equal(first.path, second.path)
    assert first.seconds == second.seconds
    assert first.cycle_ms == second.cycle_ms


def test_the_clock_of_this_machine_counts_when_nothing_else_is_given() -> None:
    world = Rooms('omnidirectional')
    guide = Guide(world, total_ms=55.0)
    assert set(drive_episode(world, guide, limits_of(world), SEED).cycle_ms) == {55.0}


def test_nothing_moves_before_the_first_plan_is_ready() -> None:
    early, _ = drive(10.0)
    late, _ = drive(310.0)
    moved = [np.hypot(*(e.path[:, :2] - e.path[0, :2]).T) > 1e-6 for e in (early, late)]
    first = [int(np.argmax(m)) / 20 for m in moved]
    assert first[1] - first[0] == pytest.approx(0.3, abs=0.051)


def test_the_world_keeps_moving_while_the_planner_thinks() -> None:
    _, guide = drive(250.0)
    started = [now for now, _ in guide.asked]
    assert np.diff(started).min() >= 0.24
    assert started[-1] > 1.0


def test_a_busy_planner_takes_the_newest_frame_when_it_is_idle_again() -> None:
    _, guide = drive(250.0)
    # Frames come every 100 ms: the newest is never older, however many came meanwhile.
    assert max(now - stamp for now, stamp in guide.asked) < 0.1 + 0.02
    assert len({stamp for _, stamp in guide.asked}) == len(guide.asked)


def test_a_fast_planner_waits_for_the_camera() -> None:
    _, guide = drive(5.0)
    np.testing.assert_allclose(np.diff([stamp for _, stamp in guide.asked]), 0.1)


def test_a_late_camera_shows_the_past() -> None:
    _, guide = drive(5.0, LoopConfig(camera_latency_s=0.15))
    for now, stamp in guide.asked:
        assert now - stamp == pytest.approx(0.15, abs=0.021)


def test_a_planner_slower_than_the_staleness_limit_never_moves_the_robot() -> None:
    episode, _ = drive(600.0, LoopConfig(time_limit_s=5.0))
    assert not episode.success
    assert episode.seconds == pytest.approx(5.0)
    np.testing.assert_array_equal(episode.path[0], episode.path[-1])


def test_a_score_counts_goals_and_misses() -> None:
    fast, _ = drive(40.0)
    slow, _ = drive(600.0, LoopConfig(time_limit_s=3.0))
    row = score(16, [fast, replace(fast, seed=1), slow], budget_ms=100.0)
    assert (row.tokens, row.episodes) == (16, 3)
    assert row.success == pytest.approx(2 / 3)
    assert row.low < row.success < row.high
    assert row.cycles == 2 * len(fast.cycle_ms) + len(slow.cycle_ms)
    assert row.deadline_misses == len(slow.cycle_ms)
    assert row.cycle_ms.p50 == 40.0
    assert row.cycle_ms.slowest == 600.0
    assert row.median_s == fast.seconds
