# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a dataset from rosbags, and says what was wrong with them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import (
    Bag,
    COMPRESSED,
    IMAGE,
    Series,
    Times,
    Topic,
    TWISTS,
)
from sparse_imagination_ros.bags.resample import (
    Clock,
    mean_commands,
    steps,
    stretches,
    values_at,
)
from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError, FrameError
from sparse_imagination_ros.training.dataset import (
    Album,
    Dataset,
    dataset_made_of,
    Episode,
    Facts,
    identity,
    save_steps,
)


@dataclass(frozen=True)
class BagsConfig:
    """What to read from bags, and how finely. Fields are paths such as `twist.linear.x`."""

    robot: str = setting('robot', 'name of the robot')
    image_topic: str = setting('', 'pictures, raw or compressed; if empty the only such topic')
    command_topic: str = setting('', 'commands; if empty the only Twist')
    command_fields: tuple[str, ...] = setting(
        ('linear.x', 'angular.z'), 'what the robot is commanded')
    command_low: tuple[float, ...] = setting((-0.5, -1.0), 'lowest command of each field')
    command_high: tuple[float, ...] = setting((0.5, 1.0), 'highest command of each field')
    acceleration: tuple[float, ...] = setting(
        (1.0, 2.0), 'largest change of each field, per second')
    command_hold_s: float = setting(
        0.5, 'the base stops so long after the last command, seconds', 0.01, 60.0)
    sense_topic: str = setting('', 'what the robot senses, as Odometry or JointState; or none')
    sense_fields: tuple[str, ...] = setting((), 'what is read of it')
    scene_topic: str = setting(
        '', 'a message of any type says that a new scene begins, as when the robot was carried '
            'or a simulation reset; or none')
    step_s: float = setting(0.6, 'length of a model step, seconds', 0.02, 10.0)


@dataclass(frozen=True)
class Findings:
    """What one bag held. seconds: of unbroken pictures; steps: of all episodes made of them."""

    bag: str
    pictures: int
    unreadable: int
    seconds: float
    gaps: int
    jumps: int
    scenes: int
    episodes: int
    steps: int
    beyond_limits: int


def dataset_from_bags(
    bags: Sequence[Path], config: BagsConfig, image_size: int, folder: Path,
    report: Callable[[int, int], None], commanded: bool = True,
) -> tuple[Dataset, list[Findings]]:
    """
    Read bags into a folder, or return what an earlier run has read of them.

    commanded: whether they hold commands; if not, all actions are zero.
    """
    _check(config)
    told = [] if commanded else ['no commands']
    source = json.dumps(
        [asdict(config), image_size, [identity(bag) for bag in bags], *told], indent=2)
    findings = folder / 'findings.json'

    def make() -> None:
        found = _read(bags, config, image_size, folder, report, commanded)
        findings.write_text(json.dumps([asdict(f) for f in found], indent=2) + '\n')

    dataset = dataset_made_of(source, folder, make)
    return dataset, [Findings(**values) for values in json.loads(findings.read_text())]


def _read(
    bags: Sequence[Path], config: BagsConfig, image_size: int, folder: Path,
    report: Callable[[int, int], None], commanded: bool,
) -> list[Findings]:
    images = Topic(config.image_topic, (IMAGE, COMPRESSED))
    episodes: list[Episode] = []
    findings = []
    with ExitStack() as stack:
        opened = [stack.enter_context(open_bag(bag)) for bag in bags]
        total = sum(bag.count(images) for bag in opened)
        album = Album(folder, total, image_size)
        read = 0
        for bag in opened:
            first, recorded, stamped, unreadable = album.count, [], [], 0
            for shot in bag.shots(images):
                read += 1
                report(read, total)
                if isinstance(shot.picture, FrameError):
                    unreadable += 1
                    continue
                album.add(shot.picture, bag.path)
                recorded.append(shot.recorded_s)
                stamped.append(shot.stamped_s)
            clock = Clock(np.array(recorded), np.array(stamped), config.step_s)
            made, found = _episodes(bag, config, clock, first, unreadable, commanded)
            episodes += made
            findings.append(found)
        album.close()
    if album.size is None or not episodes:
        raise DataError(
            f'the bags hold no two pictures {config.step_s} s apart; '
            'choose another step_s, or record without breaks')
    save_steps(folder, Facts(
        config.robot, config.step_s, image_size, album.size, config.command_fields,
        config.command_low, config.command_high, config.acceleration, config.sense_fields),
        episodes)
    return findings


def _episodes(
    bag: Bag, config: BagsConfig, clock: Clock, first: int, unreadable: int, commanded: bool,
) -> tuple[list[Episode], Findings]:
    times, scenes = clock.times, _scenes(bag, config, clock)
    pieces = stretches(times, scenes, config.step_s)
    commands = Series(
        np.zeros(0), np.zeros(0), np.zeros((0, len(config.command_fields)), np.float32))
    if commanded:
        commands = bag.series(Topic(config.command_topic, TWISTS, config.command_fields))
    low, high = np.array([config.command_low, config.command_high], np.float32)
    beyond = ((commands.values < low - 1e-6) | (commands.values > high + 1e-6)).any(1)
    given = clock.of(commands.recorded, commands.stamped)
    obeyed = np.clip(commands.values, low, high) / high
    sense = _senses(bag, config, clock)
    made = []
    for piece in pieces:
        for shown in steps(times, piece, config.step_s):
            at = times[shown]
            actions = mean_commands(given, obeyed, at, config.command_hold_s)
            made.append(Episode(first + shown, actions, sense(at)))
    return made, Findings(
        bag=str(bag.path), pictures=len(times), unreadable=unreadable,
        seconds=float(sum(np.ptp(times[piece]) for piece in pieces)),
        gaps=max(0, len(stretches(times, np.zeros(0), config.step_s)) - 1 - clock.jumps),
        jumps=clock.jumps, scenes=len(scenes), episodes=len(made),
        steps=sum(len(episode.shown) for episode in made), beyond_limits=int(beyond.sum()))


def _scenes(bag: Bag, config: BagsConfig, clock: Clock) -> Times:
    """Return when new scenes began."""
    if not config.scene_topic:
        return np.zeros(0)
    begun = bag.series(Topic(config.scene_topic, ()))
    return clock.of(begun.recorded, begun.stamped)


def _senses(
    bag: Bag, config: BagsConfig, clock: Clock,
) -> Callable[[Times], NDArray[np.float32]]:
    """Return what the robot sensed as a function of times."""
    if not config.sense_fields:
        return lambda times: np.zeros((len(times), 0), np.float32)
    sensed = bag.series(Topic(config.sense_topic, (), config.sense_fields))
    at = clock.of(sensed.recorded, sensed.stamped)
    return lambda times: values_at(at, sensed.values, times)


def _check(config: BagsConfig) -> None:
    sizes = {len(values) for values in (
        config.command_fields, config.command_low, config.command_high, config.acceleration)}
    if len(sizes) > 1:
        raise DataError(
            'command_fields, command_low, command_high and acceleration differ in length')
    if config.sense_fields and not config.sense_topic:
        raise DataError('sense_fields are named, but no sense_topic')
