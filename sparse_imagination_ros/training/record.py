# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records episodes in the simulator, a shard at a time; a stopped recording is completed later."""

from collections.abc import Callable, Iterable
from concurrent.futures import as_completed, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
import os
from pathlib import Path

import numpy as np
import torch

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.sim.world import World
from sparse_imagination_ros.sim.worlds import make_world, STATES
from sparse_imagination_ros.tokens.frames import shrink
from sparse_imagination_ros.training.driver import PlannerDriver
from sparse_imagination_ros.training.episodes import (
    Episodes,
    EXPLORER,
    load_recording,
    Recording,
    save_recording,
    save_shard,
    shard_path,
)
from sparse_imagination_ros.world_models.bundle import Bundle

COMMAND_PERIOD_S = 0.1
SHARD_EPISODES = 100


@dataclass(frozen=True)
class RecordConfig:
    """How much to record, and of what."""

    robot: str = setting('omnidirectional', 'simulated robot', choices=tuple(STATES))
    episodes: int = setting(6000, 'how many episodes', 1, 99900)
    steps: int = setting(24, 'model steps in an episode', 4, 1000)
    step_s: float = setting(
        0.0, 'length of a model step, seconds; 0: what suits the robot', 0.0, 2.0)
    image_size: int = setting(96, 'side of the stored pictures, pixels', 32, 512)
    seed: int = setting(0, 'seed of layouts and of the driver', 0, 2**31)
    processes: int = setting(0, 'how many record at once; 0: one per processor', 0, 1024)


def record(
    config: RecordConfig, folder: Path, progress: Callable[[int], None],
    bundle_folder: Path | None = None,
) -> None:
    """
    Record what is still missing; `progress` is told the number of finished episodes.

    An explorer drives, or with a bundle its planner.
    """
    world = make_world(config.robot)
    config, base = replace(config, step_s=config.step_s or world.step_s), world.robot
    if config.step_s < COMMAND_PERIOD_S:
        raise DataError(
            f'a model step of {config.step_s} s is shorter than a command, which lasts '
            f'{COMMAND_PERIOD_S} s; choose a longer one')
    driver = EXPLORER
    if bundle_folder:
        driver = _driver_of(config, Bundle.load(bundle_folder))
    recording = Recording(
        config.robot, config.step_s, config.image_size, world.picture().shape[0],
        base.action_names, tuple(-v for v in base.limit), base.limit, base.acceleration,
        config.seed, config.episodes, driver)
    if (folder / 'recording.json').exists() and load_recording(folder) != recording:
        raise DataError(f'{folder} holds another recording; choose another folder or delete it')
    save_recording(folder, recording)
    shards = range(-(-config.episodes // SHARD_EPISODES))
    missing = [index for index in shards if not shard_path(folder, index).exists()]
    done = sum(len(_numbers(config, index)) for index in shards if index not in missing)
    for index in _recorded(partial(_record_shard, config, folder, bundle_folder), missing,
                           config.processes or os.cpu_count() or 1):
        done += len(_numbers(config, index))
        progress(done)


def _driver_of(config: RecordConfig, bundle: Bundle) -> str:
    manifest = bundle.manifest
    if (manifest.robot, manifest.step_s) != (config.robot, config.step_s):
        raise DataError(
            f'bundle `{manifest.name}` drives the {manifest.robot} robot in steps of '
            f'{manifest.step_s} s; this recording is of the {config.robot} robot in steps of '
            f'{config.step_s} s')
    return manifest.name


def _recorded(
    record_shard: Callable[[int], int], missing: list[int], processes: int,
) -> Iterable[int]:
    """Record shards, and yield the number of each when it is there."""
    if min(processes, len(missing)) < 2:
        yield from map(record_shard, missing)
        return
    # Spawned, not forked: torch has threads by now.
    with ProcessPoolExecutor(min(processes, len(missing)), get_context('spawn')) as pool:
        for finished in as_completed([pool.submit(record_shard, index) for index in missing]):
            yield finished.result()


def _numbers(config: RecordConfig, index: int) -> range:
    first = index * SHARD_EPISODES
    return range(first, min(first + SHARD_EPISODES, config.episodes))


def _record_shard(
    config: RecordConfig, folder: Path, bundle_folder: Path | None, index: int,
) -> int:
    # Each process has a processor to itself; and with one thread sums are always the same.
    torch.set_num_threads(1)
    bundle = Bundle.load(bundle_folder) if bundle_folder else None
    world = make_world(config.robot)
    episodes = [_record_episode(world, config, bundle, number)
                for number in _numbers(config, index)]
    save_shard(folder, index, Episodes(*(np.stack(part) for part in zip(*episodes, strict=True))))
    return index


def _record_episode(
    world: World, config: RecordConfig, bundle: Bundle | None, number: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Runs with different seeds share no layout.
    seed = config.seed * 1_000_000 + number
    world.reset(seed)
    driver = PlannerDriver(world, bundle, seed) if bundle else world.explorer(seed)
    ticks = round(config.step_s / COMMAND_PERIOD_S)
    frames, actions, poses = [_picture(world, config)], [], [world.pose.copy()]
    for _ in range(config.steps):
        commands = []
        for _ in range(ticks):
            commands.append(driver.command())
            world.send(commands[-1])
            world.advance(COMMAND_PERIOD_S)
        frames.append(_picture(world, config))
        actions.append(np.mean(commands, 0))
        poses.append(world.pose.copy())
    return (np.stack(frames), np.stack(actions).astype(np.float32),
            np.array(poses, np.float32))


def _picture(world: World, config: RecordConfig) -> np.ndarray:
    return shrink(world.picture(), config.image_size)
