# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What recording and evaluation ask of a simulated world, whichever it is. No world lives here."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import WorldError
from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.tokens.frames import Picture

# All worlds can be advanced by whole numbers of this.
PHYSICS_STEP_S = 0.02
SPLITS = ('training', 'held_out')


@dataclass(frozen=True)
class State:
    """
    What a pose [Q] says: places from 0 to `size` along one axis each, and last an angle.

    counts: how much the square of each counts in that of how far two poses are apart, of the angle
    that of a turn's chord; none where that would mislead, since walls stand between places.
    """

    names: tuple[str, ...]
    size: float
    counts: tuple[float, ...] = ()


class Driven(Protocol):
    """What is commanded. limit and acceleration: [A], symmetric about zero."""

    @property
    def name(self) -> str: ...

    @property
    def action_names(self) -> tuple[str, ...]: ...

    @property
    def limit(self) -> tuple[float, ...]: ...

    @property
    def acceleration(self) -> tuple[float, ...]: ...


class Driver(Protocol):
    """Drives one world; ask it for a command at a steady rate."""

    def command(self) -> Vector:
        """Return the command [A] for now."""


class World(Protocol):
    """
    A robot in view of a camera. Time passes only in `advance`.

    step_s: a model step that suits it.
    """

    state: ClassVar[State]
    step_s: ClassVar[float]

    @property
    def robot(self) -> Driven: ...

    @property
    def time_s(self) -> float: ...

    @property
    def pose(self) -> Vector:
        """Return what `state` names, as it is now, [Q]; not to be written to."""

    @property
    def goal(self) -> Vector:
        """Return the pose to be reached."""

    def reset(self, seed: int, split: str = 'training') -> None:
        """Draw an episode; the same seed gives the same one."""

    def send(self, command: NDArray[np.floating]) -> None:
        """Send a command [A] to the robot."""

    def advance(self, seconds: float) -> None:
        """Let the world run."""

    def picture(self) -> Picture:
        """Return what the camera sees, [H, W, 3] RGB."""

    def picture_at(self, pose: Vector) -> Picture:
        """Return what the camera would see if all were there."""

    def away(self, pose: Vector) -> float:
        """Return how far a pose is, as a multiple of how near is there."""

    def draw_place(self, rng: np.random.Generator) -> Vector:
        """Draw a pose that makes a goal from here."""

    def explorer(self, seed: int) -> Driver:
        """Return who drives where there is something to learn."""


def at_goal(world: World) -> bool:
    """Tell whether all is where the goal picture shows it."""
    return world.away(world.goal) <= 1


def episode_rng(seed: int, split: str) -> np.random.Generator:
    """Return what draws an episode; splits have no episode in common."""
    if split not in SPLITS:
        raise WorldError(f'split `{split}` is not known; choose one of {", ".join(SPLITS)}')
    return np.random.default_rng([SPLITS.index(split), seed])
