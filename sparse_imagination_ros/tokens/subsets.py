# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which tokens to imagine."""

import torch
from torch import Generator, Tensor


def random_subset(total: int, count: int, generator: Generator) -> Tensor:
    """Draw `count` of `total` token positions, sorted, [K]."""
    return torch.randperm(total, generator=generator)[:count].sort().values


def random_split(total: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Split all positions in two groups at random, the first of a size uniform in 1 .. total/2."""
    first = int(torch.randint(1, total // 2 + 1, (), generator=generator))
    order = torch.randperm(total, generator=generator)
    return order[:first].sort().values, order[first:].sort().values
