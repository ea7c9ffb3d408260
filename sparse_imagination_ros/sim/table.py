# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Push-T table: the third-party environment `gym-pusht`, as far as it is used here."""

import os
from typing import Any

import numpy as np

from sparse_imagination_ros.errors import WorldError
from sparse_imagination_ros.sim.robots import Vector
from sparse_imagination_ros.tokens.frames import Picture

SIZE = 512.0
# The environment takes one target for so long; official Push-T data and protocols count these.
RAW_STEP_S = 0.1
# The farthest target, from the disc along each axis.
REACH = 60.0
# A disc that always aims so far away goes so many times as far in a second.
SPEED = 4.0


class Table:
    """
    A disc and a block; they move a raw step at a time.

    A pose is [x, y, block x, block y, block angle], in pixels of SIZE and radians, y down.
    """

    def __init__(self, **observation: Any) -> None:
        self._env = _environment(observation)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Put disc and block where the environment likes."""
        self._env.reset(seed=seed)

    @property
    def pose(self) -> Vector:
        """Return where disc and block are, [5]."""
        disc, block = self._env.agent, self._env.block
        return np.array([*disc.position, *block.position, block.angle % (2 * np.pi)])

    @property
    def block_centre(self) -> Vector:
        """Return the block's centre of mass; its position is on the bar of the T."""
        block = self._env.block
        return np.array(block.local_to_world(block.center_of_gravity))

    def put(self, pose: Vector) -> None:
        """Put disc and block somewhere, at rest."""
        x, y, block_x, block_y, angle = map(float, pose)
        # Another space, since that of before remembers what touched, and goes on from there.
        self._env._setup()
        disc, block = self._env.agent, self._env.block
        disc.position = x, y
        # The angle first: it turns the block about its centre of mass, which moves its position.
        block.angle = angle
        block.position = block_x, block_y
        for body in (disc, block):
            self._env.space.reindex_shapes_for_body(body)

    def step(self, command: Vector) -> None:
        """Aim the disc at so far from where it is, for a raw step."""
        aim = np.array(self._env.agent.position) + command
        space = self._env.action_space
        self._env.step(np.clip(aim, space.low, space.high))

    def observe(self) -> Any:
        """Return the environment's own observation."""
        return self._env.get_obs()


class View:
    """The camera over tables. Drawing takes longer than moving: no table does it by itself."""

    def __init__(self, size: int) -> None:
        self._table = Table(obs_type='pixels', observation_width=size, observation_height=size)

    def picture(self, pose: Vector) -> Picture:
        """Return a table with disc and block there, [H, W, 3] RGB."""
        self._table.put(pose)
        picture: Picture = self._table.observe()
        return picture


def _environment(observation: dict[str, Any]) -> Any:
    # Or pygame greets whoever imports it.
    os.environ.setdefault('PYGAME_HIDE_SUPPORT_PROMPT', '1')
    try:
        from gym_pusht.envs import PushTEnv
    except ImportError as error:
        raise WorldError(
            f'Push-T needs the package gym-pusht ({error}); '
            'docs/dependencies.md says how to install it') from error
    environment = PushTEnv(**observation)
    # Its score takes a third of its time, and is not used.
    environment._get_coverage = lambda: 0.0
    return environment
