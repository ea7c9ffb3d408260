# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A world of rooms that moves on its own clock: commands in, pictures out. No ROS here."""

from collections import deque
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import WorldError
from sparse_imagination_ros.sim.camera import Camera, CameraConfig
from sparse_imagination_ros.sim.explore import Explorer
from sparse_imagination_ros.sim.layouts import draw_layout, draw_place, Layout, SIZE_M
from sparse_imagination_ros.sim.robots import BaseConfig, Robot, robot, Vector
from sparse_imagination_ros.sim.world import PHYSICS_STEP_S, State

GOAL_RADIUS_M = 0.2


class Rooms:
    """Two rooms, a door and one robot. Time passes only in `advance`."""

    state: ClassVar[State] = State(('x', 'y', 'heading'), SIZE_M)
    step_s: ClassVar[float] = 0.6

    def __init__(
        self, robot_name: str, camera: CameraConfig = CameraConfig(),
        base: BaseConfig = BaseConfig(),
    ) -> None:
        self.robot: Robot = robot(robot_name)
        self._base = base
        self._camera = Camera(camera)
        self.reset(0)

    def reset(self, seed: int, split: str = 'training') -> None:
        """Draw a new layout and put the robot at its start, at rest."""
        self.layout: Layout = draw_layout(seed, split, self.robot.radius_m, self._heading_free)
        self.pose: Vector = np.array(self.layout.start)
        self.velocity: Vector = np.zeros(len(self.robot.limit))
        self.time_s = 0.0
        self._camera.reset(seed)
        size = len(self.robot.limit)
        rng = np.random.default_rng([seed, size])
        # Too fast, too slow, and what is meant for one direction leaks into another.
        self._drifted: NDArray[np.float64] = (
            np.eye(size) + self._base.drift * rng.uniform(-1, 1, (size, size)))
        self._waiting: deque[tuple[float, Vector]] = deque()
        self._command: Vector = np.zeros_like(self.velocity)
        self._command_s = -np.inf

    def send(self, command: NDArray[np.floating]) -> None:
        """Send a command [A] to the base; it acts after the actuator's delay."""
        if not np.isfinite(command).all():
            raise WorldError(f'the base refuses a command that is not finite: {command}')
        self._waiting.append((self.time_s, np.clip(command, -self._limit, self._limit)))

    def advance(self, seconds: float) -> None:
        """Let the world run."""
        for _ in range(round(seconds / PHYSICS_STEP_S)):
            self.time_s += PHYSICS_STEP_S
            self._take_command()
            change = np.array(self.robot.acceleration) * PHYSICS_STEP_S
            self.velocity += np.clip(self._command - self.velocity, -change, change)
            moving = self._drifted @ self.velocity
            self._move(self.robot.motion(moving, self.pose[2]) * PHYSICS_STEP_S)

    @property
    def goal(self) -> Vector:
        """Return the pose (x, y, heading) to be reached; its heading is free."""
        return np.array(self.layout.goal)

    def away(self, pose: Vector) -> float:
        """Return how far a place is, as a multiple of how near is there."""
        return self._distance_m(pose) / GOAL_RADIUS_M

    def goal_distance_m(self) -> float:
        """Return how far the robot's centre is from the goal's."""
        return self._distance_m(self.goal)

    def picture(self) -> NDArray[np.uint8]:
        """Return what the ceiling camera sees, [H, W, 3] RGB."""
        return self.picture_at(self.pose)

    def picture_at(self, pose: Vector) -> NDArray[np.uint8]:
        """Return what the camera would see if the robot were there."""
        return self._camera.picture(self.layout, pose, self.robot.radius_m)

    def draw_place(self, rng: np.random.Generator) -> Vector:
        """Draw a pose in one of the rooms."""
        return np.array(
            draw_place(self.layout, rng, self.robot.radius_m, self._heading_free))

    def explorer(self, seed: int) -> Explorer:
        """Return who wanders, travels and presses on walls."""
        return Explorer(self, seed)

    def _distance_m(self, pose: Vector) -> float:
        return float(np.hypot(*(self.pose[:2] - pose[:2])))

    @property
    def _heading_free(self) -> bool:
        return self.robot.name == 'differential'

    @property
    def _limit(self) -> Vector:
        return np.array(self.robot.limit)

    def _take_command(self) -> None:
        while self._waiting and self._waiting[0][0] + self.robot.delay_s <= self.time_s:
            self._command_s, self._command = self._waiting.popleft()
        # Like a real base: silence means stop.
        if self.time_s - self._command_s > self.robot.delay_s + self.robot.command_timeout_s:
            self._command = np.zeros_like(self._command)

    def _move(self, step: Vector) -> None:
        self.pose += step
        self.pose[2] = (self.pose[2] + np.pi) % (2 * np.pi) - np.pi
        radius = self.robot.radius_m
        for block in self.layout.blocks:
            nearest = np.clip(
                self.pose[:2], (block.left, block.bottom), (block.right, block.top))
            away = self.pose[:2] - nearest
            distance = np.hypot(*away)
            # One physics step is far smaller than the radius: the centre never enters a block.
            if 0 < distance < radius:
                self.pose[:2] = nearest + away * (radius / distance)
        self.pose[:2] = np.clip(self.pose[:2], radius, self.layout.size_m - radius)
