# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Makes a dataset from a folder of the official DINO-WM data: Push-T, PointMaze or Wall.

Whatever a file names, nothing of it is run.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import CheckpointError, DataError
from sparse_imagination_ros.sim.pusht import PushT
from sparse_imagination_ros.sim.table import RAW_STEP_S
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.training.dataset import (
    Album,
    Dataset,
    dataset_made_of,
    Episode,
    Facts,
    identity,
    save_steps,
)
from sparse_imagination_ros.world_models.unpickling import read_pickled_numbers

Values = NDArray[np.float32]


@dataclass(frozen=True)
class OfficialConfig:
    """What to take of an official dataset, and how finely."""

    frameskip: int = setting(5, 'raw steps in a model step', 1, 100)
    trajectories: int = setting(0, 'only the first so many; 0 for all', 0, 10**6)


@dataclass(frozen=True)
class Kind:
    """
    One of the official datasets; the file `actions` and `lengths` together tell which one it is.

    limit, acceleration: of raw actions, which last raw_step_s each. lengths and velocities: files
    that not all of them have. senses: names of the first numbers in states and velocities.
    """

    robot: str
    actions: str
    lengths: str | None
    velocities: str | None
    pictures: str
    senses: tuple[str, ...]
    limit: float
    acceleration: float
    raw_step_s: float


ACTIONS = PushT.robot.action_names
# The wall's environment knows no time; its steps are taken to be as long as those of Push-T.
# Outside of Push-T a raw action may be followed by its opposite.
KINDS = (
    Kind(PushT.robot.name, 'rel_actions.pth', 'seq_lengths.pkl', 'velocities.pth', '.mp4',
         (*PushT.state.names, 'velocity.x', 'velocity.y'), PushT.robot.limit[0],
         PushT.robot.acceleration[0], RAW_STEP_S),
    Kind('point_maze', 'actions.pth', 'seq_lengths.pth', None, '.pth',
         ('x', 'y', 'velocity.x', 'velocity.y'), 1.0, 2 * 1.0 / 0.05, 0.05),
    Kind('wall', 'actions.pth', None, None, '.pth', ('x', 'y'), 1.8, 2 * 1.8 / RAW_STEP_S,
         RAW_STEP_S),
)


@dataclass(frozen=True)
class Trajectories:
    """All but the pictures. lengths: [N]; actions: [N, T, A], as shares of the limit."""

    lengths: NDArray[np.int64]
    actions: Values
    sensed: Values


def dataset_from_official(
    folder: Path, config: OfficialConfig, image_size: int, into: Path,
    report: Callable[[int, int], None],
) -> Dataset:
    """Read an official folder into another, or return what an earlier run has read of it."""
    if (folder / 'train').is_dir():
        folder = folder / 'train'
    kind = _kind_of(folder)
    source = json.dumps([asdict(config), image_size, identity(folder)], indent=2)
    return dataset_made_of(
        source, into, partial(_read, folder, kind, config, image_size, into, report))


def _kind_of(folder: Path) -> Kind:
    for kind in KINDS:
        if all((folder / name).is_file() for name in (kind.actions, kind.lengths) if name):
            return kind
    raise DataError(
        f'{folder} holds none of the official datasets: Push-T has rel_actions.pth and '
        'seq_lengths.pkl, PointMaze actions.pth and seq_lengths.pth, Wall actions.pth; name the '
        'folder pusht_noise, point_maze or wall_single')


def _read(
    folder: Path, kind: Kind, config: OfficialConfig, image_size: int, into: Path,
    report: Callable[[int, int], None],
) -> None:
    found = _trajectories(folder, kind, config.trajectories)
    paths = [folder / 'obses' / f'episode_{number:03d}{kind.pictures}'
             for number in range(len(found.lengths))]
    for path in paths:
        # Better now than after an hour of reading.
        if not path.is_file():
            raise DataError(f'{path} is not there; copy or unpack the dataset again')
    total = int(found.lengths.sum())
    album = Album(into, total, image_size)
    episodes: list[Episode] = []
    for path, length, actions, sensed in zip(
            paths, found.lengths, found.actions, found.sensed, strict=True):
        first = album.count
        for picture in _pictures(path, length):
            album.add(picture, path)
        episodes += _episodes(first, actions[:length], sensed[:length], config.frameskip)
        report(album.count, total)
    album.close()
    if album.size is None or not episodes:
        raise DataError(f'{folder}: no trajectory is longer than a model step of '
                        f'{config.frameskip} raw steps; choose a smaller frameskip')
    low, high, acceleration = (
        (value,) * len(ACTIONS) for value in (-kind.limit, kind.limit, kind.acceleration))
    save_steps(into, Facts(
        kind.robot, config.frameskip * kind.raw_step_s, image_size, album.size, ACTIONS,
        low, high, acceleration, kind.senses), episodes)


def _episodes(
    first: int, actions: Values, sensed: Values, frameskip: int,
) -> Iterator[Episode]:
    """Cut a trajectory into one episode for each raw step at which a model step can begin."""
    length = len(actions)
    for offset in range(frameskip):
        taken = np.arange(offset, length, frameskip)
        if len(taken) < 2:
            continue
        raw = actions[taken[0]:taken[-1]].reshape(len(taken) - 1, frameskip, -1)
        yield Episode(first + taken, raw.mean(1), sensed[taken])


def _trajectories(folder: Path, kind: Kind, count: int) -> Trajectories:
    states, actions = (_numbers(folder / name) for name in ('states.pth', kind.actions))
    if kind.velocities:
        states = np.concatenate([states, _numbers(folder / kind.velocities)], -1)
    many = len(actions)
    lengths = np.full(many, actions.shape[1])
    if kind.lengths:
        lengths = _lengths(folder / kind.lengths)
    count = min(count or many, many)
    if states.shape[:2] != actions.shape[:2] or len(lengths) != many:
        raise DataError(
            f'{folder}: states.pth is of {_size(states)}, {kind.actions} of {_size(actions)}, and '
            f'there are {len(lengths)} lengths; the files are not of one dataset')
    if states.shape[2] < len(kind.senses) or actions.shape[2] != len(ACTIONS):
        raise DataError(
            f'{folder}: a step has {states.shape[2]} numbers of state and {actions.shape[2]} of '
            f'action, {len(kind.senses)} and 2 are needed; the files are not those of '
            f'{kind.robot}')
    if not ((lengths > 0) & (lengths <= actions.shape[1])).all():
        raise DataError(f'{folder}: lengths lie outside of 1 to {actions.shape[1]}, which is what '
                        f'{kind.actions} holds; copy the dataset again')
    inside = np.arange(actions.shape[1]) < lengths[:count, None]
    sensed, actions = states[:count, :, :len(kind.senses)], actions[:count]
    for name, values in (('states.pth', sensed), (kind.actions, actions)):
        if not np.isfinite(values[inside]).all():
            raise DataError(f'{folder / name} holds values that are not finite; copy it again')
    return Trajectories(lengths[:count], np.clip(actions / kind.limit, -1, 1), sensed)


def _size(values: Values) -> str:
    return f'{values.shape[0]} trajectories of {values.shape[1]} steps'


def _lengths(path: Path) -> NDArray[np.int64]:
    if path.suffix == '.pth':
        values = _load(path)
    else:
        try:
            values = read_pickled_numbers(path)
        except CheckpointError as error:
            raise DataError(str(error)) from error
    try:
        return np.asarray(values, np.int64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f'{path} does not hold lengths ({error}); copy it again') from error


def _numbers(path: Path) -> Values:
    values = _load(path)
    if not isinstance(values, Tensor) or values.ndim != 3:
        raise DataError(f'{path} does not hold numbers for trajectories and steps; copy it again')
    return values.float().numpy()


def _pictures(path: Path, length: int) -> Iterator[Picture]:
    """Yield the pictures [H, W, 3] of one trajectory."""
    count = 0
    for picture in (_film if path.suffix == '.mp4' else _stack)(path):
        if count == length:
            return
        yield picture
        count += 1
    if count < length:
        raise DataError(f'{path} holds {count} pictures that can be read, {length} are needed; '
                        'copy it again')


def _film(path: Path) -> Iterator[Picture]:
    film = cv2.VideoCapture(str(path))
    try:
        while True:
            there, picture = film.read()
            if not there:
                return
            yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        film.release()


def _stack(path: Path) -> Iterator[Picture]:
    values = _load(path)
    if not isinstance(values, Tensor) or values.ndim != 4 or 3 not in values.shape[1::2]:
        raise DataError(f'{path} does not hold colour pictures; copy it again')
    # The wall's have their colours first.
    if values.shape[3] != 3:
        values = values.movedim(1, 3)
    yield from values.clamp(0, 255).to(torch.uint8).numpy()


def _load(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f'{path} is not there; copy or unpack the dataset again')
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        # Torch's own text proposes to read such a file with weights_only=False.
        raise DataError(
            f'{path} is damaged, or holds other things than tensors ({type(error).__name__}); '
            'nothing of it was run; copy it again') from error
