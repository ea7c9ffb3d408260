# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an encoded image buffer to the pixels that an encoder takes. No ROS types here."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import FrameError

Picture = NDArray[np.uint8]

# encoding -> channels, and how OpenCV calls the way to RGB (None: it is RGB already)
_ENCODINGS: dict[str, tuple[int, int | None]] = {
    'rgb8': (3, None),
    'bgr8': (3, cv2.COLOR_BGR2RGB),
    'rgba8': (4, cv2.COLOR_RGBA2RGB),
    'bgra8': (4, cv2.COLOR_BGRA2RGB),
    'mono8': (1, cv2.COLOR_GRAY2RGB),
}


@dataclass(frozen=True)
class Frame:
    """
    One RGB picture [H, W, 3] with the time at which it was taken, in seconds.

    sensed: [Q], what else the robot sensed then, for a model that uses it.
    """

    stamp_s: float
    rgb: Picture
    sensed: NDArray[np.float32] | None = None


def decode(data: Any, height: int, width: int, step: int, encoding: str) -> Picture:
    """
    Return an image buffer as RGB [H, W, 3]; `step` is the length of a row in bytes.

    The result shares memory with the buffer where the encoding allows it.
    """
    if encoding not in _ENCODINGS:
        raise FrameError(
            f'image encoding `{encoding}` cannot be read; '
            f'publish one of {", ".join(_ENCODINGS)}')
    channels, conversion = _ENCODINGS[encoding]
    buffer = np.frombuffer(data, np.uint8)
    if height < 1 or width < 1 or step < width * channels or len(buffer) != height * step:
        raise FrameError(
            f'image of {len(buffer)} bytes does not hold {height} rows of {step} bytes with '
            f'{width} {encoding} pixels each; check the camera driver')
    pixels = buffer.reshape(height, step)[:, :width * channels].reshape(height, width, channels)
    return pixels if conversion is None else np.asarray(cv2.cvtColor(pixels, conversion), np.uint8)


def shrink(picture: Picture, size: int) -> Picture:
    """Return the picture at the size that an encoder takes, [size, size, 3]."""
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
