# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates keep bounds and rates, hold what must be tried, and are alike from the first on."""

from hypothesis import given, settings
from hypothesis import strategies as st
import torch
from torch import Tensor

from sparse_imagination_ros.planning.proposals import bounded, Bounds, Proposals, Spread

SPREAD = Spread(knots=3, bold_share=0.25)
FREE = Bounds(-torch.ones(2), torch.ones(2), torch.full((2,), 9.0), torch.zeros(2))
NONE = torch.zeros(0, 8, 2)


def draw(
    nominal: Tensor, count: int = 64, sigma: float = 0.5, given_: Tensor = NONE,
    bounds: Bounds = FREE, seed: int = 0,
) -> Tensor:
    proposals = Proposals(
        (count, *nominal.shape), SPREAD, bounds, torch.Generator().manual_seed(seed))
    return proposals(nominal, sigma, given_)


values = st.floats(-3, 3, width=32)


@settings(deadline=None)
@given(st.lists(values, min_size=16, max_size=16), st.floats(0.0625, 3, width=32),
       st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2),
       st.floats(-1, 0, width=32), st.integers(4, 40), st.integers(0, 99))
def test_bounds_and_rates_are_never_violated(
    nominal: list[float], rate: float, last: list[float], low: float, count: int, seed: int,
) -> None:
    bounds = Bounds(torch.full((2,), low), torch.ones(2), torch.full((2,), rate),
                    torch.tensor(last))
    drawn = draw(torch.tensor(nominal).reshape(8, 2), count, 1.0, bounds=bounds, seed=seed)
    assert drawn.shape == (count, 8, 2)
    assert drawn.min() >= low and drawn.max() <= 1
    before = bounds.last.clamp(bounds.low, bounds.high).expand(count, 1, 2)
    assert torch.cat([before, drawn], 1).diff(dim=1).abs().max() <= rate + 1e-6
    mean = drawn.mean(0)
    assert torch.cat([before[0], mean]).diff(dim=0).abs().max() <= rate + 1e-5


def test_what_keeps_the_bounds_is_not_touched() -> None:
    candidates = torch.linspace(0, 0.7, 8)[None, :, None].expand(3, 8, 2).clone()
    bounds = Bounds(-torch.ones(2), torch.ones(2), torch.full((2,), 0.11), torch.zeros(2))
    assert torch.equal(bounded(candidates, bounds), candidates)


def test_the_last_plan_standing_still_and_what_is_given_are_always_candidates() -> None:
    nominal = torch.linspace(-1, 1, 8)[:, None].expand(8, 2)
    others = torch.rand(3, 8, 2)
    drawn = draw(nominal, 16, given_=others)
    assert torch.equal(drawn[0], nominal) and not drawn[1].any()
    assert torch.equal(drawn[2:5], others)
    assert torch.equal(draw(nominal, 4, given_=others), drawn[:4]), 'even if there is no room'


def test_each_draw_comes_with_its_mirror_image() -> None:
    drawn = draw(torch.zeros(8, 2), 34, 0.05, bounds=Bounds(
        -9 * torch.ones(2), 9 * torch.ones(2), torch.full((2,), 99.0), torch.zeros(2)))
    for one, other in drawn[2:].reshape(16, 2, 8, 2):
        torch.testing.assert_close(one, -other)


def test_bold_ones_are_spread_among_the_others() -> None:
    drawn = draw(torch.zeros(8, 2), 66, 0.01)[2:]
    bold = drawn.abs().amax((1, 2)) > 0.1
    assert bold.sum() == 16
    for part in bold.reshape(4, 16):
        assert 2 <= part.sum() <= 6


def test_bold_candidates_do_not_depend_on_the_nominal() -> None:
    one, other = draw(torch.zeros(8, 2)), draw(torch.full((8, 2), 0.3))
    assert (one == other).all((1, 2)).sum() == 1 + round(0.25 * 62)


def test_no_two_iterations_draw_the_same() -> None:
    proposals = Proposals((8, 8, 2), SPREAD, FREE, torch.Generator().manual_seed(0))
    drawn = [proposals(torch.zeros(8, 2), 0.5, NONE)[2:] for _ in range(20)]
    assert len({tuple(one.flatten().tolist()) for one in drawn}) == 20
