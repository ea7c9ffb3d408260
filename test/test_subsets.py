# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of subset holds the tokens that were asked for, spread as its name says."""

import pytest
import torch

from sparse_imagination_ros.tokens.subsets import SUBSETS


@pytest.mark.parametrize('kind', SUBSETS)
@pytest.mark.parametrize(('total', 'count'), [
    (64, 1), (64, 8), (64, 13), (64, 64), (196, 49), (196, 98), (196, 196)])
def test_a_subset_has_distinct_sorted_positions(kind: str, total: int, count: int) -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(20):
        subset = SUBSETS[kind](total, count, generator)
        assert len(subset) == count
        assert (subset.diff() > 0).all()
        assert subset[0] >= 0
        assert subset[-1] < total


@pytest.mark.parametrize('kind', ['random', 'stratified', 'latin'])
def test_every_position_is_drawn_equally_often(kind: str) -> None:
    generator = torch.Generator().manual_seed(5)
    drawn = torch.cat([SUBSETS[kind](196, 49, generator) for _ in range(4000)]).bincount()
    # 1000 times each; five standard deviations of a binomial are 137.
    assert drawn.min() > 850
    assert drawn.max() < 1150


def test_a_stratified_subset_leaves_no_part_of_the_picture_out() -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(50):
        subset = SUBSETS['stratified'](64, 16, generator)
        assert len((subset // 8 // 2 * 4 + subset % 8 // 2).unique()) == 16


def test_a_latin_subset_uses_every_row_and_every_column_once() -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(50):
        subset = SUBSETS['latin'](64, 8, generator)
        assert len((subset // 8).unique()) == len((subset % 8).unique()) == 8


def test_a_fixed_subset_stays() -> None:
    generator = torch.Generator().manual_seed(5)
    first = SUBSETS['fixed'](64, 8, generator)
    assert (SUBSETS['fixed'](64, 8, generator) == first).all()
