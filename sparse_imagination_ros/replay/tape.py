# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A bag made ready for replaying: times, commands and the tokens of every picture, on disk.

It is read once, as a stream: a bag may be larger than memory. How it is judged lives elsewhere.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import (
    Bag,
    COMPRESSED,
    Heard,
    IMAGE,
    make_series,
    Series,
    shot_of,
    stamp_of,
    Times,
    Topic,
    TWISTS,
)
from sparse_imagination_ros.bags.resample import Clock, mean_commands, stretches
from sparse_imagination_ros.errors import DataError, FrameError
from sparse_imagination_ros.files import write_whole
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Manifest

# So many pictures are encoded at once.
ENCODED_TOGETHER = 32
# Side of the pictures that are kept for the report, pixels.
THUMBNAIL = 128
FACTS, ARRAYS, TOKENS, THUMBNAILS = 'tape.json', 'tape.npz', 'tokens.f32', 'thumbnails.bin'

Report = Callable[[float], None]


@dataclass(frozen=True)
class Findings:
    """What one bag held. faults: what was wrong with it, in words."""

    bag: str
    seconds: float
    pictures: int
    unreadable: int
    unfit: int
    gaps: int
    jumps: int
    out_of_order: int
    scenes: int
    commands: int
    beyond_limits: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Tape:
    """
    A bag made ready. M pictures that could be used, in the order in which they arrived.

    recorded, times, arrived: [M], seconds; times is when pictures were taken and arrived when
    they came, on one clock without jumps. piece: [M], the number of the unbroken stretch.
    tokens: [M, P, D] on disk. commands: [C, A], in units of the limits, obeyed from commanded [C]
    on. origin_s: what is called 0 s in a report.
    """

    path: Path
    folder: Path
    findings: Findings
    recorded: Times
    times: Times
    arrived: Times
    piece: NDArray[np.int64]
    tokens: NDArray[np.float32]
    commanded: Times
    commands: NDArray[np.float32]
    thumbnail_ends: NDArray[np.int64]
    sensed: NDArray[np.float32]

    @property
    def origin_s(self) -> float:
        """Return the time of the first picture."""
        return float(self.times[0]) if len(self.times) else 0.0

    def pieces(self) -> list[NDArray[np.int64]]:
        """Return the pictures of each unbroken stretch, by the times at which they were taken."""
        found = [np.flatnonzero(self.piece == number) for number in np.unique(self.piece)]
        return [piece[np.argsort(self.times[piece], kind='stable')] for piece in found]

    def obeyed(self, edges: Times, hold_s: float) -> NDArray[np.float32]:
        """Return the mean commands between consecutive times [F], [F - 1, A]."""
        return mean_commands(self.commanded, self.commands, edges, hold_s)

    def thumbnail(self, index: int) -> bytes:
        """Return a picture as a small JPEG."""
        start = int(self.thumbnail_ends[index - 1]) if index else 0
        with (self.folder / THUMBNAILS).open('rb') as stream:
            stream.seek(start)
            return stream.read(int(self.thumbnail_ends[index]) - start)


def topics(config: ReplayConfig, manifest: Manifest) -> dict[str, Topic]:
    """Return what is to be read, by what it is for."""
    wanted = {
        'images': Topic(config.image_topic, (IMAGE, COMPRESSED)),
        'commands': Topic(config.command_topic, TWISTS, manifest.actions.names)}
    if manifest.senses:
        wanted['senses'] = Topic(config.sense_topic, (), manifest.senses)
    if config.scene_topic:
        wanted['scenes'] = Topic(config.scene_topic, ())
    return wanted


def span(bag: Bag, config: ReplayConfig) -> tuple[float, float | None]:
    """Return from when to when a bag is replayed, on the clock of its recording."""
    begin_s = bag.span_s[0]
    end_s = None if np.isinf(config.end) else begin_s + config.end
    return begin_s + config.start, end_s


def fit_picture(picture: Picture | FrameError, manifest: Manifest) -> bool:
    """Tell whether a planner with this bundle can use a picture."""
    width, height = manifest.picture_size
    return not isinstance(picture, FrameError) and picture.shape == (height, width, 3)


def make_tape(
    path: Path, bundle: Bundle, config: ReplayConfig, folder: Path,
    report: Report = lambda share: None,
) -> Tape:
    """Read a bag into a folder, or return what an earlier run has read of it."""
    if not (folder / FACTS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with open_bag(path, forgiving=True) as bag:
            _read(bag, bundle, config, folder, report)
    return _load(path, folder, bundle)


class _Reels:
    """What is written while a bag is read: tokens and thumbnails of its pictures."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        self._bundle = bundle
        self._tokens = (folder / TOKENS).open('wb')
        self._thumbnails = (folder / THUMBNAILS).open('wb')
        self._waiting: list[tuple[Picture, NDArray[np.float32]]] = []
        self.ends: list[int] = []

    def add(self, picture: Picture, sensed: NDArray[np.float32]) -> None:
        small = cv2.resize(picture, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        data = cv2.imencode(
            '.jpg', cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        self._thumbnails.write(data.tobytes())
        self.ends.append(self._thumbnails.tell())
        self._waiting.append((picture, sensed))
        if len(self._waiting) == ENCODED_TOGETHER:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            pictures, sensed = zip(*self._waiting, strict=True)
            tokens = self._bundle.encode(pictures, np.stack(sensed), 'camera picture')
            self._tokens.write(tokens.numpy().astype(np.float32).tobytes())
            self._waiting.clear()

    def close(self) -> None:
        self.flush()
        self._tokens.close()
        self._thumbnails.close()


def _read(
    bag: Bag, bundle: Bundle, config: ReplayConfig, folder: Path, report: Report,
) -> None:
    manifest = bundle.manifest
    wanted = topics(config, manifest)
    bag.find(wanted['images'])
    for purpose in ('senses', 'scenes'):
        if purpose in wanted:
            bag.find(wanted[purpose])
    try:
        bag.find(wanted['commands'])
    except DataError as error:
        bag.note(f'no commands: {error}')
        del wanted['commands']
    first_s, last_s = span(bag, config)
    begin_s, end_s = bag.span_s
    reels = _Reels(bundle, folder)
    shots: list[tuple[float, float]] = []
    said = _Said(bag)
    begun: list[tuple[float, float]] = []
    senses: list[NDArray[np.float32]] = []
    newest = None if manifest.senses else np.zeros(0, np.float32)
    unreadable = unfit = early = 0
    for heard in bag.hear(list(wanted.values()), first_s, last_s):
        report((heard.recorded_s - begin_s) / max(1e-9, end_s - begin_s))
        if heard.topic == wanted.get('commands'):
            said.add(heard)
        elif heard.topic == wanted.get('senses'):
            newest = np.array(bag.numbers(heard), np.float32)
        elif heard.topic == wanted.get('scenes'):
            begun.append((heard.recorded_s, stamp_of(heard.message)))
        else:
            shot = shot_of(heard)
            if not fit_picture(shot.picture, manifest):
                unreadable += isinstance(shot.picture, FrameError)
                unfit += not isinstance(shot.picture, FrameError)
            elif newest is None:
                early += 1
            else:
                assert not isinstance(shot.picture, FrameError)
                reels.add(shot.picture, newest)
                senses.append(newest)
                shots.append((shot.recorded_s, shot.stamped_s))
    reels.close()
    if early:
        bag.note(f'{early} pictures came before anything was sensed')
    recorded, stamped = np.array(shots, float).reshape(-1, 2).T
    clock = Clock(recorded, stamped, manifest.step_s)
    # A message without a stamp is dated by its arrival.
    arrived = np.maximum(clock.times, clock.of(recorded, np.full(len(recorded), np.nan)))
    scenes = clock.of(*np.array(begun, float).reshape(-1, 2).T)
    pieces = stretches(clock.times, scenes, manifest.step_s)
    number = np.zeros(len(recorded), np.int64)
    for index, piece in enumerate(pieces):
        number[piece] = index
    commands = said.series(Topic('', (), manifest.actions.names))
    low, high = (np.array(v, np.float32) for v in (manifest.actions.low, manifest.actions.high))
    beyond = ((commands.values < low - 1e-6) | (commands.values > high + 1e-6)).any(1)
    if len(recorded) and not len(commands.values) and 'commands' in wanted:
        bag.note('no commands: their topic is empty')
    backwards = np.diff(clock.times) < 0
    gaps = len(stretches(clock.times, np.zeros(0), manifest.step_s)) - 1 - clock.jumps
    findings = Findings(
        str(bag.path), float(sum(np.ptp(clock.times[piece]) for piece in pieces)), len(recorded),
        unreadable, unfit, max(0, gaps), clock.jumps, int(backwards.sum()), len(scenes),
        len(commands.values), int(beyond.sum()), tuple(bag.faults))
    np.savez(
        folder / ARRAYS, recorded=recorded, times=clock.times, arrived=arrived, piece=number,
        commanded=clock.of(commands.recorded, commands.stamped),
        commands=np.clip(commands.values, low, high) / high,
        thumbnail_ends=np.array(reels.ends, np.int64),
        sensed=np.array(senses, np.float32).reshape(len(senses), len(manifest.senses)))
    # Written last: without it the rest does not count.
    write_whole(folder / FACTS, (json.dumps(asdict(findings), indent=2) + '\n').encode())


class _Said:
    """The commands of a bag; a topic that holds none is noted, once."""

    def __init__(self, bag: Bag) -> None:
        self._bag = bag
        self._rows: list[tuple[float, float, list[float]]] = []
        self._faulty = False

    def add(self, heard: Heard) -> None:
        try:
            self._rows.append(
                (heard.recorded_s, stamp_of(heard.message), self._bag.numbers(heard)))
        except DataError as error:
            if not self._faulty:
                self._bag.note(f'no commands: {error}')
            self._faulty = True

    def series(self, topic: Topic) -> Series:
        recorded, stamped, values = (
            zip(*self._rows, strict=True) if self._rows else ((), (), ()))
        return make_series(recorded, stamped, values, topic)


def _load(path: Path, folder: Path, bundle: Bundle) -> Tape:
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding='utf-8'))
    facts['faults'] = tuple(facts['faults'])
    with np.load(folder / ARRAYS) as arrays:
        kept = dict(arrays)
    count, places = len(kept['times']), bundle.manifest.total_tokens
    tokens: NDArray[np.float32] = np.zeros((0, places, 1), np.float32)
    if count:
        flat = np.memmap(folder / TOKENS, np.float32, 'r')
        tokens = flat.reshape(count, places, -1)
    return Tape(path=path, folder=folder, findings=Findings(**facts), tokens=tokens, **kept)
