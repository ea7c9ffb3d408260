# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many candidates are imagined at once: as many as make a processor busy, and no more."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Memory, Objective
from sparse_imagination_ros.world_models.predictor import Predictor

# So many tokens of all candidates together. More leave a processor's caches, which is slower, and
# take gigabytes; a GPU does all in one launch.
AT_ONCE = 2**13


class Portioned:
    """An engine that imagines many candidates in portions, one after the other."""

    def __init__(self, engine: Imagine) -> None:
        self.engine = engine

    def __call__(
        self, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
        candidates: Tensor, objective: Objective,
    ) -> Tensor:
        """Roll every candidate out and return its cost, [N]."""
        portions = torch.split(candidates, most_at_once(len(subset)))
        return torch.cat([
            self.engine(predictor, memory, goal, subset, portion, objective)
            for portion in portions])


def most_at_once(tokens: int) -> int:
    """Return how many candidates of so many tokens a portion has at most, a power of two."""
    return 1 << max(0, (AT_ONCE // max(1, tokens)).bit_length() - 1)


def portioned(sizes: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the sizes of the portions that such sizes, of tokens and candidates, come in."""
    found = set()
    for tokens, candidates in sizes:
        most = most_at_once(tokens)
        found |= {(tokens, count) for count in (min(candidates, most), candidates % most) if count}
    return found
