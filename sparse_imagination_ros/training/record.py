# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records episodes in the simulator, a shard at a time; a stopped recording is completed later."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.sim.camera import CameraConfig
from sparse_imagination_ros.sim.explore import Explorer
from sparse_imagination_ros.sim.robots import robot
from sparse_imagination_ros.sim.world import World
from sparse_imagination_ros.tokens.frames import shrink
from sparse_imagination_ros.training.episodes import (
    Episodes,
    load_recording,
    Recording,
    save_recording,
    save_shard,
    shard_path,
)

COMMAND_PERIOD_S = 0.1
SHARD_EPISODES = 100


@dataclass(frozen=True)
class RecordConfig:
    """How much to record, and of what."""

    robot: str = setting('omnidirectional', 'simulated base',
                         choices=('omnidirectional', 'differential'))
    episodes: int = setting(6000, 'how many episodes', 1, 99900)
    steps: int = setting(24, 'model steps in an episode', 4, 1000)
    step_s: float = setting(0.6, 'length of a model step, seconds', 0.1, 2.0)
    image_size: int = setting(96, 'side of the stored pictures, pixels', 32, 512)
    seed: int = setting(0, 'seed of layouts and of the explorer', 0, 2**31)


def record(config: RecordConfig, folder: Path, progress: Callable[[int], None]) -> None:
    """Record what is still missing; `progress` is told the number of finished episodes."""
    base = robot(config.robot)
    recording = Recording(
        config.robot, config.step_s, config.image_size, CameraConfig().size, base.action_names,
        tuple(-v for v in base.limit), base.limit, base.acceleration, config.seed,
        config.episodes)
    if (folder / 'recording.json').exists() and load_recording(folder) != recording:
        raise DataError(f'{folder} holds another recording; choose another folder or delete it')
    save_recording(folder, recording)
    for first in range(0, config.episodes, SHARD_EPISODES):
        numbers = range(first, min(first + SHARD_EPISODES, config.episodes))
        index = first // SHARD_EPISODES
        if not shard_path(folder, index).exists():
            save_shard(folder, index, _record_shard(config, numbers))
        progress(numbers[-1] + 1)


def _record_shard(config: RecordConfig, numbers: range) -> Episodes:
    world = World(config.robot)
    episodes = [_record_episode(world, config, number) for number in numbers]
    return Episodes(*(np.stack(part) for part in zip(*episodes, strict=True)))


def _record_episode(
    world: World, config: RecordConfig, number: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Runs with different seeds share no layout.
    seed = config.seed * 1_000_000 + number
    world.reset(seed)
    explorer = Explorer(world, seed)
    ticks = round(config.step_s / COMMAND_PERIOD_S)
    frames, actions, poses = [_picture(world, config)], [], [world.pose.copy()]
    for _ in range(config.steps):
        commands = []
        for _ in range(ticks):
            commands.append(explorer.command())
            world.send(commands[-1])
            world.advance(COMMAND_PERIOD_S)
        frames.append(_picture(world, config))
        actions.append(np.mean(commands, 0))
        poses.append(world.pose.copy())
    return (np.stack(frames), np.stack(actions).astype(np.float32),
            np.array(poses, np.float32))


def _picture(world: World, config: RecordConfig) -> np.ndarray:
    return shrink(world.picture(), config.image_size)
