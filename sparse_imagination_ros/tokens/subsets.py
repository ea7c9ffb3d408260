# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which tokens to imagine."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor


def random_subset(total: int, count: int, generator: Generator) -> Tensor:
    """Draw `count` of `total` token positions, sorted, [K]."""
    return torch.randperm(total, generator=generator)[:count].sort().values


def stratified_subset(total: int, count: int, generator: Generator) -> Tensor:
    """Draw one position from each of `count` patches of the picture that are equally large."""
    # Along this curve neighbours are near in the picture, on a grid of any size.
    along = _curve(total)
    edges = torch.arange(count) * total / count
    within = torch.rand(count, generator=generator) * total / count
    # A draw at the end of a patch that is not whole may be the first of the next one.
    return _distinct(along[(edges + within).long().clamp(max=total - 1)], total, generator)


def latin_subset(total: int, count: int, generator: Generator) -> Tensor:
    """Draw positions whose rows and columns are each spread evenly (a Latin hypercube)."""
    side = round(total**0.5)

    def axis() -> Tensor:
        row = torch.randperm(count, generator=generator)
        within = torch.rand(count, generator=generator)
        drawn: Tensor = ((row + within) * side / count).long().clamp(max=side - 1)
        return drawn

    # Where tokens are missing the last row may not be whole.
    return _distinct((axis() * side + axis()).clamp(max=total - 1), total, generator)


def fixed_subset(total: int, count: int, generator: Generator) -> Tensor:
    """Return the same positions whenever it is asked."""
    return random_subset(total, count, torch.Generator().manual_seed(0))


def differing_subset(difference: Tensor, count: int, generator: Generator) -> Tensor:
    """
    Draw positions, those more likely where what is seen differs more from the goal, [K].

    difference: [P]. A token that differs sees something that must move.
    """
    # The first to arrive of as many races as there are tokens, each as fast as it differs: a draw
    # without replacement.
    arrival = torch.empty_like(difference).exponential_(generator=generator)
    return (arrival / difference.clamp(min=1e-9)).argsort()[:count].sort().values


# What draws `count` positions, given how much each token differs from the goal, [P].
Chooser = Callable[[Tensor, int, Generator], Tensor]


def _blind(draw: Callable[[int, int, Generator], Tensor]) -> Chooser:
    """Make a chooser of what does not look at the tokens."""
    return lambda difference, count, generator: draw(len(difference), count, generator)


SUBSETS: dict[str, Chooser] = {
    'random': _blind(random_subset),
    'stratified': _blind(stratified_subset),
    'latin': _blind(latin_subset),
    'fixed': _blind(fixed_subset),
    'differing': differing_subset,
}


def random_split(total: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Split all positions in two groups at random, the first of a size uniform in 1 .. total/2."""
    first = int(torch.randint(1, total // 2 + 1, (), generator=generator))
    order = torch.randperm(total, generator=generator)
    return order[:first].sort().values, order[first:].sort().values


def _distinct(drawn: Tensor, total: int, generator: Generator) -> Tensor:
    """Replace positions that were drawn twice by others at random; sorted, [K]."""
    kept = torch.unique(drawn)
    free = torch.ones(total, dtype=torch.bool)
    free[kept] = False
    others = free.nonzero().squeeze(1)
    chosen = torch.randperm(len(others), generator=generator)[:len(drawn) - len(kept)]
    return torch.cat([kept, others[chosen]]).sort().values


def _curve(total: int) -> Tensor:
    """Return all positions of a square grid along a Z-order curve, [P]."""
    side = round(total**0.5)
    row, column = torch.arange(total) // side, torch.arange(total) % side
    code = torch.zeros(total, dtype=torch.long)
    for bit in range(side.bit_length()):
        code |= ((column >> bit & 1) << 2 * bit) | ((row >> bit & 1) << 2 * bit + 1)
    return code.argsort()
