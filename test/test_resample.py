# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded pictures and numbers become episodes at the steps of a model; breaks stay breaks."""

import numpy as np
import pytest

from sparse_imagination_ros.training.bags import Series
from sparse_imagination_ros.training.resample import mean_commands, steps, stretches, values_at


def series(times, values) -> Series:
    return Series(np.array(times, np.float64), np.array(values, np.float32).reshape(-1, 1))


def test_a_steady_camera_is_one_stretch():
    found = stretches(np.arange(50) / 10, 0.5)
    assert (len(found.pieces), found.gaps, found.jumps) == (1, 0, 0)
    assert found.pieces[0].tolist() == list(range(50))


def test_missing_pictures_cut_a_stretch_only_if_a_step_is_lost():
    times = np.delete(np.arange(50) / 10, [10, 11])
    assert stretches(times, 0.5).gaps == 0
    times = np.delete(np.arange(50) / 10, range(10, 17))
    found = stretches(times, 0.5)
    assert (len(found.pieces), found.gaps, found.jumps) == (2, 1, 0)


def test_a_clock_that_goes_back_cuts_a_stretch():
    times = np.concatenate([100 + np.arange(20) / 10, np.arange(30) / 10])
    found = stretches(times, 0.5)
    assert (found.gaps, found.jumps) == (0, 1)
    assert [len(piece) for piece in found.pieces] == [20, 30]


def test_a_clock_that_goes_back_twice_cuts_twice():
    times = np.concatenate([np.arange(20) / 10] * 3)
    assert stretches(times, 0.5).jumps == 2


def test_pictures_in_a_slightly_wrong_order_are_put_in_order():
    times = np.array([0.0, 0.1, 0.3, 0.2, 0.4])
    found = stretches(times, 0.5)
    assert found.jumps == 0
    assert found.pieces[0].tolist() == [0, 1, 3, 2, 4]


def test_nothing_is_no_stretch():
    assert stretches(np.zeros(0), 0.5).pieces == []


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


def test_commands_are_averaged_over_the_time_that_they_held():
    commands = series([0.0, 0.25], [1.0, 3.0])
    means = mean_commands(commands, np.array([0.0, 0.5, 1.0]), hold_s=10)
    assert means[:, 0].tolist() == pytest.approx([2.0, 3.0])


def test_a_command_holds_no_longer_than_the_base_obeys_it():
    commands = series([0.0], [1.0])
    means = mean_commands(commands, np.array([0.0, 0.5, 1.0]), hold_s=0.25)
    assert means[:, 0].tolist() == pytest.approx([0.5, 0.0])


def test_before_the_first_command_the_robot_was_told_nothing():
    commands = series([0.5], [1.0])
    means = mean_commands(commands, np.array([0.0, 0.25, 0.75]), hold_s=10)
    assert means[:, 0].tolist() == pytest.approx([0.0, 0.5])
    assert mean_commands(series([], []), np.array([0.0, 1.0]), 1.0).tolist() == [[0.0]]


def test_measurements_are_interpolated():
    measured = series([0.0, 1.0], [0.0, 10.0])
    assert values_at(measured, np.array([0.5, 2.0]))[:, 0].tolist() == [5.0, 10.0]
