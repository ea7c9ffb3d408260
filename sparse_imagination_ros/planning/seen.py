# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was seen last, as far back as the predictor looks."""

from collections import deque
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Sight:
    """One frame's tokens [P, D], and how many of their numbers are none."""

    stamp_s: float
    tokens: Tensor
    not_finite: int


class Seen:
    """Frames as they come; those that lie too far back are dropped."""

    def __init__(self, window: int, step_s: float) -> None:
        """Keep what a predictor looks back on: so many frames, a model step apart."""
        self._window, self._step_s = window, step_s
        self._sights: deque[Sight] = deque()

    @property
    def newest(self) -> Sight:
        """The newest frame; there must be one."""
        return self._sights[-1]

    def is_ahead_of(self, stamp_s: float) -> bool:
        """Whether a frame was seen that is not older than this."""
        return bool(self._sights) and stamp_s <= self.newest.stamp_s

    def add(self, stamp_s: float, tokens: Tensor) -> None:
        """Take in a frame, newer than all before it."""
        self._sights.append(Sight(stamp_s, tokens, int((~tokens.isfinite()).sum())))
        while self._sights[0].stamp_s < stamp_s - self._window * self._step_s:
            self._sights.popleft()

    def steps_apart(self) -> list[Sight]:
        """Return the newest frame, and before it those whole model steps back, as far as seen."""
        chosen = [self.newest]
        for back in range(1, self._window):
            wanted_s = self.newest.stamp_s - back * self._step_s
            nearest = min(self._sights, key=lambda sight: abs(sight.stamp_s - wanted_s))
            if abs(nearest.stamp_s - wanted_s) > self._step_s / 4 or nearest.not_finite:
                break
            chosen.insert(0, nearest)
        return chosen
