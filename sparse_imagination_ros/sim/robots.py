# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How simulated robots move: command limits, acceleration, delay and kinematics. No walls here."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import WorldError

Vector = NDArray[np.float64]


class Motion(Protocol):
    """Velocity in the robot's command space [A] at a heading -> pose rate [x, y, heading]."""

    def __call__(self, velocity: Vector, heading: float) -> Vector: ...


@dataclass(frozen=True)
class BaseConfig:
    """What is wrong with the simulated base."""

    drift: float = setting(
        0.0, 'by which share of its speed the base is off at most, in each direction, drawn per '
             'episode', 0.0, 0.5)


@dataclass(frozen=True)
class Robot:
    """A disc-shaped base. limit and acceleration: [A], symmetric about zero."""

    name: str
    action_names: tuple[str, ...]
    limit: tuple[float, ...]
    acceleration: tuple[float, ...]
    motion: Motion
    radius_m: float = 0.15
    delay_s: float = 0.1
    command_timeout_s: float = 0.3


def _omnidirectional(velocity: Vector, heading: float) -> Vector:
    # The heading never changes, so that robot and world axes agree.
    return np.array([velocity[0], velocity[1], 0.0])


def _differential(velocity: Vector, heading: float) -> Vector:
    forward, turn = velocity
    return np.array([forward * np.cos(heading), forward * np.sin(heading), turn])


ROBOTS = {
    robot.name: robot
    for robot in (
        Robot('omnidirectional', ('linear.x', 'linear.y'), (1.0, 1.0), (2.5, 2.5),
              _omnidirectional),
        Robot('differential', ('linear.x', 'angular.z'), (1.0, 2.5), (2.5, 8.0), _differential),
    )
}


def robot(name: str) -> Robot:
    """Return the robot of this name."""
    if name not in ROBOTS:
        raise WorldError(f'robot `{name}` is not known; choose one of {", ".join(ROBOTS)}')
    return ROBOTS[name]
