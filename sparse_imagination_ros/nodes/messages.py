# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and back. Nothing is computed here, and no node is needed."""

from array import array
from collections.abc import Mapping, Sequence
import math
from typing import Any

from builtin_interfaces.msg import Duration, Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Pose, Twist
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from sparse_imagination_ros.errors import BundleError, FrameError
from sparse_imagination_ros.message_fields import number_at
from sparse_imagination_ros.nodes.bridge import working_bridge
from sparse_imagination_ros.tokens.frames import decode, decompress, ENCODINGS, Frame, Picture

NANOSECONDS = 1_000_000_000
# The parts of a Twist that an action may command.
TWIST_PARTS = tuple(f'{kind}.{axis}' for kind in ('linear', 'angular') for axis in 'xyz')


def seconds(stamp: Time) -> float:
    """Return a stamp in seconds; to better than a microsecond for today's dates."""
    return float(stamp.sec + stamp.nanosec / NANOSECONDS)


def stamp_from(nanoseconds: int) -> Time:
    """Return a stamp."""
    return Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def stamp_at(time_s: float) -> Time:
    """Return a time in seconds as a stamp that `seconds` turns back into the same number."""
    whole = math.floor(time_s)
    # Of the whole number a double has no nanoseconds left.
    return stamp_from(whole * NANOSECONDS + round((time_s - whole) * NANOSECONDS))


def duration_from(time_s: float) -> Duration:
    """Return a duration."""
    nanoseconds = round(time_s * NANOSECONDS)
    return Duration(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def picture_from(message: Image | CompressedImage) -> Picture:
    """Return the picture [H, W, 3] of an image; RGB images that are not compressed are no copy."""
    if isinstance(message, CompressedImage):
        return decompress(message.data, message.format)
    if message.encoding not in ENCODINGS and (bridge := working_bridge()):
        return bridge(message)
    return decode(
        message.data, message.height, message.width, message.step, message.encoding,
        bool(message.is_bigendian))


def frame_from(message: Image | CompressedImage) -> Frame:
    """Return the picture of an image with its stamp."""
    return Frame(seconds(message.header.stamp), picture_from(message))


def image_from(picture: Picture, stamp: Time, frame_id: str) -> Image:
    """Return an image message from a picture [H, W, 3]."""
    data = array('B')
    # Other ways of filling the field take up to 200 ms for a large picture.
    data.frombytes(np.ascontiguousarray(picture).data)
    height, width, channels = picture.shape
    message = Image(height=height, width=width, encoding='rgb8', step=width * channels)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.data = data
    return message


def check_action_names(names: Sequence[str], source: str) -> None:
    """Refuse actions that a Twist cannot carry; `source` is where the names come from."""
    unknown = [name for name in names if name not in TWIST_PARTS]
    if unknown:
        raise BundleError(
            f'{source}: action `{unknown[0]}` is no part of a Twist; send it to one of '
            f'{", ".join(TWIST_PARTS)} with command_map, or choose another command_type')


def twist_from(values: NDArray[np.floating], names: Sequence[str]) -> Twist:
    """Return a Twist from the values [A] of the actions of these names; the rest is zero."""
    twist = Twist()
    for name, value in zip(names, values, strict=True):
        kind, axis = name.split('.')
        setattr(getattr(twist, kind), axis, float(value))
    return twist


def values_from(twist: Twist, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the values [A] of the actions of these names."""
    return np.array([
        getattr(getattr(twist, kind), axis)
        for kind, axis in (name.split('.') for name in names)])


def numbers_from(message: Any, paths: Sequence[str], source: str) -> NDArray[np.float32]:
    """Return the numbers [Q] at these paths in a message; `source` is where it comes from."""
    try:
        return np.array([number_at(message, path) for path in paths], np.float32)
    except ValueError as error:
        raise FrameError(
            f'{source}: a {type(message).__name__} without `{error}`, which the bundle takes; '
            'publish another message, or import the bundle with other sense_fields') from error


def pose_from(x: float, y: float, heading: float) -> Pose:
    """Return a pose in the plane."""
    pose = Pose()
    pose.position.x, pose.position.y = float(x), float(y)
    pose.orientation.z, pose.orientation.w = math.sin(heading / 2), math.cos(heading / 2)
    return pose


def status_from(
    name: str, level: bytes, text: str, values: Mapping[str, object], hardware: str = '',
) -> DiagnosticStatus:
    """Return a status whose values are written as text; numbers keep all their digits."""
    return DiagnosticStatus(
        name=name, level=level, message=text, hardware_id=hardware,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])


def readings(status: DiagnosticStatus) -> dict[str, str]:
    """Return the key values of a status."""
    return {pair.key: pair.value for pair in status.values}
