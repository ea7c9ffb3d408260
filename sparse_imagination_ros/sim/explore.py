# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A driver that explores: it wanders, travels, and runs against walls, so that recordings hold all.

It knows the map, as a person who drives a robot by hand does. Planning never uses it.
"""

from typing import TYPE_CHECKING

import numpy as np

from sparse_imagination_ros.sim.robots import Vector

if TYPE_CHECKING:
    from sparse_imagination_ros.sim.rooms import Rooms

WANDER_SHARE = 0.4
THROUGH_DOOR_SHARE = 0.5
ARRIVED_M = 0.15
WOBBLE_PERIOD_S = 0.6
# Directions against the wall are up to so far from straight, radians.
STEEPEST = 1.3
FAR_M = 10.0


class Explorer:
    """Drives one world; ask it for a command at a steady rate."""

    def __init__(self, world: 'Rooms', seed: int) -> None:
        self._world = world
        self._rng = np.random.default_rng(seed)
        self._limit = np.array(world.robot.limit)
        self._until_s = -np.inf
        self._waypoints: list[Vector] = []
        self._held: Vector = np.zeros_like(self._limit)
        self._wobble, self._wobbled_s = 0.0, -np.inf

    def command(self) -> Vector:
        """Return the command [A] for now."""
        if self._world.time_s >= self._until_s:
            self._choose()
        if not self._waypoints:
            return self._held
        if self._world.time_s >= self._wobbled_s + WOBBLE_PERIOD_S:
            self._wobbled_s = self._world.time_s
            self._held = self._rng.normal(0, self._wobble, len(self._limit)) * self._limit
        away = self._waypoints[0] - self._world.pose[:2]
        if np.hypot(*away) < ARRIVED_M:
            self._waypoints.pop(0)
        return np.clip(self._toward(away) + self._held, -self._limit, self._limit)

    def _choose(self) -> None:
        rng, now_s = self._rng, self._world.time_s
        if rng.uniform() < WANDER_SHARE:
            self._until_s = now_s + rng.uniform(0.2, 1.5)
            self._waypoints = []
            effort = rng.choice([0.0, 0.5, 1.5], p=[0.1, 0.45, 0.45])
            self._held = np.clip(
                rng.uniform(-effort, effort, len(self._limit)), -1, 1) * self._limit
            return
        self._until_s = now_s + rng.uniform(1.0, 5.0)
        # So that not all is straight lines.
        self._wobble, self._wobbled_s = rng.choice([0.0, 0.3, 0.6]), -np.inf
        layout = self._world.layout
        if rng.uniform() < THROUGH_DOOR_SHARE:
            somewhere = rng.uniform(0.2, layout.size_m - 0.2, 2)
            self._waypoints = [np.array(layout.door), somewhere]
        else:
            self._waypoints = [self._world.pose[:2] + FAR_M * self._against_the_wall()]

    def _against_the_wall(self) -> Vector:
        """Return a direction: a planner that does not know a wall well ends up pressing on it."""
        axis = 0 if self._world.layout.upright else 1
        turn = self._rng.uniform(-STEEPEST, STEEPEST)
        direction = np.array([np.cos(turn), np.sin(turn)])
        direction[0] *= np.sign(self._world.layout.door[axis] - self._world.pose[axis])
        return direction if axis == 0 else direction[::-1]

    def _toward(self, away: Vector) -> Vector:
        speed = self._limit[0]
        if self._world.robot.name == 'omnidirectional':
            return np.asarray(away / max(float(np.hypot(*away)), 0.3) * speed)
        error = np.arctan2(away[1], away[0]) - self._world.pose[2]
        error = (error + np.pi) % (2 * np.pi) - np.pi
        return np.array([speed * max(0.0, np.cos(error)), 2.0 * error])
