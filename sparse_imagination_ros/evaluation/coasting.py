# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast a base is by the commands that it hears, and when it moved last. It plans nothing."""

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.sim.robots import Robot

Values = NDArray[np.float64]


class Coasting:
    """A base that follows commands as fast as it may, and brakes if it hears none for a while."""

    def __init__(self, robot: Robot) -> None:
        self._acceleration, self._timeout_s = np.array(robot.acceleration), robot.command_timeout_s
        self._speed = np.zeros(len(robot.limit))
        self._wanted = np.zeros_like(self._speed)
        self._heard_s = self._now_s = 0.0
        # When it moved last; never so far.
        self.moved_s = float('-inf')

    def hear(self, now_s: float, values: Values) -> None:
        """Take a command [A]; times must not go back."""
        self.advance(now_s)
        self._wanted, self._heard_s = np.array(values), now_s

    def advance(self, now_s: float) -> None:
        """Bring it to this time."""
        silent_s = self._heard_s + self._timeout_s
        if now_s > silent_s > self._now_s:
            self._follow(silent_s)
        if now_s > silent_s:
            self._wanted = np.zeros_like(self._speed)
        self._follow(now_s)

    @property
    def speed(self) -> float:
        """The largest part of its speed."""
        return float(abs(self._speed).max())

    def _follow(self, now_s: float) -> None:
        reach = self._acceleration * max(0.0, now_s - self._now_s)
        off = self._wanted - self._speed
        if self._speed.any() and not self._wanted.any():
            # It may have come to rest before now.
            self.moved_s = min(now_s, self._now_s + float((abs(off) / self._acceleration).max()))
        elif self._speed.any() or self._wanted.any():
            self.moved_s = now_s
        self._speed = self._speed + np.clip(off, -reach, reach)
        self._now_s = max(self._now_s, now_s)
