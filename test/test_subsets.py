# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of subset holds the tokens that were asked for, spread as its name says."""

import pytest
import torch

from sparse_imagination_ros.tokens.subsets import differing_subset, SUBSETS


@pytest.mark.parametrize('kind', SUBSETS)
@pytest.mark.parametrize(('total', 'count'), [
    (64, 1), (64, 8), (64, 13), (64, 64), (196, 49), (196, 98), (196, 196),
    (8, 3), (59, 20)])
def test_a_subset_has_distinct_sorted_positions(kind: str, total: int, count: int) -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(20):
        subset = SUBSETS[kind](torch.rand(total), count, generator)
        assert len(subset) == count
        assert (subset.diff() > 0).all()
        assert subset[0] >= 0
        assert subset[-1] < total


@pytest.mark.parametrize('kind', ['random', 'stratified', 'latin', 'differing'])
def test_every_position_is_drawn_equally_often(kind: str) -> None:
    generator = torch.Generator().manual_seed(5)
    draws = [SUBSETS[kind](torch.ones(196), 49, generator) for _ in range(4000)]
    drawn = torch.cat(draws).bincount()
    # 1000 times each; five standard deviations of a binomial are 137.
    assert drawn.min() > 850
    assert drawn.max() < 1150


def test_a_stratified_subset_leaves_no_part_of_the_picture_out() -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(50):
        subset = SUBSETS['stratified'](torch.ones(64), 16, generator)
        assert len((subset // 8 // 2 * 4 + subset % 8 // 2).unique()) == 16


def test_a_latin_subset_uses_every_row_and_every_column_once() -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(50):
        subset = SUBSETS['latin'](torch.ones(64), 8, generator)
        assert len((subset // 8).unique()) == len((subset % 8).unique()) == 8


def test_a_fixed_subset_stays() -> None:
    generator = torch.Generator().manual_seed(5)
    first = SUBSETS['fixed'](torch.rand(64), 8, generator)
    assert (SUBSETS['fixed'](torch.rand(64), 8, generator) == first).all()


def test_what_differs_from_the_goal_is_drawn_first() -> None:
    generator = torch.Generator().manual_seed(5)
    difference = torch.zeros(64)
    difference[[7, 30, 31]] = torch.tensor([1.0, 3.0, 6.0])
    drawn = torch.cat([differing_subset(difference, 1, generator) for _ in range(4000)])
    shares = drawn.bincount(minlength=64) / 4000
    assert shares[[7, 30, 31]].tolist() == pytest.approx([0.1, 0.3, 0.6], abs=0.05)
    assert {7, 30, 31} < set(differing_subset(difference, 8, generator).tolist())


def test_at_the_goal_any_tokens_are_drawn() -> None:
    generator = torch.Generator().manual_seed(5)
    assert len(differing_subset(torch.zeros(64), 8, generator).unique()) == 8
