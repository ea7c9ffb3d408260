# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates keep bounds and rates, hold what must be tried, and are alike from the first on."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np

from sparse_imagination_ros.planning.plan import Array
from sparse_imagination_ros.planning.proposals import Bounds, Proposals, Spread

SPREAD = Spread(knots=3, bold_share=0.25)
NONE = np.zeros((0, 8, 2), np.float32)


def both(value: float) -> Array:
    return np.full(2, value, np.float32)


FREE = Bounds(both(-1), both(1), both(9), both(0))


def draw(
    nominal: Array, count: int = 64, sigma: float = 0.5, given_: Array = NONE,
    bounds: Bounds = FREE, seed: int = 0,
) -> Array:
    proposals = Proposals(
        (count, *nominal.shape), SPREAD, bounds, np.random.default_rng(seed))
    return proposals(nominal, sigma, given_)


def line(start: float, end: float) -> Array:
    return np.linspace(both(start), both(end), 8)


values = st.floats(-3, 3, width=32)


@settings(deadline=None)
@given(st.lists(values, min_size=16, max_size=16), st.floats(0.0625, 3, width=32),
       st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2),
       st.floats(-1, 0, width=32), st.integers(4, 40), st.integers(0, 99))
def test_bounds_and_rates_are_never_violated(
    nominal: list[float], rate: float, last: list[float], low: float, count: int, seed: int,
) -> None:
    bounds = Bounds(both(low), both(1), both(rate), np.float32(last))
    drawn = draw(np.float32(nominal).reshape(8, 2), count, 1.0, bounds=bounds, seed=seed)
    assert drawn.shape == (count, 8, 2) and drawn.dtype == np.float32
    assert drawn.min() >= low and drawn.max() <= 1
    before = np.clip(bounds.last, low, 1)
    assert np.abs(np.diff(drawn, axis=1)).max() <= rate + 1e-6
    assert np.abs(drawn[:, 0] - before).max() <= rate + 1e-6
    mean = np.concatenate([before[None], drawn.mean(0)])
    assert np.abs(np.diff(mean, axis=0)).max() <= rate + 1e-5


def test_what_keeps_the_bounds_is_not_touched() -> None:
    slow = Bounds(both(-1), both(1), both(0.11), both(0))
    drawn = draw(line(0, 0.7), given_=line(0.05, -0.7)[None], bounds=slow)
    assert np.array_equal(drawn[0], line(0, 0.7)) and np.array_equal(drawn[2], line(0.05, -0.7))


def test_the_last_plan_standing_still_and_what_is_given_are_always_candidates() -> None:
    others = np.random.default_rng(0).random((3, 8, 2), np.float32)
    drawn = draw(line(-1, 1), 16, given_=others)
    assert np.array_equal(drawn[0], line(-1, 1)) and not drawn[1].any()
    assert np.array_equal(drawn[2:5], others)
    assert draw(0 * line(0, 1), 16)[1].any(), 'to stand still twice would count as two that agree'
    few = draw(line(-1, 1), 4, given_=others)
    assert np.array_equal(few, drawn[:4]), 'even if there is no room'


def test_each_draw_comes_with_its_mirror_image() -> None:
    wide = Bounds(both(-9), both(9), both(99), both(0))
    for count in (34, 35):
        drawn = draw(0 * line(0, 1), count, 0.05, bounds=wide)
        assert len(drawn) == count and drawn[2:].any((1, 2)).all()
        assert np.array_equal(drawn[2:34:2], -drawn[3:34:2])


def test_bold_ones_are_spread_among_the_others() -> None:
    drawn = draw(0 * line(0, 1), 66, 0.01)[2:]
    bold = np.abs(drawn).max((1, 2)) > 0.1
    assert bold.sum() == 16
    for part in bold.reshape(4, 16):
        assert 2 <= part.sum() <= 6


def test_bold_candidates_do_not_depend_on_the_nominal() -> None:
    one, other = draw(line(0.1, 0.1)), draw(line(0.3, 0.3))
    assert (one == other).all((1, 2)).sum() == 1 + round(0.25 * 62)


def test_near_candidates_are_as_far_from_the_nominal_as_was_asked() -> None:
    wide = Bounds(both(-9), both(9), both(99), both(0))
    drawn = draw(line(-3, 3), 4000, 0.2, bounds=wide)[2:]
    near = drawn[np.abs(drawn - line(-3, 3)).max((1, 2)) < 1.2]
    assert len(near) == len(drawn) - 1000
    # Knots lie at the first and the last step.
    assert np.allclose((near - line(-3, 3))[:, [0, -1]].std(0), 0.2, atol=0.02)


def test_no_two_iterations_draw_the_same() -> None:
    proposals = Proposals((8, 8, 2), SPREAD, FREE, np.random.default_rng(0))
    drawn = [proposals(0 * line(0, 1), 0.5, NONE)[2:] for _ in range(20)]
    assert len({one.tobytes() for one in drawn}) == 20
