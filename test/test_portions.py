# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is imagined at once stays small, however many candidates and tokens there are."""

from hypothesis import given
from hypothesis import strategies as st
import torch
from torch import Tensor

from sparse_imagination_ros.imagination.portions import (
    AT_ONCE,
    most_at_once,
    Portioned,
    portioned,
)


class Counting:
    """An engine that adds its candidates up, and knows how many it was given."""

    def __init__(self) -> None:
        self.asked: set[tuple[int, int]] = set()

    def __call__(self, predictor, memory, goal, subset, candidates, objective) -> Tensor:
        self.asked.add((len(subset), len(candidates)))
        return candidates.sum((1, 2))


@given(st.integers(1, 1000), st.integers(1, 1500))
def test_portions_are_of_the_sizes_that_were_foreseen(tokens: int, candidates: int) -> None:
    counting, drawn = Counting(), torch.arange(2.0 * candidates).reshape(candidates, 2, 1)
    costs = Portioned(counting)(None, None, None, torch.arange(tokens), drawn, None)
    assert costs.tolist() == drawn.sum((1, 2)).tolist()
    assert counting.asked == portioned([(tokens, candidates)])
    assert all(count * tokens <= max(AT_ONCE, tokens) for _, count in counting.asked)


def test_a_frame_with_more_tokens_than_are_imagined_at_once_is_imagined_alone() -> None:
    assert most_at_once(AT_ONCE + 1) == 1
