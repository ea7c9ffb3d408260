# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A machine on which time passes as a test likes: no test of deadlines depends on this one."""

from collections.abc import Callable

from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Moment, Objective
from sparse_imagination_ros.planning.aside import Aside
from sparse_imagination_ros.planning.mppi import OutOfTimeError
from sparse_imagination_ros.world_models.predictor import Predictor


class Machine:
    """Its clock moves when its engine imagines, and a little whenever it is read."""

    def __init__(self, fixed_ms: float = 1.0, each_ms: float = 0.02) -> None:
        self.now_s, self.load, self.reading_ms = 0.0, 1.0, 0.05
        self.spike: Callable[[], float] = lambda: 1.0
        self._fixed_ms, self._each_ms = fixed_ms, each_ms

    def clock(self) -> float:
        self.now_s += self.reading_ms * self.load / 1000
        return self.now_s

    def cost_ms(self, tokens: int, candidates: int) -> float:
        return self.load * (self._fixed_ms + self._each_ms * tokens * candidates)

    @property
    def engine(self) -> Imagine:
        """Find candidates the better the nearer they are to half speed."""
        def imagine(
            predictor: Predictor, memory: object, goal: Tensor, subset: Tensor, actions: Tensor,
            objective: Objective,
        ) -> Tensor:
            ms, steps = self.cost_ms(len(subset), len(actions)) * self.spike(), actions.shape[1]
            for step in range(steps):
                self.now_s += ms / steps / 1000
                imagined = goal.expand(len(actions), *goal.shape)
                objective(Moment(predictor, imagined, goal, subset, actions, step))
            return (actions - 0.5).square().mean((1, 2))
        return imagine


class SimulatedAside(Aside):
    """Whoever waits on such a machine wakes up this late."""

    def __init__(self, machine: Machine, late_ms: float = 0.2) -> None:
        self._machine, self._late_ms, self._ends_s = machine, late_ms, 0.0

    def __call__(self, compute: Callable[[], Tensor], patience_s: float) -> Tensor:
        machine = self._machine
        until_s = machine.now_s + patience_s
        try:
            answer = compute()
        except OutOfTimeError:
            answer = None
        self._ends_s = machine.now_s
        if answer is not None and machine.now_s <= until_s:
            return answer
        machine.now_s = until_s + self._late_ms / 1000
        raise OutOfTimeError

    def is_free(self, patience_s: float) -> bool:
        free = self._ends_s <= self._machine.now_s + patience_s
        self._machine.now_s = max(
            self._machine.now_s, min(self._ends_s, self._machine.now_s + patience_s))
        return free
