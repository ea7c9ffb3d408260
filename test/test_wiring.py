# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Actions go where a robot takes them, in its units and within what the user allows."""

from math import inf

import numpy as np
import pytest

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.planning.limits import LimitsConfig, narrowed
from sparse_imagination_ros.planning.wiring import read_wiring

NAMES = ('linear.x', 'angular.z')
LIMITS = Limits(*(np.array(part, np.float32) for part in ([-1, -2], [1, 2], [3, 8])), 0.5)


def test_without_words_everything_keeps_its_name() -> None:
    wiring = read_wiring('', NAMES)
    assert wiring.places == NAMES and wiring.scales == (1.0, 1.0)


def test_words_move_and_scale() -> None:
    wiring = read_wiring('angular.z=linear.y*-0.5', NAMES)
    assert wiring.places == ('linear.x', 'linear.y')
    out = wiring.out(np.array([1.0, 4.0], np.float32))
    assert out.tolist() == [1.0, -2.0]
    assert wiring.back(out).tolist() == [1.0, 4.0]


def test_numbers_leave_room_for_what_others_command() -> None:
    wiring = read_wiring('linear.x=2*10 angular.z=0', NAMES, numbered=True)
    assert wiring.row(np.array([0.5, 3.0], np.float32)).tolist() == [3.0, 0.0, 5.0]


@pytest.mark.parametrize(('text', 'words'), [
    ('gripper=linear.y', 'no action `gripper`; it has linear.x, angular.z'),
    ('linear.x', "'linear.x' names no place"),
    ('linear.x=*2', 'names no place'),
    ('linear.x=linear.y*fast', 'the factor is no number other than zero'),
    ('linear.x=linear.y*0', 'the factor is no number other than zero'),
    ('linear.x=linear.y*nan', 'the factor is no number other than zero'),
    ('linear.x=angular.z', 'sends two actions to one place'),
])
def test_words_that_mean_nothing_are_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match='command_map') as raised:
        read_wiring(text, NAMES)
    assert words in str(raised.value)


def test_an_entry_needs_a_number() -> None:
    with pytest.raises(ConfigError, match='names no number'):
        read_wiring('linear.x=left', NAMES, numbered=True)


def test_limits_are_those_of_the_bundle_unless_narrower_ones_are_asked_for() -> None:
    same = narrowed(LIMITS, NAMES, LimitsConfig())
    for part in ('low', 'high', 'acceleration'):
        assert np.array_equal(getattr(same, part), getattr(LIMITS, part))
    slow = narrowed(LIMITS, NAMES, LimitsConfig(
        vx_max=0.2, vx_min=0.0, wz_max=5.0, ax_max=1.0, az_max=inf))
    assert slow.high.tolist() == [pytest.approx(0.2), 2.0]
    assert slow.low.tolist() == [0.0, -2.0]
    assert slow.acceleration.tolist() == [1.0, 8.0] and slow.staleness_s == 0.5
    assert LIMITS.high.tolist() == [1.0, 2.0], 'the limits of the bundle stay what they are'


def test_actions_without_a_name_of_nav2_keep_their_limits() -> None:
    same = narrowed(LIMITS, ('joint_1', 'joint_2'), LimitsConfig(vx_max=0.1))
    assert np.array_equal(same.high, LIMITS.high)
