# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A planner by rule, for tests: finds the robot in the picture and knows where the door is."""

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.planning.plan import CommandHistory, Plan
from sparse_imagination_ros.planning.planner import Cycle
from sparse_imagination_ros.sim.layouts import Layout
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Frame, Picture

STEP_S, STEPS, SPEED, TOKENS, GRID = 0.1, 12, 0.6, 16, 8


def limits_of(world: Rooms, staleness_s: float = 0.5) -> Limits:
    """Return the limits of the world's own robot."""
    high = np.array(world.robot.limit, np.float32)
    return Limits(-high, high, np.array(world.robot.acceleration, np.float32), staleness_s)


class Guide:
    """Drives the omnidirectional base through the door; remembers when it was asked."""

    def __init__(self, world: Rooms, total_ms: float = 40.0) -> None:
        self._world, self._total_ms = world, total_ms
        self.asked: list[tuple[float, float]] = []

    def set_goal(self, picture: Picture) -> None:
        """Find the robot in the goal picture."""
        self._goal = _robot_in(picture, self._world.layout.size_m)
        self._rng = np.random.default_rng(0)

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float = 0.0) -> Cycle:
        """Follow the waypoints in thought."""
        del sent, waited_s
        self.asked.append((self._world.time_s, frame.stamp_s))
        position = _robot_in(frame.rgb, self._world.layout.size_m)
        actions = np.zeros((STEPS, 2), np.float32)
        for action in actions:
            way = _waypoint(self._world.layout, position, self._goal) - position
            action[:] = 3 * way * min(1, SPEED / max(1e-9, np.linalg.norm(3 * way)))
            position = position + action * STEP_S
        subset = np.sort(self._rng.choice(GRID**2, TOKENS, replace=False))
        return Cycle(
            plan=Plan(frame.stamp_s, frame.stamp_s, STEP_S, actions), encode_ms=2.0,
            imagine_ms=self._total_ms - 2.0, total_ms=self._total_ms, tokens=TOKENS,
            candidates=1, iterations=1, encodes=1, subset=subset, cost=0.0)


def _robot_in(picture: Picture, size_m: float) -> NDArray[np.float64]:
    red = (picture[..., 0] > 150) & (picture[..., 1] < 120)
    rows, columns = np.nonzero(red)
    scale = size_m / len(picture)
    return np.array([(columns.mean() + 0.5) * scale, size_m - (rows.mean() + 0.5) * scale])


def _waypoint(
    layout: Layout, position: NDArray[np.float64], goal: NDArray[np.float64],
) -> NDArray[np.float64]:
    upright = layout.upright
    across, along = (0, 1) if upright else (1, 0)
    wall, door = layout.door[across], layout.door[along]
    side = np.sign(goal[across] - wall)
    if side * (position[across] - wall) > 0.25:
        return goal
    target = np.empty(2)
    aligned = abs(position[along] - door) < 0.12
    target[across] = wall + side * (0.5 if aligned else -0.3)
    target[along] = door
    return target
