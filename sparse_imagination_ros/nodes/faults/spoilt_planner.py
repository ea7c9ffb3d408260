# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The planner's node with an engine, and a loop of commands, in which things go wrong when told.

What goes wrong stands in a file, which is read anew with each call. The node itself is the one
that robots run: only what makes its engine is another.
"""

from collections.abc import Sequence
from importlib import import_module
import os
from pathlib import Path
import sys
import time
from typing import Any

import torch
from torch import Tensor

from sparse_imagination_ros.imagination.engines import ready_engine
from sparse_imagination_ros.imagination.reference import Imagine, Memory, Moment, Objective
from sparse_imagination_ros.nodes.planner_node import PlannerNode
from sparse_imagination_ros.nodes.publishing import steady_clock
from sparse_imagination_ros.nodes.runtime import run_node
from sparse_imagination_ros.planning.planner import Planner
from sparse_imagination_ros.world_models.predictor import Predictor

FILE_VARIABLE = 'SPOILT_PLANNER_FILE'
NOTHING, DIES, HANGS, SLOW, RAISES, MEMORY, NO_NUMBERS, LOOP_HANGS = (
    'nothing', 'dies', 'hangs', 'slow', 'raises', 'memory', 'no numbers', 'loop hangs')
# How many times as long a slow engine takes.
SLOWER = 10.0
LOOK_S = 0.02


def wrong() -> str:
    """Return what is to go wrong now."""
    return Path(os.environ[FILE_VARIABLE]).read_text(encoding='utf-8')


class SpoiltEngine:
    """An engine that does not do what it should while something is to go wrong."""

    def __init__(self, engine: Imagine) -> None:
        self._engine = engine

    def __call__(
        self, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
        candidates: Tensor, objective: Objective,
    ) -> Tensor:
        """Imagine, or do not."""
        while (what := wrong()) == HANGS:
            time.sleep(LOOK_S)
        if what == DIES:
            raise SystemExit('killed')
        if what == RAISES:
            raise RuntimeError('the engine is broken')
        if what == MEMORY:
            raise MemoryError('refused')
        began_s = time.monotonic()

        def late(moment: Moment) -> Tensor:
            nonlocal began_s
            if what == SLOW:
                time.sleep((SLOWER - 1) * (time.monotonic() - began_s))
            began_s = time.monotonic()
            return objective(moment)

        costs = self._engine(predictor, memory, goal, subset, candidates, late)
        return torch.full_like(costs, torch.nan) if what == NO_NUMBERS else costs


class SpoiltNode(PlannerNode):
    """The planner's node, whose loop of commands can hang."""

    def __init__(self) -> None:
        super().__init__()
        self.create_timer(LOOK_S, self._hang, clock=steady_clock())

    def _hang(self) -> None:
        while wrong() == LOOP_HANGS:
            time.sleep(LOOK_S)


def main(args: Sequence[str] | None = None) -> None:
    """Run the node until it is told to end."""
    def spoilt(*given: Any) -> Imagine:
        return SpoiltEngine(ready_engine(*given))

    # Where planners get their engine from.
    setattr(import_module(Planner.__module__), ready_engine.__name__, spoilt)
    sys.exit(run_node(SpoiltNode, args))


if __name__ == '__main__':
    main()
