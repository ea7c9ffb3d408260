# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A machine on which time passes as a test likes: no test of deadlines depends on this one."""

from collections.abc import Callable

from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Moment, Objective
from sparse_imagination_ros.world_models.predictor import Predictor


class Machine:
    """Its clock moves when its engine imagines, and a little whenever it is read."""

    def __init__(
        self, fixed_ms: float = 1.0, each_ms: float = 0.02, shows_steps: bool = True,
    ) -> None:
        self.now_s, self.load, self.reading_ms = 0.0, 1.0, 0.05
        self.spike: Callable[[], float] = lambda: 1.0
        self._fixed_ms, self._each_ms, self._shows_steps = fixed_ms, each_ms, shows_steps

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
            if not self._shows_steps:
                self.now_s += ms / 1000
            else:
                for step in range(steps):
                    self.now_s += ms / steps / 1000
                    imagined = goal.expand(len(actions), *goal.shape)
                    objective(Moment(predictor, imagined, goal, subset, actions, step))
            return (actions - 0.5).square().mean((1, 2))
        return imagine
