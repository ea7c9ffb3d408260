# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to do when memory does not suffice for all candidates at once: fewer at a time."""

import logging

import torch
from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Memory, Objective
from sparse_imagination_ros.world_models.predictor import Predictor

# How PyTorch and OpenVINO say it where they have no type for it.
WORDS = ('out of memory', 'allocate memory', 'not enough memory', 'bad_alloc')

# After so many calls that went well twice as many are tried again: memory may be there again.
CALLS = 500

_log = logging.getLogger(__name__)


class Sparing:
    """An engine that imagines half as many candidates at a time while memory has run out."""

    def __init__(self, engine: Imagine) -> None:
        self.engine = engine
        self._most: int | None = None
        self._calls = 0

    def __call__(
        self, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
        candidates: Tensor, objective: Objective,
    ) -> Tensor:
        """Roll every candidate out and return its cost, [N]."""
        count = len(candidates)
        self._calls += 1
        if self._most is not None and count > self._most and self._calls > CALLS:
            self._most, self._calls = 2 * self._most, 0
        if self._most is None or count <= self._most:
            try:
                return self.engine(predictor, memory, goal, subset, candidates, objective)
            except (MemoryError, RuntimeError) as error:
                if count == 1 or not is_of_memory(error):
                    raise
                self._most, self._calls = count // 2, 0
                _log.warning(
                    'memory does not suffice for %d candidates of %d tokens: for now at most %d '
                    'are imagined at a time', count, len(subset), self._most)
        return torch.cat([
            self(predictor, memory, goal, subset, part, objective)
            for part in torch.split(candidates, self._most)])


def is_of_memory(error: Exception) -> bool:
    """Tell whether that is how it is said that memory does not suffice."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in WORDS)
