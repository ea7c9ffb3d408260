# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates keep their bounds, weights are sound, and the search finds the minimum."""

import torch

from sparse_imagination_ros.planning.mppi import optimise, weights
from sparse_imagination_ros.planning.objective import step_weights
from sparse_imagination_ros.planning.proposals import propose, Spread

SPREAD = Spread(sigma=0.5, knots=3, bold_share=0.25)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_candidates_stay_within_the_limits():
    drawn = propose(torch.full((8, 2), 0.9), 256, SPREAD, generator())
    assert drawn.shape == (256, 8, 2)
    assert drawn.abs().max() <= 1


def test_the_last_plan_and_standing_still_are_always_candidates():
    nominal = torch.linspace(-1, 1, 8)[:, None].expand(8, 2)
    drawn = propose(nominal, 16, SPREAD, generator())
    assert torch.equal(drawn[0], nominal)
    assert not drawn[1].any()


def test_bold_candidates_do_not_depend_on_the_nominal():
    one = propose(torch.zeros(8, 2), 16, SPREAD, generator())
    other = propose(torch.ones(8, 2), 16, SPREAD, generator())
    assert torch.equal(one[12:], other[12:])
    assert not torch.equal(one[2:12], other[2:12])


def test_weights_sum_to_one_and_do_not_depend_on_scale_or_offset():
    costs = torch.tensor([1.0, 2.0, 4.0])
    made = weights(costs, 0.5)
    torch.testing.assert_close(made.sum(), torch.tensor(1.0))
    torch.testing.assert_close(weights(1000 * costs + 7, 0.5), made)
    assert made[0] > made[1] > made[2]


def test_equal_costs_count_equally():
    torch.testing.assert_close(weights(torch.ones(4), 0.1), torch.full((4,), 0.25))


def test_the_search_finds_the_minimum():
    best = torch.tensor([0.3, -0.6]).expand(8, 2)

    def costs_of(candidates: torch.Tensor) -> torch.Tensor:
        return (candidates - best).square().mean((1, 2))

    found = optimise(torch.zeros(8, 2), costs_of, 128, 20, SPREAD, 0.05, generator())
    assert (found.actions - best).abs().max() < 0.15
    assert found.cost < 0.01


def test_the_same_seed_finds_the_same():
    def costs_of(candidates: torch.Tensor) -> torch.Tensor:
        return candidates.square().sum((1, 2))

    one, other = (optimise(torch.zeros(4, 2), costs_of, 32, 3, SPREAD, 0.1, generator())
                  for _ in range(2))
    assert torch.equal(one.actions, other.actions)


def test_later_steps_count_more():
    made = step_weights(4, 2.0)
    torch.testing.assert_close(made, torch.tensor([1.0, 2, 4, 8]) / 15)


def test_only_the_last_step_counts_if_growth_is_infinite():
    assert step_weights(3, float('inf')).tolist() == [0, 0, 1]
    assert step_weights(1, float('inf')).tolist() == [1]
    assert step_weights(100, 1e30)[-1] == 1
