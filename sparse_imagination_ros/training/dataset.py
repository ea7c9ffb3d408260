# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is learned from: pictures on disk, read as they are needed, and the episodes that they form.

A dataset may be larger than memory. Where it comes from, simulator or bags, is not known here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Generator, Tensor

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import ConfigError, DataError
from sparse_imagination_ros.tokens.encoders import Encoder
from sparse_imagination_ros.tokens.frames import Picture, shrink
from sparse_imagination_ros.world_models.bundle import fingerprint

FACTS, PICTURES, STEPS = 'dataset.json', 'pictures.npy', 'steps.npz'
# What a dataset was made of.
SOURCE = 'source.json'
# So many pictures are encoded at once; after each such batch an interrupted run goes on.
ENCODED_TOGETHER = 64


@dataclass(frozen=True)
class Facts:
    """
    What all episodes share.

    picture_size: width and height of the camera's pictures; image_size: of the stored squares.
    actions: names, and limits [A]; acceleration per second; senses: names of what is sensed [Q].
    """

    robot: str
    step_s: float
    image_size: int
    picture_size: tuple[int, int]
    action_names: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    acceleration: tuple[float, ...]
    senses: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """
    Episodes one after the other, in steps.

    pictures: [M, S, S, 3] on disk; shown: [L], the picture of each step; actions: [L, A], in
    units of the limits, between a step and the next; sensed: [L, Q]; starts: [E + 1], where
    episodes begin, and the end of the last. The action of an episode's last step is zero.
    """

    folder: Path
    facts: Facts
    pictures: Picture
    shown: Tensor
    actions: Tensor
    sensed: Tensor
    starts: Tensor
    _firsts: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def draw(
        self, count: int, length: int, generator: Generator, weights: Tensor | None = None,
    ) -> Tensor:
        """
        Draw clips of consecutive steps from all that there are, [B, F].

        weights: [L], how likely a clip begins at each step; all alike if it is None.
        """
        if length not in self._firsts:
            self._firsts[length] = self._starts_of_clips(length)
        firsts = self._firsts[length]
        if weights is None:
            drawn = torch.randint(len(firsts), (count,), generator=generator)
        else:
            drawn = torch.multinomial(weights[firsts], count, True, generator=generator)
        return firsts[drawn][:, None] + torch.arange(length)

    def part(self, first: int, last: int) -> 'Dataset':
        """Return the episodes from this number on to before that one."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        return replace(
            self, shown=self.shown[begin:end], actions=self.actions[begin:end],
            sensed=self.sensed[begin:end], starts=self.starts[first:last + 1] - begin, _firsts={})

    def ends(self, steps: Tensor) -> Tensor:
        """Return where the episode of each step ends: one after its last step, [...]."""
        ends = self.starts[1:]
        return ends[torch.searchsorted(ends, steps.contiguous(), right=True)]

    def show(self, clips: Tensor) -> Tensor:
        """Return the pictures of steps, [..., S, S, 3]."""
        return torch.from_numpy(self.pictures[self.shown[clips].numpy()])

    def _starts_of_clips(self, length: int) -> Tensor:
        step = torch.arange(int(self.starts[-1]))
        firsts = step[step + length <= self.ends(step)]
        if len(firsts) == 0:
            longest = int(self.starts.diff().max())
            raise DataError(
                f'{self.folder}: the longest episode has {longest} steps of '
                f'{self.facts.step_s} s, {length} are needed; record longer ones, or without '
                'breaks')
        return firsts


@dataclass(frozen=True)
class Episode:
    """Some steps in a row. shown: [F]; actions: [F - 1, A], in units of the limits; sensed."""

    shown: NDArray[np.int64]
    actions: NDArray[np.float32]
    sensed: NDArray[np.float32]


def save_steps(folder: Path, facts: Facts, episodes: Iterable[Episode]) -> None:
    """Write what belongs to the pictures of a dataset; it is complete with that."""
    episodes = list(episodes)
    if not episodes:
        raise DataError(f'{folder}: there is no episode to learn from')
    actions = [np.concatenate([e.actions, np.zeros_like(e.actions[:1])]) for e in episodes]
    lengths = [len(episode.shown) for episode in episodes]
    np.savez(
        folder / STEPS, shown=np.concatenate([e.shown for e in episodes]),
        actions=np.concatenate(actions), sensed=np.concatenate([e.sensed for e in episodes]),
        starts=np.cumsum([0, *lengths]))
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=2) + '\n')


def load_dataset(folder: Path) -> Dataset:
    """Open a dataset."""
    try:
        facts = build(
            Facts, json.loads((folder / FACTS).read_text()), str(folder / FACTS))
        pictures = np.load(folder / PICTURES, mmap_mode='c')
        with np.load(folder / STEPS) as steps:
            shown, actions, sensed, starts = (
                torch.from_numpy(steps[name]) for name in ('shown', 'actions', 'sensed', 'starts'))
        return Dataset(folder, facts, pictures, shown, actions, sensed, starts)
    except FileNotFoundError as error:
        raise DataError(f'{folder} holds no dataset: {error.filename} is not there') from error
    except (OSError, KeyError, ValueError, TypeError, AttributeError, ConfigError) as error:
        raise DataError(f'{folder} is damaged ({error}); delete it and begin again') from error


def dataset_made_of(source: str, folder: Path, make: Callable[[], None]) -> Dataset:
    """Make a dataset in a folder, unless it holds the one that was made of this source."""
    mark = folder / SOURCE
    if not (mark.exists() and mark.read_text() == source and (folder / FACTS).exists()):
        # Tokens and steps of other pictures must not survive.
        for stale in (mark, folder / FACTS, *folder.glob('tokens-*')):
            stale.unlink(missing_ok=True)
        make()
        mark.write_text(source)
    return load_dataset(folder)


def identity(path: Path) -> list[object]:
    """Return what changes when a file, or what lies in a folder, is another one."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob('*')) if path.is_dir() else [path]:
        status = file.stat()
        digest.update(f'{file.name} {status.st_size} {status.st_mtime_ns}'.encode())
    return [str(path.resolve()), digest.hexdigest()]


def tokens_of(
    dataset: Dataset, encoder: Encoder, report: Callable[[int, int], None],
) -> Tensor:
    """
    Return the tokens of all pictures, [M, P, D], on disk, in half the memory of float32.

    They are made once for each encoder, by its weights; an interrupted run goes on.
    """
    path = dataset.folder / f'tokens-{_hash_of(encoder)}.npy'
    total = len(dataset.pictures)
    if not path.exists():
        _encode(dataset, encoder, path, report)
    tokens = np.load(path, mmap_mode='c')
    report(total, total)
    return torch.from_numpy(tokens)


@torch.inference_mode()
def _encode(
    dataset: Dataset, encoder: Encoder, path: Path, report: Callable[[int, int], None],
) -> None:
    part, mark = path.with_suffix('.part'), path.with_suffix('.done')
    done = int(mark.read_text()) if part.exists() and mark.exists() else 0
    total = len(dataset.pictures)
    shape = (total, encoder.shape.grid**2, encoder.shape.width)
    tokens = np.lib.format.open_memmap(
        part, 'r+' if done else 'w+', np.float16, None if done else shape)
    for batch in _batches(done, total):
        pictures = torch.from_numpy(np.asarray(dataset.pictures[batch.start:batch.stop]))
        tokens[batch.start:batch.stop] = encoder(pictures).half().numpy()
        tokens.flush()
        mark.write_text(str(batch.stop))
        report(batch.stop, total)
    part.rename(path)
    mark.unlink()


def _batches(first: int, total: int) -> Iterator[range]:
    for start in range(first, total, ENCODED_TOGETHER):
        yield range(start, min(start + ENCODED_TOGETHER, total))


def _hash_of(encoder: Encoder) -> str:
    whole = repr(encoder.shape) + fingerprint(encoder)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def new_pictures(folder: Path, count: int, size: int) -> Any:
    """Make room on disk for pictures [M, S, S, 3]."""
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(folder / PICTURES, 'w+', np.uint8, (count, size, size, 3))


class Album:
    """Pictures on disk, taken in one after the other; `size` is that of the first of them."""

    def __init__(self, folder: Path, room: int, image_size: int) -> None:
        self._pictures = new_pictures(folder, room, image_size)
        self._image_size = image_size
        self.count = 0
        self.size: tuple[int, int] | None = None

    def add(self, picture: Picture, source: Path) -> None:
        """Take a picture in, as a square; `source` is the file that it is from."""
        height, width, _ = picture.shape
        if self.size is not None and self.size != (width, height):
            raise DataError(
                f'{source}: a picture is {width} x {height} pixels, those before '
                f'{self.size[0]} x {self.size[1]}; use data of one camera')
        self.size = width, height
        self._pictures[self.count] = shrink(picture, self._image_size)
        self.count += 1

    def close(self) -> None:
        """Leave all on disk."""
        self._pictures.flush()
