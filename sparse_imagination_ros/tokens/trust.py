# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a picture can be what a camera sees now: it shows something, and changes."""

from dataclasses import dataclass

import numpy as np

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.tokens.frames import Picture

# Contrast is judged by every so manieth row and column: a look at all of them takes milliseconds.
STRIDE = 8


@dataclass(frozen=True)
class TrustConfig:
    """Which pictures are not planned from."""

    contrast: float = setting(
        2.0, 'a picture is not believed whose values differ by less than this, as behind a '
             'covered lens (standard deviation, of 0 to 255); 0: any is', 0.0, 127.0, live=True)
    freeze_s: float = setting(
        1.0, 'nor is one that stays the same to the last bit while the robot is told to move for '
             'so long, seconds; 0: it is, as simulated cameras without noise need it', 0.0, 60.0,
        live=True)


@dataclass(frozen=True)
class Doubt:
    """
    Why a picture is not believed: what about it, in two words, and what to do.

    at_once: whether those before it should not have been believed either.
    """

    about: str
    text: str
    at_once: bool = False


class Trust:
    """Judges the pictures of one camera, in their order. For one thread."""

    def __init__(self, config: TrustConfig) -> None:
        self._config = config
        self._last: Picture | None = None
        self._last_s = self._same_s = 0.0

    def adjust(self, config: TrustConfig) -> None:
        """Judge by other settings."""
        self._config = config

    def judge(self, picture: Picture, now_s: float, moves: bool) -> Doubt | None:
        """Return why a picture [H, W, 3] is not believed; moves: whether the robot shall move."""
        if self._last is None or not np.array_equal(picture, self._last):
            self._same_s = 0.0
        elif moves:
            self._same_s += now_s - self._last_s
        self._last, self._last_s = picture, now_s
        # A covered lens shows the same, too; it is the better explanation.
        if picture[::STRIDE, ::STRIDE].std((0, 1)).max() < self._config.contrast:
            return Doubt(
                'blind camera', 'its picture shows next to nothing; uncover the lens, make light, '
                'or lower camera_contrast')
        if self._config.freeze_s and self._same_s > self._config.freeze_s:
            return Doubt(
                'frozen camera', 'its picture stays the same to the last bit though the robot was '
                'told to move; restart the camera driver (of a simulated camera without noise '
                'set camera_freeze_s to 0)', at_once=True)
        return None
