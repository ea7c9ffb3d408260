# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A driver that explores: it wanders and travels, so that recordings hold walls, doors and rooms.

It knows the map, as a person who drives a robot by hand does. Planning never uses it.
"""

import numpy as np

from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.sim.world import World

TRAVEL_SHARE = 0.5
THROUGH_DOOR_SHARE = 0.5
ARRIVED_M = 0.15


class Explorer:
    """Drives one world; ask it for a command at a steady rate."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = np.random.default_rng(seed)
        self._limit = np.array(world.robot.limit)
        self._until_s = -np.inf
        self._waypoints: list[Vector] = []
        self._held: Vector = np.zeros_like(self._limit)

    def command(self) -> Vector:
        """Return the command [A] for now."""
        if self._world.time_s >= self._until_s:
            self._choose()
        if not self._waypoints:
            return self._held
        away = self._waypoints[0] - self._world.pose[:2]
        if np.hypot(*away) < ARRIVED_M:
            self._waypoints.pop(0)
        return np.clip(self._toward(away) + self._held, -self._limit, self._limit)

    def _choose(self) -> None:
        rng = self._rng
        if rng.uniform() < TRAVEL_SHARE:
            self._until_s = self._world.time_s + rng.uniform(1.0, 5.0)
            self._waypoints = [rng.uniform(0.2, self._world.layout.size_m - 0.2, 2)]
            if rng.uniform() < THROUGH_DOOR_SHARE:
                self._waypoints.insert(0, np.array(self._world.layout.door))
            # A steady disturbance, so that travel is not all straight lines.
            self._held = rng.normal(0, 0.25, len(self._limit)) * self._limit
        else:
            self._until_s = self._world.time_s + rng.uniform(0.2, 1.5)
            self._waypoints = []
            effort = rng.choice([0.0, 0.5, 1.5], p=[0.1, 0.45, 0.45])
            self._held = np.clip(
                rng.uniform(-effort, effort, len(self._limit)), -1, 1) * self._limit

    def _toward(self, away: Vector) -> Vector:
        speed = self._limit[0]
        if self._world.robot.name == 'omnidirectional':
            return np.asarray(away / max(float(np.hypot(*away)), 0.3) * speed)
        error = np.arctan2(away[1], away[0]) - self._world.pose[2]
        error = (error + np.pi) % (2 * np.pi) - np.pi
        return np.array([speed * max(0.0, np.cos(error)), 2.0 * error])
