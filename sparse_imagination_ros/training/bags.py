# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads rosbags (sqlite3 and MCAP) as pictures and the numbers that go with them; needs no ROS.

What a model step is, and how the numbers are resampled to it, is decided in `resample.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import DataError, FrameError
from sparse_imagination_ros.message_fields import number_at
from sparse_imagination_ros.tokens.frames import decode, Picture

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader
    from rosbags.interfaces import Connection

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Topic:
    """
    A topic by name, whatever its type, or the only one of some types if the name is empty.

    fields: paths into a message such as `linear.x`, `position.0` or, of a quaternion,
    `pose.pose.orientation.yaw`.
    """

    name: str
    types: tuple[str, ...]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """
    Numbers as they were recorded. values: [M, A].

    recorded: [M], seconds, never falling; stamped: [M], NaN where a message has no stamp.
    """

    recorded: Times
    stamped: Times
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Shot:
    """A picture, or why it cannot be read, with the times of its recording and of its stamp."""

    recorded_s: float
    stamped_s: float
    picture: Picture | FrameError


class Bag:
    """One bag that is open for reading."""

    def __init__(self, path: Path, reader: 'AnyReader') -> None:
        self.path, self._reader = path, reader

    def find(self, topic: Topic) -> 'Connection':
        """Return where a topic's messages are."""
        fitting = {c.topic: c for c in self._reader.connections
                   if (c.topic == topic.name if topic.name else c.msgtype in topic.types)}
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        kinds = ' or '.join(topic.types)
        if fitting:
            raise DataError(
                f'{self.path} has several topics of type {kinds}: {", ".join(sorted(fitting))}; '
                'name one')
        held = ', '.join(sorted(f'{c.topic} ({c.msgtype})' for c in self._reader.connections))
        raise DataError(
            f'{self.path} has no topic {topic.name or f"of type {kinds}"}; '
            f'it has {held or "none"}')

    def count(self, topic: Topic) -> int:
        """Return how many messages a topic has."""
        return self.find(topic).msgcount

    def series(self, topic: Topic) -> Series:
        """Read numbers from all messages of a topic."""
        recorded, stamped, values = [], [], []
        for recorded_s, message in self._messages(self.find(topic)):
            recorded.append(recorded_s)
            stamped.append(_stamp(message))
            values.append([_field(message, path, topic, self.path) for path in topic.fields])
        numbers = np.array(values, np.float32).reshape(len(values), len(topic.fields))
        return Series(np.array(recorded, float), np.array(stamped, float), numbers)

    def shots(self, topic: Topic) -> Iterator[Shot]:
        """Read each picture, in the order of recording."""
        for recorded_s, message in self._messages(self.find(topic)):
            picture: Picture | FrameError
            try:
                picture = _picture(message)
            except FrameError as error:
                picture = error
            yield Shot(recorded_s, _stamp(message), picture)

    def _messages(self, connection: 'Connection') -> Iterator[tuple[float, Any]]:
        from rosbags.highlevel import AnyReaderError
        try:
            for _, recorded_ns, data in self._reader.messages([connection]):
                yield recorded_ns / 1e9, self._reader.deserialize(data, connection.msgtype)
        except AnyReaderError as error:
            raise DataError(
                f'{self.path}: {connection.topic} cannot be read to its end ({error})') from error


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open the folder of a bag."""
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.typesys import get_typestore, Stores
    if not path.exists():
        raise DataError(f'{path} is not there; name the folder of a bag')
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        raise DataError(
            f'{path} holds no metadata.yaml: it is no bag, or its recording was cut off; '
            '`ros2 bag reindex` makes it anew')
    try:
        # Bags of older distributions do not hold the definitions of their messages.
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
            yield Bag(path, reader)
    except AnyReaderError as error:
        raise DataError(f'{path} cannot be read as a bag ({error})') from error


def find_bags(paths: Sequence[Path]) -> list[Path]:
    """Return all bags among paths: each is a bag, or a folder with bags somewhere inside."""
    found = []
    for path in paths:
        inside = sorted(file.parent for file in path.rglob('metadata.yaml'))
        if not inside:
            with open_bag(path):
                pass
            inside = [path]
        found += inside
    return found


def _picture(message: Any) -> Picture:
    if hasattr(message, 'encoding'):
        return decode(
            message.data, message.height, message.width, message.step, message.encoding)
    try:
        pixels = cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise FrameError(f'compressed image ({message.format}) cannot be decoded')
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _field(message: Any, path: str, topic: Topic, bag: Path) -> float:
    if hasattr(message, 'header') and hasattr(message, 'twist') and path.count('.') == 1:
        # A Twist with a stamp, whose fields go by the same names.
        message = message.twist
    try:
        return number_at(message, path)
    except ValueError:
        raise DataError(
            f'{bag}: messages of {topic.name or " or ".join(topic.types)} have no number '
            f'`{path}`; name fields such as linear.x or position.0') from None


def _stamp(message: Any) -> float:
    """Return a message's stamp in seconds, NaN if it has none."""
    if not hasattr(message, 'header'):
        return math.nan
    stamp = message.header.stamp
    return float(stamp.sec + stamp.nanosec / 1e9) or math.nan
