# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes bags as a robot would record them: pictures, commands and odometry, with their faults."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores

TYPES = get_typestore(Stores.ROS2_JAZZY)
START_S = 1_700_000_000.0


def message(name: str, **values: Any) -> Any:
    """Make a message of a type such as geometry_msgs/msg/Twist."""
    return TYPES.types[name](**values)


def header(time_s: float) -> Any:
    nanoseconds = round(time_s * 1e9)
    stamp = message('builtin_interfaces/msg/Time', sec=nanoseconds // 10**9,
                    nanosec=nanoseconds % 10**9)
    return message('std_msgs/msg/Header', stamp=stamp, frame_id='camera')


def vector(x: float, y: float = 0.0, z: float = 0.0) -> Any:
    return message('geometry_msgs/msg/Vector3', x=x, y=y, z=z)


def picture(shade: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), (shade, 255 - shade, 7), np.uint8)


def image(time_s: float, rgb: np.ndarray) -> Any:
    height, width, _ = rgb.shape
    return message(
        'sensor_msgs/msg/Image', header=header(time_s), height=height, width=width,
        encoding='rgb8', is_bigendian=0, step=3 * width, data=rgb.reshape(-1))


def compressed(time_s: float, rgb: np.ndarray) -> Any:
    _, data = cv2.imencode('.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return message('sensor_msgs/msg/CompressedImage', header=header(time_s), format='png',
                   data=data.reshape(-1))


def twist(forward: float, turn: float) -> Any:
    return message('geometry_msgs/msg/Twist', linear=vector(forward), angular=vector(0, 0, turn))


def odometry(time_s: float, x: float, heading: float) -> Any:
    pose = message(
        'geometry_msgs/msg/Pose', position=message('geometry_msgs/msg/Point', x=x, y=0.0, z=0.0),
        orientation=message('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=np.sin(heading / 2),
                            w=np.cos(heading / 2)))
    still = message('geometry_msgs/msg/Twist', linear=vector(0), angular=vector(0))
    return message(
        'nav_msgs/msg/Odometry', header=header(time_s), child_frame_id='base',
        pose=message('geometry_msgs/msg/PoseWithCovariance', pose=pose, covariance=np.zeros(36)),
        twist=message('geometry_msgs/msg/TwistWithCovariance', twist=still,
                      covariance=np.zeros(36)))


def write_bag(
    path: Path, said: Sequence[tuple[str, float, Any]], storage: str = 'mcap',
) -> Path:
    """Write messages as (topic, time of recording in seconds after START_S, message)."""
    plugin = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}[storage]
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections: dict[str, Any] = {}
        for topic, time_s, content in said:
            kind = content.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            writer.write(connections[topic], round((START_S + time_s) * 1e9),
                         TYPES.serialize_cdr(content, kind))
    return path


def drive(seconds: float = 4.0, hz: float = 10.0, picture_message: Any = image) -> list[Any]:
    """
    Drive forward: picture n has shade n, and the command is n / 100 at its time.

    Odometry knows x = 2 t and a heading of 0.1 t.
    """
    said: list[Any] = []
    for number in range(round(seconds * hz)):
        t = number / hz
        said.append(('/camera/image', t + 0.02, picture_message(START_S + t, picture(number))))
        said.append(('/cmd_vel', t, twist(number / 100, 0.5)))
        said.append(('/odom', t, odometry(START_S + t, 2 * t, 0.1 * t)))
    return sorted(said, key=lambda entry: entry[1])
