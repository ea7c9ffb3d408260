# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A driver that explores the Push-T table: it goes round the block, and pushes it about.

It knows where the block is, as a person who plays does. Planning never uses it.
"""

import numpy as np

from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.sim.table import Table

PUSH_SHARE = 0.8
# A push begins so far from the block's centre, passes it so near at most, and ends so far behind.
APPROACH = 100.0
ASIDE = 45.0
BEHIND = (-40.0, 60.0)
# Where the disc may go, and where to blocks are pushed, so that they do not end up in corners.
TABLE = (25.0, 487.0)
MIDDLE = (150.0, 362.0)
# Shares of the farthest target, for the targets of an intent.
EFFORT = (0.15, 0.8)
ARRIVED = 12.0
# In raw steps: how long an intent lasts at most, and one wobble.
INTENT_STEPS = (8, 45)
WOBBLE_STEPS = 4


class Pusher:
    """Drives the disc of one table; ask it for a command once in each raw step."""

    def __init__(self, table: Table, rng: np.random.Generator, reach: float) -> None:
        self._table, self._rng, self._reach = table, rng, reach
        self._steps_left = 0
        self._waypoints: list[Vector] = []

    def command(self) -> Vector:
        """Return where to aim, from where the disc is, [2]."""
        disc = self._table.pose[:2]
        while self._waypoints and np.hypot(*(self._waypoints[0] - disc)) < ARRIVED:
            self._waypoints.pop(0)
        if self._steps_left == 0 or not self._waypoints:
            self._choose()
        if self._steps_left % WOBBLE_STEPS == 0:
            self._wobble = self._rng.normal(0, self._unsteady, 2)
        self._steps_left -= 1
        away = self._waypoints[0] - disc
        toward = away * min(1.0, self._speed / max(1.0, float(np.hypot(*away))))
        return np.clip(toward + self._wobble, -self._reach, self._reach)

    def _choose(self) -> None:
        rng = self._rng
        self._steps_left = int(rng.integers(*INTENT_STEPS))
        self._speed = rng.uniform(*EFFORT) * self._reach
        # So that not all is straight lines.
        self._unsteady = rng.choice([0.0, 0.2, 0.5]) * self._speed
        self._wobble = np.zeros(2)
        self._waypoints = [rng.uniform(*TABLE, 2)]
        if rng.uniform() < PUSH_SHARE:
            self._waypoints = self._push()

    def _push(self) -> list[Vector]:
        """Return a way to behind the block and through it, toward a drawn place."""
        centre = self._table.block_centre
        ahead = self._rng.uniform(*MIDDLE, 2) - centre
        ahead /= max(1.0, float(np.hypot(*ahead)))
        across = np.array([-ahead[1], ahead[0]]) * self._rng.uniform(-ASIDE, ASIDE)
        way = [centre + across - APPROACH * ahead,
               centre + across + self._rng.uniform(*BEHIND) * ahead]
        return [np.clip(place, *TABLE) for place in way]
