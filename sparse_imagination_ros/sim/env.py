# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The world behind the gymnasium interface, for training and evaluation with other tools."""

from typing import Any

import gymnasium
from gymnasium import spaces
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.sim.camera import CameraConfig
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.sim.world import at_goal

Observation = dict[str, NDArray[np.uint8]]
CONTROL_PERIOD_S = 0.1
TIME_LIMIT_S = 30.0


class RoomsEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """
    Drive from room to room to where the goal picture shows the robot.

    The action is the command in the robot's own units; the reward is the approach in metres.
    """

    metadata = {  # noqa: RUF012 (gymnasium declares it so)
        'render_modes': ['rgb_array'], 'render_fps': round(1 / CONTROL_PERIOD_S)}
    render_mode = 'rgb_array'

    def __init__(
        self, robot: str = 'omnidirectional', split: str = 'training',
        camera: CameraConfig = CameraConfig(),
    ) -> None:
        self.world = Rooms(robot, camera)
        self._split = split
        limit = np.array(self.world.robot.limit, np.float32)
        self.action_space = spaces.Box(-limit, limit)
        picture = spaces.Box(0, 255, (camera.size, camera.size, 3), np.uint8)
        # gymnasium types a dictionary of spaces more widely than what it holds.
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {'image': picture, 'goal': picture})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw an episode; the same seed gives the same episode."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        self.world.reset(drawn, self._split)
        self._goal = self.world.picture_at(self.world.goal)
        return self._observe(), {'seed': drawn}

    def step(
        self, action: NDArray[np.float32],
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold a command for one control period."""
        before_m = self.world.goal_distance_m()
        self.world.send(action)
        self.world.advance(CONTROL_PERIOD_S)
        after_m = self.world.goal_distance_m()
        return (self._observe(), before_m - after_m, at_goal(self.world),
                self.world.time_s >= TIME_LIMIT_S, {'goal_distance_m': after_m})

    def render(self) -> NDArray[np.uint8]:
        """Return what the camera sees, [H, W, 3]."""
        return self.world.picture()

    def _observe(self) -> Observation:
        return {'image': self.world.picture(), 'goal': self._goal.copy()}
