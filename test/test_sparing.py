# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When memory runs out fewer candidates are imagined at a time, and it is said."""

import logging

import pytest
import torch
from torch import Tensor

from sparse_imagination_ros.imagination.sparing import CALLS, Sparing


class Small:
    """An engine with memory for so many candidates, which asks for it as is usual."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most, self.error, self.asked = most, error, []

    def __call__(self, predictor, memory, goal, subset, candidates, objective) -> Tensor:
        self.asked.append(len(candidates))
        if len(candidates) > self.most:
            raise self.error
        return candidates.sum((1, 2))


def imagine(engine: Sparing, count: int) -> Tensor:
    candidates = torch.arange(2.0 * count).reshape(count, 2, 1)
    return engine(None, None, None, torch.arange(3), candidates, None)


@pytest.mark.parametrize('error', [
    MemoryError(), torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB'),
    RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_candidates_are_halved_until_they_fit_and_stay_so(
    error: Exception, caplog: pytest.LogCaptureFixture,
) -> None:
    small = Small(20, error)
    engine = Sparing(small)
    with caplog.at_level(logging.WARNING):
        assert imagine(engine, 64).tolist() == [4.0 * n + 1 for n in range(64)]
    assert 'at most 16 are imagined' in caplog.text
    small.asked.clear()
    imagine(engine, 64)
    assert small.asked == [16, 16, 16, 16]


def test_other_failures_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match='a bug'):
        imagine(Sparing(Small(1, RuntimeError('a bug'))), 8)


def test_one_candidate_that_does_not_fit_is_a_failure() -> None:
    with pytest.raises(MemoryError):
        imagine(Sparing(Small(0, MemoryError())), 8)


def test_more_are_tried_again_when_memory_has_sufficed_for_long() -> None:
    small = Small(4, MemoryError())
    engine = Sparing(small)
    imagine(engine, 16)
    small.most = 1000
    for _ in range(CALLS):
        imagine(engine, 16)
    small.asked.clear()
    imagine(engine, 16)
    assert small.asked == [16]
