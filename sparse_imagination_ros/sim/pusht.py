# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Push-T: a disc pushes a block, to where the goal picture shows both.

Physics and pictures are those of the environment `gym-pusht`; lengths are its pixels of 512, and y
points down. What is ours: commands relative to the disc, goals, and when one is reached.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import WorldError
from sparse_imagination_ros.sim.pusher import Pusher
from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.sim.table import RAW_STEP_S, REACH, SIZE, Table, View
from sparse_imagination_ros.sim.world import episode_rng, PHYSICS_STEP_S, State
from sparse_imagination_ros.tokens.frames import Picture

TICKS = round(RAW_STEP_S / PHYSICS_STEP_S)
# A model step.
RAW_STEPS = 5
# An episode starts so many raw steps into an exploration, and its goal lies so many ahead.
LEAD_STEPS = (0, 60)
GOAL_STEPS = 25
# The share of what is recorded that is neither on the way to a push nor a push.
AIMLESS = 0.35
# Near enough: of the places of disc and block together, and of the block's angle.
PLACE_TOLERANCE = 20.0
ANGLE_TOLERANCE = np.pi / 9
# How near a pose is, for who plans: a turn moves what lies this far from the block's middle. The
# disc counts less, since it must go round the block, away from where it is to be in the end.
TURN_ARM = 60.0
DISC_COUNTS = 0.04


@dataclass(frozen=True)
class Disc:
    """
    What is commanded: how far from the disc its target lies, which sets its speed.

    It may change as it likes from one command to the next, as in official data.
    """

    name: str = 'pusht'
    action_names: tuple[str, ...] = ('linear.x', 'linear.y')
    limit: tuple[float, ...] = (REACH, REACH)
    acceleration: tuple[float, ...] = (40 * REACH, 40 * REACH)


class PushT:
    """
    The table with disc and block. Time passes only in `advance`.

    way: [T, 2], commands that lead from start to goal, one for each raw step.
    """

    state: ClassVar[State] = State(
        ('x', 'y', 'block.x', 'block.y', 'block.angle'), SIZE,
        (DISC_COUNTS, DISC_COUNTS, 1.0, 1.0, (TURN_ARM / (SIZE / 2))**2))
    step_s: ClassVar[float] = RAW_STEPS * RAW_STEP_S
    robot: ClassVar[Disc] = Disc()

    def __init__(self, picture_size: int) -> None:
        self._table, self._view = Table(), View(picture_size)
        # What may come is tried out on another table.
        self._thought = Table()
        self.reset(0)

    def reset(self, seed: int, split: str = 'training') -> None:
        """Draw a start on the way of an explorer, at rest, and a goal farther on it."""
        rng = episode_rng(seed, split)
        self._table.reset(int(rng.integers(2**31)))
        _explore(self._table, rng, int(rng.integers(*LEAD_STEPS)))
        self._table.put(self.pose)
        self._command: Vector = np.zeros(2)
        self._held = self._command
        self._ticks = 0
        self.goal, self.way = self._ahead(rng)

    @property
    def time_s(self) -> float:
        """Return the time since the reset."""
        return self._ticks * PHYSICS_STEP_S

    @property
    def pose(self) -> Vector:
        """Return where disc and block are."""
        return self._table.pose

    def send(self, command: NDArray[np.floating]) -> None:
        """Send a command; it acts from the next raw step on."""
        if not np.isfinite(command).all():
            raise WorldError(f'the disc refuses a command that is not finite: {command}')
        limit = np.array(self.robot.limit)
        self._command = np.clip(command, -limit, limit)

    def advance(self, seconds: float) -> None:
        """Let time pass; the environment moves when a raw step is over."""
        for _ in range(round(seconds / PHYSICS_STEP_S)):
            if self._ticks % TICKS == 0:
                self._held = self._command
            self._ticks += 1
            if self._ticks % TICKS == 0:
                self._table.step(self._held)

    def picture(self) -> Picture:
        """Return what the camera sees, [H, W, 3] RGB."""
        return self.picture_at(self.pose)

    def picture_at(self, pose: Vector) -> Picture:
        """Return what the camera would see if disc and block were there."""
        return self._view.picture(pose)

    def away(self, pose: Vector) -> float:
        """Return how far a pose is, as a multiple of what counts as there."""
        apart = self.pose - pose
        turn = (apart[4] + np.pi) % (2 * np.pi) - np.pi
        return max(float(np.linalg.norm(apart[:4])) / PLACE_TOLERANCE,
                   abs(float(turn)) / ANGLE_TOLERANCE)

    def draw_place(self, rng: np.random.Generator) -> Vector:
        """Draw a pose that exploring leads to from here, and that is not here."""
        return self._ahead(rng)[0]

    def explorer(self, seed: int) -> Pusher:
        """Return who pushes the block about, by commands that are held as those of a plan are."""
        return Pusher(self._table, np.random.default_rng(seed), RAW_STEPS, AIMLESS)

    def _ahead(self, rng: np.random.Generator) -> tuple[Vector, Vector]:
        """Return a pose that exploring leads to, and by which commands."""
        while True:
            self._thought.put(self.pose)
            commands = _explore(self._thought, rng, GOAL_STEPS)
            if self.away(self._thought.pose) > 1:
                return self._thought.pose, commands


def _explore(table: Table, rng: np.random.Generator, steps: int) -> Vector:
    """Push about, and return by which commands, [T, 2]."""
    pusher = Pusher(table, rng)
    commands = np.zeros((steps, 2))
    for command in commands:
        command[:] = pusher.command()
        table.step(command)
    return commands
