# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A machine on which time passes as a test likes: no test of deadlines depends on this one."""

from collections.abc import Callable

from torch import Tensor

from sparse_imagination_ros.planning.search import Imagine


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
            predictor: object, memory: object, goal: Tensor, subset: Tensor, actions: Tensor,
            objective: object,
        ) -> Tensor:
            ms = self.cost_ms(len(subset), len(actions)) * self.spike()
            self.now_s += ms / 1000
            return (actions - 0.5).square().mean((1, 2))
        return imagine
