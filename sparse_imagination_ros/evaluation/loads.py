# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What disturbs a planner on purpose: processes that want the processor, too, and slow engines."""

from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from random import Random
from time import monotonic, sleep
from types import TracebackType

import torch
from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Memory, Moment, Objective
from sparse_imagination_ros.world_models.predictor import Predictor

# A spike makes a call so many times longer.
SPIKES = (2.0, 10.0)


class Load:
    """
    Processes that compute for nothing, so many at once, one number after the other.

    Enter it to start them; `level` steps through the numbers as time goes by.
    """

    def __init__(self, levels: Sequence[int], step_s: float) -> None:
        self._levels, self._step_s = tuple(levels), step_s
        context = get_context('spawn')
        self._wanted: Synchronized[int] = context.Value('i', 0)
        self._processes = [
            context.Process(target=_burn, args=(number, self._wanted), daemon=True)
            for number in range(max(self._levels, default=0))]

    def __enter__(self) -> 'Load':
        for process in self._processes:
            process.start()
        self._began_s = monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    @property
    def level(self) -> int:
        """Set and return how many of them compute now."""
        number = int((monotonic() - self._began_s) / self._step_s) % len(self._levels)
        self._wanted.value = self._levels[number]
        return self._levels[number]


class Spiky:
    """An engine of which some calls take several times as long as they should."""

    def __init__(self, engine: Imagine, share: float, seed: int) -> None:
        self._engine, self._share, self._random = engine, share, Random(seed)
        self.active = False

    def __call__(
        self, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
        candidates: Tensor, objective: Objective,
    ) -> Tensor:
        """Imagine; now and then every step of it takes longer."""
        slowed = self.active and self._random.random() < self._share
        more = self._random.uniform(*SPIKES) - 1 if slowed else 0.0
        began_s = monotonic()

        def late(moment: Moment) -> Tensor:
            nonlocal began_s
            if more:
                sleep(more * (monotonic() - began_s))
            began_s = monotonic()
            return objective(moment)

        return self._engine(predictor, memory, goal, subset, candidates, late)


def _burn(number: int, wanted: 'Synchronized[int]') -> None:
    torch.set_num_threads(1)
    # Too large for the caches, as what a robot does beside planning is.
    field = torch.rand(1024, 1024)
    while True:
        if number < wanted.value:
            field = (field @ field).clamp(0, 1)
        else:
            sleep(0.02)
