# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads rosbags (sqlite3 and MCAP) as pictures and the numbers that go with them; needs no ROS.

How a bag is opened, also a damaged one, stands in `opening.py`; what a model step is, and how the
numbers are resampled to it, is decided in `resample.py`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import DataError, FrameError
from sparse_imagination_ros.message_fields import number_at
from sparse_imagination_ros.tokens.frames import decode, decompress, Picture

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader
    from rosbags.interfaces import Connection
    from rosbags.typesys.store import Typestore

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'

TWISTS = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')

Times = NDArray[np.float64]

# How compressed data begins, and no message does.
ZSTD = b'\x28\xb5\x2f\xfd'

# Behind what cannot be read reading goes on after so long, and after so much more each time.
GAP_NS, GAP_GROWTH = 1_000_000, 1.25


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


@dataclass(frozen=True)
class Heard:
    """One message of a topic, with the time of its recording."""

    topic: Topic
    recorded_s: float
    message: Any


class Bag:
    """One bag that is open for reading."""

    def __init__(self, path: Path, reader: 'AnyReader', forgiving: bool = False) -> None:
        self.path, self._reader, self._forgiving = path, reader, forgiving
        self._noted: list[str] = []
        self._damaged: Counter[str] = Counter()
        # topics -> from .. to, nanoseconds
        self._holes: dict[str, set[tuple[int, int]]] = {}

    @property
    def faults(self) -> tuple[str, ...]:
        """Return what was found wrong with it; only a forgiving reader survives to tell."""
        return (*self._noted, *(
            f'{topic}: {count} messages are damaged' for topic, count in self._damaged.items()), *(
            f'{names}: {sum(to - begin for begin, to in holes) / 1e9:.1f} s cannot be read, '
            f'from {min(holes)[0] / 1e9 - self.span_s[0]:.1f} s on'
            for names, holes in self._holes.items()))

    def note(self, fault: str) -> None:
        """Remember a fault."""
        if fault not in self._noted:
            self._noted.append(fault)

    @property
    def connections(self) -> 'list[Connection]':
        """Return all topics."""
        return self._reader.connections

    @property
    def types(self) -> 'Typestore':
        """Return what its messages are made of."""
        return self._reader.typestore

    @property
    def span_s(self) -> tuple[float, float]:
        """Return when the first and the last message were recorded; zeros if there is none."""
        if not self._reader.message_count:
            return 0.0, 0.0
        return self._reader.start_time / 1e9, (self._reader.end_time - 1) / 1e9

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
        for heard in self.hear([topic]):
            recorded.append(heard.recorded_s)
            stamped.append(stamp_of(heard.message))
            values.append(self.numbers(heard))
        return make_series(recorded, stamped, values, topic)

    def shots(
        self, topic: Topic, start_s: float | None = None, end_s: float | None = None,
    ) -> Iterator[Shot]:
        """Read each picture, in the order of recording."""
        for heard in self.hear([topic], start_s, end_s):
            yield shot_of(heard)

    def hear(
        self, topics: Sequence[Topic], start_s: float | None = None, end_s: float | None = None,
    ) -> Iterator[Heard]:
        """Read the messages of some topics once, in the order of recording, from .. to."""
        wanted = {self.find(topic).topic: topic for topic in topics}
        # A topic has several connections in a bag of several files.
        connections = [c for c in self._reader.connections if c.topic in wanted]
        for connection, recorded_ns, data in self.raw(connections, start_s, end_s):
            try:
                message = self._reader.deserialize(data, connection.msgtype)
            except Exception as error:
                self._leave_out(connection.topic, error)
                continue
            yield Heard(wanted[connection.topic], recorded_ns / 1e9, message)

    def raw(
        self, connections: 'Sequence[Connection]' = (), start_s: float | None = None,
        end_s: float | None = None,
    ) -> 'Iterator[tuple[Connection, int, bytes]]':
        """
        Read messages as they are stored; all if no connections are named.

        A forgiving reader leaves out what cannot be read, and goes on behind it.
        """
        start, stop = (None if s is None else round(s * 1e9) for s in (start_s, end_s))
        reached = self._reader.start_time if start is None else start
        messages = self._reader.messages(connections, start, stop)
        while True:
            try:
                entry = next(messages, None)
            except Exception as error:
                names = ', '.join(sorted({c.topic for c in connections})) or 'the bag'
                if not self._forgiving:
                    raise DataError(f'{self.path}: {names} cannot be read ({error})') from error
                behind = self._behind(connections, reached, stop)
                self._holes.setdefault(names, set()).add(
                    (reached, self._reader.end_time if behind is None else behind))
                if behind is None:
                    return
                messages = self._reader.messages(connections, behind, stop)
                continue
            if entry is None:
                return
            connection, reached, data = entry
            try:
                data = _unpacked(data)
            except Exception as error:
                self._leave_out(connection.topic, error)
                continue
            yield connection, reached, data

    def _leave_out(self, topic: str, error: Exception) -> None:
        if not self._forgiving:
            raise DataError(f'{self.path}: a message of {topic} is damaged ({error})') from error
        self._damaged[topic] += 1

    def _behind(
        self, connections: 'Sequence[Connection]', damaged: int, stop: int | None,
    ) -> int | None:
        """Return from when on messages can be read again, or None if they cannot."""
        gap = float(GAP_NS)
        while damaged + gap < min(self._reader.end_time, stop or self._reader.end_time):
            try:
                next(self._reader.messages(connections, damaged + round(gap), stop), None)
            except Exception:
                # Whatever a reader trips over in damaged data.
                gap *= GAP_GROWTH
            else:
                return damaged + round(gap)
        return None

    def numbers(self, heard: Heard) -> list[float]:
        """Return the numbers of a message at its topic's fields."""
        return [_field(heard.message, path, heard.topic, self.path)
                for path in heard.topic.fields]


def make_series(
    recorded: Sequence[float], stamped: Sequence[float], values: Sequence[Sequence[float]],
    topic: Topic,
) -> Series:
    """Put numbers that were read one by one together."""
    numbers = np.array(values, np.float32).reshape(len(values), len(topic.fields))
    return Series(np.array(recorded, float), np.array(stamped, float), numbers)


def shot_of(heard: Heard) -> Shot:
    """Return the picture of an image message, or why there is none."""
    picture: Picture | FrameError
    try:
        picture = _picture(heard.message)
    except FrameError as error:
        picture = error
    return Shot(heard.recorded_s, stamp_of(heard.message), picture)


def _unpacked(data: bytes) -> bytes:
    """Undo what was done to single messages; without its metadata a bag does not say so."""
    if data[:len(ZSTD)] != ZSTD:
        return data
    from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

    return DECOMPRESSORS['zstd'](data, 0)


def _picture(message: Any) -> Picture:
    if hasattr(message, 'encoding'):
        return decode(
            message.data, message.height, message.width, message.step, message.encoding,
            bool(message.is_bigendian))
    return decompress(message.data, message.format)


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


def stamp_of(message: Any) -> float:
    """Return a message's stamp in seconds, NaN if it has none."""
    if not hasattr(message, 'header'):
        return math.nan
    stamp = message.header.stamp
    return float(stamp.sec + stamp.nanosec / 1e9) or math.nan
