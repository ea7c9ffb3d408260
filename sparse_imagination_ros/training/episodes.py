# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulator's recordings on disk: shards of episodes, and the dataset made of them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import ConfigError, DataError
from sparse_imagination_ros.planning.plan import Array
from sparse_imagination_ros.sim.worlds import STATES
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.training.dataset import (
    Dataset,
    Episode,
    FACTS,
    Facts,
    load_dataset,
    new_pictures,
    save_steps,
)

EXPLORER = 'explorer'


@dataclass(frozen=True)
class Recording:
    """What all episodes of one recording share. action_low, high, acceleration: [A]."""

    robot: str
    step_s: float
    image_size: int
    picture_size: int
    action_names: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    acceleration: tuple[float, ...]
    seed: int
    episodes: int
    driver: str = EXPLORER


@dataclass(frozen=True)
class Episodes:
    """
    Episodes of equal length, those of one shard.

    frames: [E, L + 1, S, S, 3]; actions: [E, L, A], action i is the mean command between frames
    i and i + 1; poses: [E, L + 1, Q], as the world knows them.
    """

    frames: Picture
    actions: Array
    poses: NDArray[np.float32]


def save_shard(folder: Path, index: int, episodes: Episodes) -> None:
    """Write some episodes; a shard appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f'episodes-{index:03d}.part.npz'
    np.savez_compressed(
        part, frames=episodes.frames, actions=episodes.actions, poses=episodes.poses)
    part.rename(shard_path(folder, index))


def shard_path(folder: Path, index: int) -> Path:
    """Return where a shard lives."""
    return folder / f'episodes-{index:03d}.npz'


def save_recording(folder: Path, recording: Recording) -> None:
    """Write what the episodes share."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'recording.json').write_text(json.dumps(asdict(recording), indent=2) + '\n')


def load_recording(folder: Path) -> Recording:
    """Read what the episodes share."""
    try:
        values = json.loads((folder / 'recording.json').read_text())
        return build(Recording, values, str(folder))
    except FileNotFoundError:
        raise DataError(
            f'{folder}: no recording here; make one with `sparse-imagination record`') from None
    except (ValueError, AttributeError, ConfigError) as error:
        raise DataError(
            f'{folder}/recording.json is damaged ({error}); record again') from error


def dataset_from_recording(folder: Path) -> Dataset:
    """Lay a recording out for reading while training; that is done once."""
    recording = load_recording(folder)
    laid_out = folder / 'dataset'
    if not (laid_out / FACTS).exists():
        _lay_out(folder, recording, laid_out)
    return load_dataset(laid_out)


def _lay_out(folder: Path, recording: Recording, laid_out: Path) -> None:
    pictures, episodes, found = None, [], 0
    for shard in _read_shards(folder):
        _, length = shard.frames.shape[:2]
        if pictures is None:
            pictures = new_pictures(
                laid_out, recording.episodes * length, recording.image_size)
        for frames, actions, poses in zip(
                shard.frames, shard.actions, shard.poses, strict=True):
            if found == recording.episodes:
                break
            shown = np.arange(found * length, (found + 1) * length)
            pictures[shown[0]:shown[-1] + 1] = frames
            limited = actions / np.array(recording.action_high, np.float32)
            episodes.append(Episode(shown, limited, poses))
            found += 1
    if found != recording.episodes:
        raise DataError(
            f'{folder}: {found} of {recording.episodes} episodes are there; '
            'run `sparse-imagination record` again with the same arguments to complete it')
    side = recording.picture_size
    save_steps(laid_out, Facts(
        recording.robot, recording.step_s, recording.image_size, (side, side),
        recording.action_names, recording.action_low, recording.action_high,
        recording.acceleration, STATES[recording.robot].names), episodes)


def _read_shards(folder: Path) -> Iterator[Episodes]:
    for path in sorted(folder.glob('episodes-[0-9][0-9][0-9].npz')):
        try:
            with np.load(path) as file:
                yield Episodes(file['frames'], file['actions'], file['poses'])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f'{path} is damaged ({error}); delete it and record again') from error
