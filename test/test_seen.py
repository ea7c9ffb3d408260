# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was seen is found again a model step apart."""

import pytest
import torch

from sparse_imagination_ros.planning.seen import Seen

SOUND = torch.ones(4, 2)


def stamps(*seen_s: float) -> list[float]:
    seen = Seen(window=3, step_s=1.0)
    for stamp_s in seen_s:
        seen.add(stamp_s, SOUND)
    return [sight.stamp_s for sight in seen.steps_apart()]


def test_the_first_frame_stands_alone() -> None:
    assert stamps(5.0) == [5.0]


def test_frames_are_those_nearest_to_whole_steps_back() -> None:
    assert stamps(0.0, 0.9, 1.1, 1.5, 2.0, 2.9) == [0.9, 2.0, 2.9]


def test_a_gap_ends_what_is_looked_back_on() -> None:
    assert stamps(0.0, 1.5, 2.0) == [2.0]


def test_a_frame_that_is_not_whole_is_not_looked_back_on() -> None:
    seen = Seen(window=3, step_s=1.0)
    broken = SOUND.clone()
    broken[1] = torch.nan
    for stamp_s, tokens in ((0.0, SOUND), (1.0, broken), (2.0, SOUND)):
        seen.add(stamp_s, tokens)
        assert seen.newest.not_finite == (2 if tokens is broken else 0)
    assert [sight.stamp_s for sight in seen.steps_apart()] == [2.0]


@pytest.mark.parametrize(('stamp_s', 'ahead'), [(0.9, True), (1.0, True), (1.1, False)])
def test_a_clock_that_goes_back_is_noticed(stamp_s: float, ahead: bool) -> None:
    seen = Seen(window=3, step_s=1.0)
    assert not seen.is_ahead_of(stamp_s)
    seen.add(1.0, SOUND)
    assert seen.is_ahead_of(stamp_s) == ahead
