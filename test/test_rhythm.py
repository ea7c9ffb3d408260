# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps tell how often pictures come, and which never did."""

from sparse_imagination_ros.evaluation.rhythm import Rhythm


def test_an_even_stream_has_its_rate_and_misses_nothing() -> None:
    rhythm = Rhythm()
    for number in range(50):
        rhythm.add(100 + number / 20)
    values = rhythm.values()
    assert values['pictures per second'] == 20.0 and values['jitter ms'] == 0.0
    assert values['missing of the last'] == '0 of 49'


def test_pictures_that_never_came_are_counted_from_the_gaps() -> None:
    rhythm = Rhythm()
    for number in (0, 1, 2, 3, 6, 7, 8, 10, 11):
        rhythm.add(number / 10)
    assert rhythm.values()['missing of the last'] == '3 of 11'


def test_a_clock_that_went_back_is_told_and_is_no_period() -> None:
    rhythm = Rhythm()
    for stamp_s in (5.0, 5.1, 5.2, 1.0, 1.1):
        rhythm.add(stamp_s)
    values = rhythm.values()
    assert values['stamps that went back'] == 1 and values['pictures'] == 5
    assert values['pictures per second'] == 10.0


def test_nothing_yet_is_no_error() -> None:
    assert Rhythm().values()['pictures'] == 0
