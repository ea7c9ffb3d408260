# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded pictures and numbers become episodes at the steps of a model; breaks stay breaks."""

import numpy as np
import pytest

from sparse_imagination_ros.bags.resample import (
    Clock,
    mean_commands,
    steps,
    stretches,
    values_at,
)

NONE = np.full(1, np.nan)
NEVER = np.zeros(0)


def test_a_steady_camera_is_one_stretch():
    (piece,) = stretches(np.arange(50) / 10, NEVER, 0.5)
    assert piece.tolist() == list(range(50))


def test_missing_pictures_cut_a_stretch_only_if_a_step_is_lost():
    assert len(stretches(np.delete(np.arange(50) / 10, [10, 11]), NEVER, 0.5)) == 1
    assert len(stretches(np.delete(np.arange(50) / 10, range(10, 17)), NEVER, 0.5)) == 2


def test_a_new_scene_cuts_a_stretch_between_two_pictures():
    before, middle, after = stretches(np.arange(50) / 10, np.array([2.95, 1.0]), 0.5)
    assert (before.tolist(), middle[0], after.tolist()) == (
        list(range(10)), 10, list(range(30, 50)))


def test_pictures_in_the_wrong_order_are_put_in_order():
    (piece,) = stretches(np.array([0.0, 0.1, 0.3, 0.2, 0.4]), NEVER, 0.5)
    assert piece.tolist() == [0, 1, 3, 2, 4]


def test_nothing_is_no_stretch():
    assert stretches(np.zeros(0), NEVER, 0.5) == []
    assert Clock(np.zeros(0), np.zeros(0), 0.5).jumps == 0


def test_stamps_of_the_clock_of_the_recording_date_pictures_and_nothing_else():
    recorded = 100 + np.arange(10) / 10
    clock = Clock(recorded, recorded - 0.08, 0.5)
    assert np.allclose(clock.times, recorded - 0.08)
    assert clock.of(recorded[3:4], NONE) == pytest.approx(recorded[3])
    # Odometry that has a stamp of its own is dated by it.
    assert clock.of(recorded[3:4], recorded[3:4] - 0.02) == pytest.approx(recorded[3] - 0.02)


def test_stamps_of_another_clock_date_all():
    recorded = 100 + np.arange(10) / 10
    # Simulated time at half the speed.
    clock = Clock(recorded, np.arange(10) / 20, 0.5)
    assert np.allclose(clock.times, np.arange(10) / 20)
    assert clock.of(recorded[4:5], NONE) == pytest.approx(0.2)
    assert clock.of(recorded[4:5], np.array([0.21])) == pytest.approx(0.21)
    # A stamp that fits no clock is not believed.
    assert clock.of(recorded[4:5], np.array([7777.0])) == pytest.approx(0.2)


def test_pictures_without_stamps_are_dated_by_their_recording():
    recorded = 100 + np.arange(10) / 10
    assert np.allclose(Clock(recorded, np.full(10, np.nan), 0.5).times, recorded)


@pytest.mark.parametrize('second', [np.arange(10) / 10, 900 + np.arange(10) / 10])
def test_what_lies_after_a_jump_of_the_clock_is_kept_apart(second):
    recorded = 100 + np.arange(20) / 10
    clock = Clock(recorded, np.concatenate([50 + np.arange(10) / 10, second]), 0.5)
    assert clock.jumps == 1
    assert [len(piece) for piece in stretches(clock.times, NEVER, 0.5)] == [10, 10]
    before, after = clock.of(recorded[[9, 10]], np.full(2, np.nan))
    assert after - before > 1000


def test_pictures_that_were_recorded_late_are_no_jump():
    stamped = 100 + np.arange(30) / 10
    recorded = stamped + 0.05
    # The disk was busy for two seconds.
    recorded[5:25] = recorded[25]
    clock = Clock(recorded, stamped, 0.5)
    assert clock.jumps == 0
    assert len(stretches(clock.times, NEVER, 0.5)) == 1


def test_each_picture_of_a_fast_camera_begins_or_continues_an_episode():
    times = np.arange(50) / 10
    episodes = steps(times, np.arange(50), 0.5)
    assert len(episodes) == 5
    assert sorted(np.concatenate(episodes)) == list(range(50))
    for episode in episodes:
        assert np.allclose(np.diff(times[episode]), 0.5)


def test_an_uneven_camera_gives_the_pictures_nearest_to_the_steps():
    rng = np.random.default_rng(0)
    times = np.arange(60) / 30 + rng.uniform(-0.01, 0.01, 60)
    for episode in steps(times, np.arange(60), 0.4):
        assert np.abs(times[episode] - times[episode[0]] - 0.4 * np.arange(len(episode))).max(
            ) < 0.04


def test_an_episode_ends_where_no_picture_is_near_enough():
    times = np.array([0.0, 0.5, 1.0, 1.7, 2.0, 2.5])
    # At 1.5 there is none within an eighth of a second.
    assert [episode.tolist() for episode in steps(times, np.arange(6), 0.5)] == [[0, 1, 2], [4, 5]]


def test_a_single_picture_is_no_episode():
    assert steps(np.array([3.0]), np.array([0]), 0.5) == []


def means(at, commands, times, hold_s=10.0) -> list[float]:
    values = np.array(commands, np.float32).reshape(-1, 1)
    return mean_commands(np.array(at), values, np.array(times), hold_s)[:, 0].tolist()


def test_commands_are_averaged_over_the_time_that_they_held():
    assert means([0.0, 0.25], [1.0, 3.0], [0.0, 0.5, 1.0]) == pytest.approx([2.0, 3.0])


def test_commands_in_the_wrong_order_are_put_in_order():
    assert means([0.25, 0.0], [3.0, 1.0], [0.0, 0.5, 1.0]) == pytest.approx([2.0, 3.0])


def test_a_command_holds_no_longer_than_the_base_obeys_it():
    assert means([0.0], [1.0], [0.0, 0.5, 1.0], hold_s=0.25) == pytest.approx([0.5, 0.0])


def test_before_the_first_command_the_robot_was_told_nothing():
    assert means([0.5], [1.0], [0.0, 0.25, 0.75]) == pytest.approx([0.0, 0.5])
    assert means([], [], [0.0, 1.0]) == [0.0]


def test_measurements_are_interpolated():
    measured = np.array([[0.0], [10.0]], np.float32)
    found = values_at(np.array([0.0, 1.0]), measured, np.array([0.5, 2.0]))
    assert found[:, 0].tolist() == [5, 10]
