# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an encoded image buffer to the pixels that an encoder takes. No ROS types here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import FrameError

Picture = NDArray[np.uint8]
Pixels = NDArray[Any]


@dataclass(frozen=True)
class _Encoding:
    """
    How the pixels of a buffer lie, and the way to RGB.

    depth: bytes of one number; even: what width and height must be multiples of.
    """

    channels: int
    depth: int
    to_rgb: Callable[[Pixels], Pixels]
    even: tuple[int, int] = (1, 1)


def _converted(code: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _narrowed(pixels: Pixels) -> Pixels:
    """Scale 0 .. 65535 to 0 .. 255, rounded."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


_GREY = _converted(cv2.COLOR_GRAY2RGB)
# OpenCV calls a mosaic by the second and third pixel of its second row.
_MOSAICS = {'rggb': cv2.COLOR_BayerBG2RGB, 'bggr': cv2.COLOR_BayerRG2RGB,
            'gbrg': cv2.COLOR_BayerGR2RGB, 'grbg': cv2.COLOR_BayerGB2RGB}
_UYVY, _YUYV = _converted(cv2.COLOR_YUV2RGB_UYVY), _converted(cv2.COLOR_YUV2RGB_YUYV)
_BGR = _converted(cv2.COLOR_BGR2RGB)


def _mosaic(code: int, depth: int) -> _Encoding:
    convert = _converted(code)
    if depth == 1:
        return _Encoding(1, 1, convert, (2, 2))
    return _Encoding(1, 2, lambda pixels: _narrowed(convert(pixels)), (2, 2))


_ENCODINGS: dict[str, _Encoding] = {
    'rgb8': _Encoding(3, 1, lambda pixels: pixels),
    'bgr8': _Encoding(3, 1, _BGR),
    '8UC3': _Encoding(3, 1, _BGR),
    'rgba8': _Encoding(4, 1, _converted(cv2.COLOR_RGBA2RGB)),
    'bgra8': _Encoding(4, 1, _converted(cv2.COLOR_BGRA2RGB)),
    'mono8': _Encoding(1, 1, _GREY),
    '8UC1': _Encoding(1, 1, _GREY),
    'mono16': _Encoding(1, 2, lambda pixels: _GREY(_narrowed(pixels))),
    # The same two orders under their old and new names.
    'yuv422': _Encoding(2, 1, _UYVY, (2, 1)),
    'uyvy': _Encoding(2, 1, _UYVY, (2, 1)),
    'yuv422_yuy2': _Encoding(2, 1, _YUYV, (2, 1)),
    'yuyv': _Encoding(2, 1, _YUYV, (2, 1)),
    **{f'bayer_{order}{8 * depth}': _mosaic(code, depth)
       for depth in (1, 2) for order, code in _MOSAICS.items()},
}
ENCODINGS = tuple(_ENCODINGS)


@dataclass(frozen=True)
class Frame:
    """
    One RGB picture [H, W, 3] with the time at which it was taken, in seconds.

    sensed: [Q], what else the robot sensed then, for a model that uses it.
    """

    stamp_s: float
    rgb: Picture
    sensed: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Region:
    """What of a camera's picture is looked at, pixels; and whether that may be scaled."""

    left: int = setting(0, 'first column of the picture that is looked at, pixels', 0, 65535)
    top: int = setting(0, 'first row', 0, 65535)
    width: int = setting(0, 'so many columns; 0: all the rest', 0, 65535)
    height: int = setting(0, 'so many rows; 0: all the rest', 0, 65535)
    resize: bool = setting(
        False, 'whether it is scaled to the size that the bundle was trained on, if it is '
               'another; it must show the same')


def decode(
    data: Any, height: int, width: int, step: int, encoding: str, bigendian: bool = False,
) -> Picture:
    """
    Return an image buffer as RGB [H, W, 3]; `step` is the length of a row in bytes.

    The result shares memory with the buffer where the encoding allows it.
    """
    known = _ENCODINGS.get(encoding)
    if known is None:
        raise FrameError(
            f'image encoding `{encoding}` cannot be read; publish one of {", ".join(ENCODINGS)}')
    buffer, row = np.frombuffer(data, np.uint8), width * known.channels * known.depth
    if height < 1 or width < 1 or step < row or len(buffer) != height * step:
        raise FrameError(
            f'image of {len(buffer)} bytes does not hold {height} rows of {step} bytes with '
            f'{width} {encoding} pixels each; check the camera driver')
    if width % known.even[0] or height % known.even[1]:
        raise FrameError(
            f'image of {width} x {height} pixels: with {encoding} two pixels share their colour, '
            'so that sides must be even; check the camera driver')
    pixels: Pixels = buffer.reshape(height, step)[:, :row]
    if known.depth == 2:
        # OpenCV wants the order of this machine.
        pixels = np.ascontiguousarray(pixels).view('>u2' if bigendian else '<u2').astype(np.uint16)
    shape = (height, width) if known.channels == 1 else (height, width, known.channels)
    return np.asarray(known.to_rgb(pixels.reshape(shape)), np.uint8)


def decompress(data: Any, what: str) -> Picture:
    """Return a picture [H, W, 3] from JPEG, PNG or what else OpenCV reads; errors call it so."""
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise FrameError(
            f'compressed image ({what}) cannot be decoded; publish JPEG or PNG, not depth')
    return np.asarray(_BGR(bgr), np.uint8)


def cut(picture: Picture, region: Region, size: tuple[int, int]) -> Picture:
    """Return the region of a picture; if that is to be, at this size, width and height."""
    height, width = picture.shape[:2]
    wide, high = region.width or width - region.left, region.height or height - region.top
    if region.left + max(wide, 1) > width or region.top + max(high, 1) > height:
        raise FrameError(
            f'the region of {wide} x {high} pixels from ({region.left}, {region.top}) does not '
            f'lie within the {width} x {height} pixels of the picture; change region_left, '
            'region_top, region_width, region_height')
    cutting = picture[region.top:region.top + high, region.left:region.left + wide]
    if not region.resize or (wide, high) == size:
        return cutting
    if abs(wide * size[1] - high * size[0]) > max(size[0], size[1]):
        raise FrameError(
            f'{wide} x {high} pixels cannot be scaled to {size[0]} x {size[1]} without '
            'distortion; choose a region of that shape with region_width and region_height')
    return np.asarray(cv2.resize(cutting, size, interpolation=cv2.INTER_AREA), np.uint8)


def beside(pictures: Sequence[Picture]) -> Picture:
    """Return pictures side by side, from left to right, all as high as the first."""
    high = pictures[0].shape[0]
    return np.concatenate([_as_high(picture, high) for picture in pictures], 1)


def _as_high(picture: Picture, high: int) -> Picture:
    height, width = picture.shape[:2]
    if height == high:
        return picture
    size = max(1, round(width * high / height)), high
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def shrink(picture: Picture, size: int) -> Picture:
    """Return the picture at the size that an encoder takes, [size, size, 3]."""
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
