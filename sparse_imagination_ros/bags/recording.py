# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A bag on disk: serialised messages into an MCAP file that ROS 2 and the usual viewers open.

Where the messages come from is not known here; no ROS installation is needed.
"""

from collections import Counter
from pathlib import Path
import shutil
from typing import Any, Literal

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores
from rosbags.typesys.store import Typestore

from sparse_imagination_ros.errors import DataError

# The layout of metadata.yaml that ROS 2 Jazzy writes.
METADATA_VERSION: Literal[9] = 9
# "For ever", as ROS 2 writes it.
INFINITE = QosTime(9223372036, 854775807)


class Bag:
    """A bag that is being written; it replaces one that is there."""

    def __init__(self, path: Path, compressed: bool = True) -> None:
        # A bag whose writer was killed has no metadata; it is replaced like any other.
        ours = {'metadata.yaml', f'{path.name}.mcap'}
        if path.exists() and not ours.issuperset(file.name for file in path.iterdir()):
            raise DataError(f'{path} is there and no bag: name another folder, or remove it')
        self._path = path
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._writer = Writer(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
        if compressed:
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections: dict[str, Connection] = {}
        self.counts: Counter[str] = Counter()

    def knows(self, message_type: str) -> bool:
        """Tell whether messages of a type such as sensor_msgs/msg/Image can be written."""
        return message_type in self._types.types

    def add_topic(self, topic: str, message_type: str, latched: bool = False) -> None:
        """Announce a topic."""
        durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
        self._connections[topic] = self._writer.add_connection(
            topic, message_type, typestore=self._types, offered_qos_profiles=[Qos(
                QosHistory.KEEP_LAST, 10, QosReliability.RELIABLE, durability, INFINITE, INFINITE,
                QosLiveliness.AUTOMATIC, INFINITE, False)])
        self.counts[topic] = 0

    def copy_topic(self, connection: Connection, types: Typestore) -> bool:
        """Announce a topic of another bag as it was there, if it is known what it is made of."""
        if connection.msgtype not in types.types:
            return False
        offered = getattr(connection.ext, 'offered_qos_profiles', [])
        self._connections[connection.topic] = self._writer.add_connection(
            connection.topic, connection.msgtype, typestore=types, offered_qos_profiles=offered)
        self.counts[connection.topic] = 0
        return True

    def make(self, message_type: str, **values: Any) -> Any:
        """Make a message of a type such as std_msgs/msg/String."""
        return self._types.types[message_type](**values)

    def write_message(self, topic: str, nanoseconds: int, message: Any) -> None:
        """Write a message that `make` has made."""
        data = self._types.serialize_cdr(message, self.type_of(topic))
        self.write(topic, nanoseconds, bytes(data))

    def write(self, topic: str, nanoseconds: int, data: bytes) -> None:
        """Write a serialised message with the time at which it was sent."""
        try:
            self._writer.write(self._connections[topic], nanoseconds, data)
        except OSError as error:
            raise self._full(error) from error
        self.counts[topic] += 1

    def type_of(self, topic: str) -> str:
        """Return the message type of a topic."""
        return self._connections[topic].msgtype

    def close(self) -> None:
        """Write the index; only now the bag can be read."""
        try:
            self._writer.close()
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> DataError:
        return DataError(
            f'{self._path} cannot be written any more ({error.strerror}); make room on the disk. '
            'What was recorded before can be read')
