# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A driver that explores the Push-T table: it goes round the block, and pushes it about.

It knows where the block is, as a person who plays does. Planning never uses it.
"""

import numpy as np

from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.sim.table import RAW_STEP_S, REACH, SPEED, Table

PUSH_SHARE = 0.9
# A push begins so far from the block's centre, passes it so near at most, and ends so far behind.
APPROACH = 105.0
ASIDE = 45.0
BEHIND = (-10.0, 120.0)
# Where the disc may go, and where to blocks are pushed.
TABLE = (25.0, 487.0)
MIDDLE = (150.0, 362.0)
# Outside of this a block is not pushed outward from so near: nothing stops the disc, which would
# press it through the edge.
INSIDE = (90.0, 422.0)
NEAR = 80.0
# Shares of the farthest target: at least so much on the way to a push, and for what is then done.
HURRY = 0.6
EFFORT = (0.15, 0.8)
ARRIVED = 12.0
# Of those that are aimless, how likely an aim changes with each command.
FICKLE = 0.5
# In raw steps: how long an intent lasts at most, and one wobble.
INTENT_STEPS = (8, 60)
WOBBLE_STEPS = 4


class Pusher:
    """
    Drives the disc of one table; ask it for a command once in each raw step.

    hold: for how many raw steps a command stays the same; aimless: the share of intents that are
    none, but commands at random, from the whole range: a planner's candidates are such.
    """

    def __init__(
        self, table: Table, rng: np.random.Generator, hold: int = 1, aimless: float = 0.0,
    ) -> None:
        self._table, self._rng, self._hold, self._aimless = table, rng, hold, aimless
        self._steps_left = self._held = 0
        self._waypoints: list[Vector] = []
        # Where it goes at random; none if it has an aim.
        self._random: Vector | None = None

    def command(self) -> Vector:
        """Return where to aim, from where the disc is, [2]."""
        if self._held == 0:
            self._command, self._held = self._next(), self._hold
        self._held -= 1
        return self._command

    def _next(self) -> Vector:
        disc = self._table.pose[:2]
        while self._waypoints and np.hypot(*(self._waypoints[0] - disc)) < ARRIVED:
            self._waypoints.pop(0)
        if self._steps_left <= 0 or (not self._waypoints and self._random is None):
            self._choose()
        if self._random is not None and not self._presses_out(disc, self._random):
            return self._at_random(self._random)
        if not self._waypoints or self._presses_out(disc, self._waypoints[0] - disc):
            self._waypoints, self._random = [self._rng.uniform(*MIDDLE, 2)], None
        if self._steps_left % max(WOBBLE_STEPS, self._hold) < self._hold:
            self._wobble = self._rng.normal(0, self._unsteady, 2)
        self._steps_left -= self._hold
        away = self._waypoints[0] - disc
        hurry = HURRY * REACH if len(self._waypoints) > 1 else 0.0
        speed = max(hurry, self._speed)
        # No farther than there while the command is held.
        there = 1 / (SPEED * RAW_STEP_S * self._hold)
        toward = away * min(1.0, there, speed / max(1.0, float(np.hypot(*away))))
        return np.clip(toward + self._wobble, -REACH, REACH)

    def _choose(self) -> None:
        rng = self._rng
        self._steps_left = int(rng.integers(*INTENT_STEPS))
        self._speed = rng.uniform(*EFFORT) * REACH
        # So that not all is straight lines.
        self._unsteady = rng.choice([0.0, 0.2, 0.5]) * self._speed
        self._wobble = np.zeros(2)
        self._waypoints, self._random = [rng.uniform(*TABLE, 2)], None
        if rng.uniform() < PUSH_SHARE:
            self._waypoints = self._push()
        if self._aimless and rng.uniform() < self._aimless:
            self._waypoints, self._random = [], rng.uniform(-REACH, REACH, 2)

    def _at_random(self, command: Vector) -> Vector:
        """Go on at random: a command is half that of before, as interpolated ones are."""
        if self._rng.uniform() < FICKLE:
            self._random = (command + self._rng.uniform(-REACH, REACH, 2)) / 2
            if self._rng.uniform() < FICKLE:
                self._random = self._rng.uniform(-REACH, REACH, 2)
        self._steps_left -= self._hold
        return command

    def _presses_out(self, disc: Vector, way: Vector) -> bool:
        centre = self._table.block_centre
        outward = centre - np.clip(centre, *INSIDE)
        return bool(np.hypot(*(centre - disc)) < NEAR
                    and outward @ way > 0)

    def _push(self) -> list[Vector]:
        """Return a way round the block and through it, toward a drawn place."""
        centre, off = self._table.block_centre, self._table.pose[:2] - self._table.block_centre
        ahead = self._rng.uniform(*MIDDLE, 2) - centre
        ahead /= max(1.0, float(np.hypot(*ahead)))
        across = np.array([-ahead[1], ahead[0]])
        aside = self._rng.uniform(-ASIDE, ASIDE) * across
        way = [aside - APPROACH * ahead, aside + self._rng.uniform(*BEHIND) * ahead]
        if off @ ahead > 0:
            way.insert(0, np.copysign(APPROACH, off @ across) * across)
        return [np.clip(centre + place, *TABLE) for place in way]
