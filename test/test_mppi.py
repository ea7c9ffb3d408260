# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The search finds the minimum, may be cut short anywhere, and survives what is no number."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from sparse_imagination_ros.planning.cem import elite_weights
from sparse_imagination_ros.planning.mppi import (
    best_of,
    everything,
    Grant,
    mean,
    optimise,
    Optimum,
    Refinement,
    softmax_weights,
    Weigh,
)
from sparse_imagination_ros.planning.plan import Array
from sparse_imagination_ros.planning.proposals import Bounds, Proposals, Spread

SPREAD = Spread(knots=3, bold_share=0.25)
ONE = np.ones(2, np.float32)
FREE = Bounds(-ONE, ONE, 9 * ONE, 0 * ONE)
REFINEMENT = Refinement(sigma=0.5, least_sigma=0.05, effective=3.0, elites=3)
BEST = np.float32([[0.3, -0.6]] * 8)
STILL = np.zeros((8, 2), np.float32)
WEIGHS = pytest.mark.parametrize('weigh', [softmax_weights, elite_weights])


def distance(candidates: Array) -> Array:
    costs: Array = np.square(candidates - BEST).mean((1, 2))
    return costs


def find(
    costs_of: Callable[[Array], Array] = distance, weigh: Weigh = softmax_weights,
    count: int = 64, iterations: int = 2, grant: Grant = everything, seed: int = 0,
) -> Optimum:
    draw = Proposals((count, 8, 2), SPREAD, FREE, np.random.default_rng(seed))
    return optimise(
        STILL, STILL[None][:0], costs_of, draw, weigh, REFINEMENT, iterations, grant)


def grants(counts: list[int]) -> Grant:
    left = list(counts)
    return lambda most: min(most, left.pop(0)) if left else 0


@WEIGHS
def test_the_search_finds_the_minimum(weigh: Weigh) -> None:
    found = find(weigh=weigh, count=128, iterations=20)
    assert np.abs(found.actions - BEST).max() < 0.1
    assert found.cost < 0.01 and found.imagined == 20 * 128


def test_the_same_seed_finds_the_same() -> None:
    assert np.array_equal(find().actions, find().actions)
    assert not np.array_equal(find().actions, find(seed=1).actions)


@settings(deadline=None)
@given(st.lists(st.integers(2, 40), min_size=2, max_size=12), st.integers(0, 99))
def test_in_chunks_it_finds_what_it_finds_at_once(chunks: list[int], seed: int) -> None:
    for weigh in (softmax_weights, elite_weights):
        count = sum(chunks)
        in_chunks = find(weigh=weigh, count=count, iterations=1, grant=grants(chunks), seed=seed)
        at_once = find(weigh=weigh, count=count, iterations=1, seed=seed)
        assert in_chunks.granted == (tuple(chunks),)
        assert np.allclose(in_chunks.actions, at_once.actions, atol=1e-6, rtol=0)


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(0, 99))
def test_cut_short_it_is_the_answer_of_as_many_samples(some: int, seed: int) -> None:
    seen: list[Array] = []

    def costs_of(candidates: Array) -> Array:
        seen.append(candidates.copy())
        return distance(candidates)

    early = find(costs_of, grant=grants([some]), seed=seed)
    samples = np.concatenate(seen)
    best, lowest = best_of(samples, distance(samples), 3.0)
    alone = mean(best, softmax_weights(lowest, 3.0))
    assert np.allclose(early.actions, alone, atol=1e-6, rtol=0)
    assert len(samples) == early.imagined == some


def test_without_time_the_nominal_is_the_answer() -> None:
    nothing = find(grant=lambda left: 0)
    assert not nothing.actions.any() and nothing.imagined == 0 and nothing.granted == ()


@WEIGHS
@settings(deadline=None)
@given(bad=st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 3e38]), min_size=1, max_size=8),
       seed=st.integers(0, 99))
def test_costs_that_are_no_numbers_do_not_count(weigh: Weigh, bad: list[float], seed: int) -> None:
    where = np.random.default_rng(seed).permutation(64)[:len(bad)]

    def costs_of(candidates: Array) -> Array:
        costs = distance(candidates)
        costs[where] = bad
        return costs

    found = find(costs_of, weigh, iterations=1, seed=seed)
    assert np.isfinite(found.actions).all() and np.isfinite(found.elites).all()
    assert found.not_finite == len(bad)
    if 0 not in where:
        assert distance(found.actions[None]) <= distance(STILL[None]) + 1e-6


@WEIGHS
def test_if_no_cost_is_a_number_the_nominal_is_kept(weigh: Weigh) -> None:
    found = find(lambda candidates: np.full(len(candidates), np.nan), weigh)
    assert not found.actions.any() and found.not_finite == 2 * 64


@WEIGHS
def test_weights_sum_to_one_and_do_not_depend_on_scale_or_offset(weigh: Weigh) -> None:
    costs = np.float32([1, 2, 3, 4])
    made = weigh(costs, 2.0)
    assert made.sum() == pytest.approx(1.0)
    assert weigh(1000 * costs + 7, 2.0) == pytest.approx(made)
    assert made[0] >= made[1] >= made[2] >= made[3]


@WEIGHS
def test_equal_costs_count_equally_when_all_shall_count(weigh: Weigh) -> None:
    assert weigh(np.ones(4, np.float32), 4.0) == pytest.approx(0.25)


@settings(deadline=None)
@given(st.lists(st.floats(0, 100, width=32), min_size=8, max_size=64), st.floats(1, 8))
def test_as_many_samples_count_as_was_asked(costs: list[float], effective: float) -> None:
    weights = softmax_weights(np.float32(sorted(costs)), effective)
    assert np.isfinite(weights).all()
    assert 1 / np.square(weights).sum() >= effective - 1e-3 or min(costs) < max(costs)


def test_the_temperature_is_the_lowest_at_which_so_many_count() -> None:
    costs = np.sort(np.random.default_rng(0).random(256, np.float32))
    for effective in (2.0, 8.0, 32.0):
        weights = softmax_weights(costs, effective)
        assert effective <= 1 / np.square(weights).sum() < 1.6 * effective
