# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The search finds the minimum, may be cut short anywhere, and survives what is no number."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import torch
from torch import Tensor

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
from sparse_imagination_ros.planning.proposals import Bounds, Proposals, Spread

SPREAD = Spread(knots=3, bold_share=0.25)
FREE = Bounds(-torch.ones(2), torch.ones(2), torch.full((2,), 9.0), torch.zeros(2))
REFINEMENT = Refinement(sigma=0.5, least_sigma=0.05, effective=3.0, elites=3)
BEST = torch.tensor([0.3, -0.6]).expand(8, 2)
WEIGHS = pytest.mark.parametrize('weigh', [softmax_weights, elite_weights])


def distance(candidates: Tensor) -> Tensor:
    return (candidates - BEST).square().mean((1, 2))


def find(
    costs_of: Callable[[Tensor], Tensor] = distance, weigh: Weigh = softmax_weights,
    count: int = 64, iterations: int = 2, grant: Grant = everything, seed: int = 0,
) -> Optimum:
    draw = Proposals((count, 8, 2), SPREAD, FREE, torch.Generator().manual_seed(seed))
    return optimise(torch.zeros(8, 2), torch.zeros(0, 8, 2), costs_of, draw, weigh, REFINEMENT,
                    iterations, grant)


def grants(counts: list[int]) -> Grant:
    left = list(counts)
    return lambda most: min(most, left.pop(0)) if left else 0


@WEIGHS
def test_the_search_finds_the_minimum(weigh: Weigh) -> None:
    found = find(weigh=weigh, count=128, iterations=20)
    assert (found.actions - BEST).abs().max() < 0.1
    assert found.cost < 0.01 and found.imagined == 20 * 128


def test_the_same_seed_finds_the_same() -> None:
    assert torch.equal(find().actions, find().actions)
    assert not torch.equal(find().actions, find(seed=1).actions)


@settings(deadline=None)
@given(st.lists(st.integers(2, 40), min_size=2, max_size=12), st.integers(0, 99))
def test_in_chunks_it_finds_what_it_finds_at_once(chunks: list[int], seed: int) -> None:
    for weigh in (softmax_weights, elite_weights):
        count = sum(chunks)
        in_chunks = find(weigh=weigh, count=count, iterations=1, grant=grants(chunks), seed=seed)
        at_once = find(weigh=weigh, count=count, iterations=1, seed=seed)
        assert in_chunks.granted == (tuple(chunks),)
        torch.testing.assert_close(in_chunks.actions, at_once.actions, atol=1e-6, rtol=0)


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(0, 99))
def test_cut_short_it_is_the_answer_of_as_many_samples(some: int, seed: int) -> None:
    seen: list[Tensor] = []

    def costs_of(candidates: Tensor) -> Tensor:
        seen.append(candidates.clone())
        return distance(candidates)

    early = find(costs_of, grant=grants([some]), seed=seed)
    samples = torch.cat(seen)
    best, lowest = best_of(samples, distance(samples), 3.0)
    alone = mean(best, softmax_weights(lowest, 3.0))
    torch.testing.assert_close(early.actions, alone, atol=1e-6, rtol=0)
    assert len(samples) == early.imagined == some


def test_without_time_the_nominal_is_the_answer() -> None:
    nothing = find(grant=lambda left: 0)
    assert not nothing.actions.any() and nothing.imagined == 0 and nothing.granted == ()


@WEIGHS
@settings(deadline=None)
@given(bad=st.lists(st.sampled_from([torch.nan, torch.inf, -torch.inf]), min_size=1, max_size=8),
       seed=st.integers(0, 99))
def test_costs_that_are_no_numbers_do_not_count(weigh: Weigh, bad: list[float], seed: int) -> None:
    where = torch.randperm(64, generator=torch.Generator().manual_seed(seed))[:len(bad)]

    def costs_of(candidates: Tensor) -> Tensor:
        costs = distance(candidates)
        costs[where] = torch.tensor(bad)
        return costs

    found = find(costs_of, weigh, iterations=1, seed=seed)
    assert found.actions.isfinite().all() and found.elites.isfinite().all()
    assert found.not_finite == len(bad)
    if 0 not in where:
        assert distance(found.actions[None]) <= distance(torch.zeros(1, 8, 2)) + 1e-6


@WEIGHS
def test_if_no_cost_is_a_number_the_nominal_is_kept(weigh: Weigh) -> None:
    found = find(lambda candidates: torch.full((len(candidates),), torch.nan), weigh)
    assert not found.actions.any() and found.not_finite == 2 * 64


@WEIGHS
def test_weights_sum_to_one_and_do_not_depend_on_scale_or_offset(weigh: Weigh) -> None:
    costs = torch.tensor([1.0, 2.0, 3.0, 4.0])
    made = weigh(costs, 2.0)
    torch.testing.assert_close(made.sum(), torch.tensor(1.0))
    torch.testing.assert_close(weigh(1000 * costs + 7, 2.0), made)
    assert made[0] >= made[1] >= made[2] >= made[3]


@WEIGHS
def test_equal_costs_count_equally_when_all_shall_count(weigh: Weigh) -> None:
    torch.testing.assert_close(weigh(torch.ones(4), 4.0), torch.full((4,), 0.25))


@settings(deadline=None)
@given(st.lists(st.floats(0, 100, width=32), min_size=8, max_size=64), st.floats(1, 8))
def test_as_many_samples_count_as_was_asked(costs: list[float], effective: float) -> None:
    weights = softmax_weights(torch.tensor(sorted(costs)), effective)
    assert weights.isfinite().all()
    assert 1 / weights.square().sum() >= effective - 1e-3 or min(costs) < max(costs)


def test_the_temperature_is_the_lowest_at_which_so_many_count() -> None:
    costs = torch.rand(256, generator=torch.Generator().manual_seed(0)).sort().values
    for effective in (2.0, 8.0, 32.0):
        weights = softmax_weights(costs, effective)
        assert effective <= 1 / weights.square().sum() < 1.6 * effective
