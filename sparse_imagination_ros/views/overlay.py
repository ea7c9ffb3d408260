# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The token mask over the camera's picture: what was imagined is clear, the rest is dim."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.tokens.frames import Picture

# What is dim keeps this share of its light.
DIM = 0.5
OUTLINE = (70, 200, 255)
# Smaller pictures are enlarged to it, so that lines and text are not larger than what they say.
LEAST_SIDE = 448
LINE_HEIGHT, MARGIN = 22, 6
TEXT, BAR = (235, 235, 235), (28, 28, 32)
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5


def token_mask(
    picture: Picture, grid: int, subset: Iterable[int], lines: Sequence[str],
) -> Picture:
    """Return a picture [H, W, 3] with the places of the subset outlined, and text below it."""
    height, width = picture.shape[:2]
    times = max(1, -(-LEAST_SIDE // max(height, width)))
    size = (width * times, height * times)
    large = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    edges = (_edges(size[0], grid), _edges(size[1], grid))
    shown = (large * DIM).astype(np.uint8)
    boxes = [_box(int(place), grid, edges) for place in subset]
    for left, top, right, bottom in boxes:
        shown[top:bottom, left:right] = large[top:bottom, left:right]
    for left, top, right, bottom in boxes:
        cv2.rectangle(shown, (left, top), (right - 1, bottom - 1), OUTLINE, 1)
    return np.concatenate([shown, _bar(size[0], lines)])


def _edges(length: int, grid: int) -> NDArray[np.int64]:
    return np.linspace(0, length, grid + 1).round().astype(np.int64)


def _box(
    place: int, grid: int, edges: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[int, int, int, int]:
    row, column = divmod(place, grid)
    (across, down) = edges
    return (int(across[column]), int(down[row]), int(across[column + 1]), int(down[row + 1]))


def _bar(width: int, lines: Sequence[str]) -> Picture:
    bar = np.full((LINE_HEIGHT * len(lines) + 2 * MARGIN, width, 3), BAR, np.uint8)
    for number, line in enumerate(lines):
        base = MARGIN + LINE_HEIGHT * (number + 1) - MARGIN
        cv2.putText(bar, line, (MARGIN, base), FONT, FONT_SCALE, TEXT, 1, cv2.LINE_AA)
    return bar
