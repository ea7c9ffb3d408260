# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrival has hysteresis, and a route goes on when it should."""

from dataclasses import replace

import numpy as np
import pytest

from sparse_imagination_ros.planning.route import Arrival, Goal, Route, RouteConfig

CONFIG = RouteConfig(arrival_distance=0.1, departure_factor=2.0, arrival_hold_s=0.5)


def goals(*names: str) -> list[Goal]:
    return [Goal(np.zeros((2, 2, 3), np.uint8), None, name) for name in names]


def judged(arrival: Arrival, *distances: float, start_s: float = 0.0) -> list[bool]:
    """Return what is judged of distances that come four times a second."""
    return [arrival.judge(d, start_s + number / 4) for number, d in enumerate(distances)]


def test_a_goal_is_reached_when_it_is_near_for_long_enough() -> None:
    assert judged(Arrival(CONFIG), 0.5, 0.09, 0.08, 0.09) == [False, False, False, True]


def test_a_moment_near_the_goal_is_not_enough() -> None:
    assert not any(judged(Arrival(CONFIG), 0.5, 0.09, 0.2, 0.09, 0.2, 0.09))


def test_it_is_left_only_beyond_a_larger_distance_and_not_for_a_moment() -> None:
    arrival = Arrival(CONFIG)
    judged(arrival, 0.05, 0.05, 0.05)
    assert all(judged(arrival, 0.15, 0.19, 0.3, 0.1, start_s=1.0))
    assert judged(arrival, 0.3, 0.3, 0.3, start_s=3.0) == [True, True, False]


def test_without_a_distance_it_is_a_share_of_the_largest() -> None:
    arrival = Arrival(replace(CONFIG, arrival_distance=0.0, arrival_hold_s=0.0))
    assert judged(arrival, 2.0, 0.15, 0.09) == [False, False, True]
    assert arrival.near == pytest.approx(0.1)


def test_distances_that_are_no_numbers_change_nothing() -> None:
    arrival = Arrival(CONFIG)
    judged(arrival, 0.05, 0.05, 0.05)
    assert all(judged(arrival, float('nan'), float('nan'), float('nan'), start_s=1.0))


def test_a_clock_that_goes_back_starts_the_hold_anew() -> None:
    arrival = Arrival(CONFIG)
    arrival.judge(0.05, 10.0)
    assert not arrival.judge(0.05, 2.0) and not arrival.judge(0.05, 2.4)
    assert arrival.judge(0.05, 2.5)


def test_the_next_goal_comes_when_one_is_reached_and_the_last_stays() -> None:
    route = Route(goals('door', 'dock'), replace(CONFIG, arrival_hold_s=0.0))
    assert not route.advance(0.5, 0.0) and route.goal.name == 'door'
    assert route.advance(0.05, 0.1) and route.goal.name == 'dock' and not route.reached
    assert not route.advance(0.05, 0.2) and route.is_last and route.reached


def test_a_leg_that_takes_too_long_is_given_up() -> None:
    route = Route(goals('door', 'dock'), replace(CONFIG, leg_limit_s=5.0))
    assert not route.advance(0.5, 100.0) and not route.advance(0.5, 104.9)
    assert route.advance(0.5, 105.0) and route.goal.name == 'dock'
    assert not route.advance(0.5, 200.0), 'the last has no limit'


def test_a_route_may_be_repeated_and_restarted() -> None:
    route = Route(goals('a', 'b'), replace(CONFIG, arrival_hold_s=0.0, repeat_route=True))
    names = []
    for number in range(4):
        route.advance(0.05, number)
        names.append(route.goal.name)
    assert names == ['b', 'a', 'b', 'a']
    route.advance(0.05, 9.0)
    route.restart()
    assert (route.goal.name, route.reached) == ('a', False)


def test_other_settings_act_at_once() -> None:
    route = Route(goals('a'), CONFIG)
    route.advance(0.3, 0.0)
    route.adjust(replace(CONFIG, arrival_distance=0.4, arrival_hold_s=0.0))
    route.advance(0.3, 0.1)
    assert route.reached
