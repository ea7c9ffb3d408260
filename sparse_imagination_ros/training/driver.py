# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A driver that plans with a bundle, from one drawn place to the next.

A search finds what a world model is wrong about, and drives there. Recordings of it hold what
really happens then, which no explorer knows to record.
"""

import numpy as np

from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.plan import CommandHistory, HISTORY_S, Plan
from sparse_imagination_ros.planning.planner import PlannerConfig
from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.sim.world import World
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle

# Few, since more episodes teach more than better plans do.
TOKENS = 4
# Low, so that it is in a hurry: such a planner runs against more walls.
GROWTH = 1.5
# Of how near is there.
ARRIVED = 1.25
# A goal that is not reached is given up after so many steps, at least and below.
PATIENCE = (6, 13)


class PlannerDriver:
    """Drives one world; ask it for a command at a steady rate."""

    def __init__(self, world: World, bundle: Bundle, seed: int) -> None:
        self._world, self._step_s = world, bundle.manifest.step_s
        self._rng = np.random.default_rng(seed)
        # A world that waits for its plans, and a recording that is the same each time.
        self._planner = charged(
            bundle, PlannerConfig(tokens=TOKENS, growth=GROWTH, seed=seed % 2**31), 0.0)
        self._sent = CommandHistory(len(world.robot.limit), HISTORY_S)
        self._limit = np.array(world.robot.limit)
        self._steps_left = 0
        self._goal: Vector = world.pose.copy()
        self._plan: Plan | None = None

    def command(self) -> Vector:
        """Return the command [A] for now."""
        now_s = self._world.time_s
        # Half a millisecond, since time is a sum of rounded steps.
        if self._plan is None or now_s > self._plan.start_s + self._step_s - 0.0005:
            self._plan = self._next_plan()
        command = np.clip(self._plan.at(now_s + 0.0005), -self._limit, self._limit)
        self._sent.add(now_s, command)
        return np.asarray(command, float)

    def _next_plan(self) -> Plan:
        world = self._world
        if self._steps_left == 0 or world.away(self._goal) < ARRIVED:
            self._steps_left = int(self._rng.integers(*PATIENCE))
            self._goal = world.draw_place(self._rng)
            self._planner.set_goal(world.picture_at(self._goal))
        self._steps_left -= 1
        return self._planner.plan(Frame(world.time_s, world.picture()), self._sent).plan
