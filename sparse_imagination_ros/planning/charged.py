# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cycles that take as long as one says, whatever they take on this machine: plans that repeat."""

from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Memory, Objective
from sparse_imagination_ros.planning.planner import engine_of, Planner, PlannerConfig
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.predictor import Predictor


def charged(bundle: Bundle, config: PlannerConfig, cycle_ms: float) -> Planner:
    """
    Return a planner by whose stopwatch every cycle takes as long.

    It is to plan without a deadline: what fits before one would say nothing of any machine.
    """
    charge = _Charge(cycle_ms / config.iterations, engine_of(bundle, config, hurried=False))
    return Planner(bundle, config, charge.now_s, engine=charge.imagine)


class _Charge:
    """A stopwatch that stands still, however often it is read, but for the calls of the engine."""

    def __init__(self, call_ms: float, engine: Imagine) -> None:
        self._call_ms, self._now_ms, self._engine = call_ms, 0.0, engine

    def now_s(self) -> float:
        return self._now_ms / 1000

    def imagine(
        self, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
        candidates: Tensor, objective: Objective,
    ) -> Tensor:
        # Without a deadline the engine is called once in an iteration.
        self._now_ms += self._call_ms
        return self._engine(predictor, memory, goal, subset, candidates, objective)
