# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture is believed if it shows something and changes while the robot is told to move."""

import numpy as np
import pytest

from sparse_imagination_ros.evaluation.voices import STEPS_BACK, Voices, WINDOW_S
from sparse_imagination_ros.tokens.trust import Trust, TrustConfig

SCENE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
PERIOD_S = 0.1


def doubts(pictures: list[np.ndarray], moves: bool = True, **settings: float) -> list[str]:
    trust = Trust(TrustConfig(**settings))
    found = [trust.judge(picture, number * PERIOD_S, moves)
             for number, picture in enumerate(pictures)]
    return [doubt.about if doubt else '' for doubt in found]


def changed(number: int) -> np.ndarray:
    picture = SCENE.copy()
    picture[5, 5, 0] = number
    return picture


def test_a_camera_whose_pictures_differ_in_one_bit_is_believed() -> None:
    assert set(doubts([changed(number % 2) for number in range(50)])) == {''}


def test_the_same_picture_is_frozen_once_the_robot_was_told_to_move_for_so_long() -> None:
    found = doubts([SCENE] * 14)
    assert found[:11] == [''] * 11 and found[12:] == ['frozen camera'] * 2
    assert set(doubts([SCENE] * 50, moves=False)) == {''}, 'who stands sees the same'
    assert set(doubts([SCENE] * 50, freeze_s=0.0)) == {''}


def test_a_picture_that_changes_again_is_believed_again() -> None:
    assert doubts([SCENE] * 14 + [changed(1)])[-1] == ''


@pytest.mark.parametrize('value', [0, 90, 255])
def test_a_picture_of_one_value_and_noise_is_blind(value: int) -> None:
    noise = np.random.default_rng(0).integers(0, 4, SCENE.shape, np.uint8)
    dark = np.minimum(value, 252) + noise
    assert doubts([dark]) == ['blind camera']
    assert doubts([dark], contrast=0.0) == ['']


def test_a_picture_of_one_colour_is_blind_too() -> None:
    assert doubts([np.full_like(SCENE, (200, 10, 90))]) == ['blind camera']


def test_settings_may_change_meanwhile() -> None:
    trust = Trust(TrustConfig())
    assert trust.judge(np.zeros_like(SCENE), 0.0, True) is not None
    trust.adjust(TrustConfig(contrast=0.0))
    assert trust.judge(np.zeros_like(SCENE), 0.1, True) is None


def several(numbers: list[int | None], known: int = 1) -> bool:
    voices = Voices()
    for tick, number in enumerate(numbers):
        voices.add(number, tick * PERIOD_S)
    return voices.are_several(len(numbers) * PERIOD_S, known)


def test_one_voice_counts_up_with_gaps_and_begins_anew_once() -> None:
    assert not several([1, 2, 3, 7, 8, 30])
    assert not several([50, 51, 1, 2, 3]), 'a driver that was started again'
    assert not several([None] * 9), 'a middleware that does not number'


@pytest.mark.parametrize('numbers', [
    [100, 1, 101, 2, 102, 3], [5, 5, 6, 6, 7, 7], [100, 101, 1, 102, 103, 2, 104, 105]])
def test_two_voices_are_told_apart(numbers: list[int | None]) -> None:
    assert several(numbers)


def test_one_step_back_is_enough_where_two_are_known_to_be() -> None:
    assert several([50, 51, 1, 2, 3], known=2) and not several([1, 2, 3, 4], known=2)


def test_what_is_long_ago_does_not_count() -> None:
    voices = Voices()
    for number in (9, 1, 9, 1):
        voices.add(number, 0.0)
    assert voices.are_several(WINDOW_S / 2, 1) and not voices.are_several(WINDOW_S, 2)
    assert STEPS_BACK == 2
