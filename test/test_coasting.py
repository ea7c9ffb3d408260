# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base moves as it is told, and is at rest when it should be."""

import numpy as np
import pytest

from sparse_imagination_ros.evaluation.coasting import Coasting
from sparse_imagination_ros.sim.robots import robot

BASE = robot('omnidirectional')
PERIOD_S, BRAKING_S = 0.05, BASE.limit[0] / BASE.acceleration[0]


def driven(span_s: float, speed: float = BASE.limit[0]) -> Coasting:
    base = Coasting(BASE)
    for tick in range(round(span_s / PERIOD_S) + 1):
        base.hear(100 + tick * PERIOD_S, np.array([speed, 0.0]))
    return base


def test_it_never_moved_before_the_first_command() -> None:
    base = Coasting(BASE)
    base.advance(100.0)
    assert base.moved_s == float('-inf') and base.speed == 0.0


def test_it_gets_as_fast_as_it_is_told_and_no_faster_than_it_can() -> None:
    assert driven(0.2).speed == pytest.approx(0.2 * BASE.acceleration[0])
    assert driven(1.0).speed == pytest.approx(BASE.limit[0])


def test_it_is_at_rest_when_it_has_braked_not_when_it_is_told() -> None:
    base = driven(1.0)
    for tick in range(1, 40):
        base.hear(101 + tick * PERIOD_S, np.zeros(2))
    assert base.speed == 0.0
    assert base.moved_s == pytest.approx(101 + PERIOD_S + BRAKING_S)


def test_it_brakes_by_itself_in_silence() -> None:
    base = driven(1.0)
    base.advance(110.0)
    assert base.speed == 0.0
    assert base.moved_s == pytest.approx(101 + BASE.command_timeout_s + BRAKING_S)


def test_a_command_after_a_silence_moves_it_again() -> None:
    base = driven(1.0)
    for tick in range(5):
        base.hear(110 + tick * PERIOD_S, np.array([0.5, 0.0]))
    assert base.moved_s > 110 and base.speed > 0
