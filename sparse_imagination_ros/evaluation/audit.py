# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts commands that a robot should not have been sent. It knows the robot, not the gate."""

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.sim.robots import Robot

# Commands are float32; limits may be met exactly.
ROUNDING = 1e-6
# How far the time at which a command was seen may be off the time at which it was made: one
# command period. It forgives a change of this much more, not one of a wrong size.
SLACK_S = 0.05
# A base that heard nothing for a while has braked by itself; the next command may be off what is
# left of its speed by what this time allows.
AFTER_SILENCE_S = 0.1


class Audit:
    """Judges commands by the limits of a robot, which is at rest before the first."""

    def __init__(self, robot: Robot) -> None:
        self._limit, self._acceleration = np.array(robot.limit), np.array(robot.acceleration)
        self._timeout_s = robot.command_timeout_s
        self._last = np.zeros_like(self._limit)
        self._last_s: float | None = None
        self._first_s = 0.0
        self.commands = self.outside = 0

    def add(self, sent_s: float, values: NDArray[np.float64], rest: float = 0.0) -> bool:
        """Tell whether values [A] fit; rest: the largest part that this robot cannot follow."""
        elapsed_s = 0.0 if self._last_s is None else max(0.0, sent_s - self._last_s)
        if self._last_s is None:
            self._first_s = sent_s
        lowest = highest = self._last
        if elapsed_s > self._timeout_s - SLACK_S:
            braked = self._acceleration * max(0.0, elapsed_s - self._timeout_s)
            left = np.sign(self._last) * np.maximum(abs(self._last) - braked, 0)
            # It brakes by itself, and may be told what lies between that and rest.
            lowest, highest = np.minimum(left, 0), np.maximum(left, 0)
            elapsed_s = AFTER_SILENCE_S
        reach = self._acceleration * (elapsed_s + SLACK_S) + ROUNDING
        # Written so that what is not finite does not fit.
        fits = bool(
            (abs(values) <= self._limit + ROUNDING).all() and (values >= lowest - reach).all()
            and (values <= highest + reach).all() and rest == 0)
        self.commands += 1
        self.outside += not fits
        self._last, self._last_s = np.nan_to_num(values), sent_s
        return fits

    @property
    def rate_hz(self) -> float:
        """Return the commands per second."""
        span_s = (self._last_s or 0.0) - self._first_s
        return (self.commands - 1) / span_s if span_s > 0 else 0.0
