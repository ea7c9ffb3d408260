# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ceiling camera: draws a layout and a robot as it would see them, with light and noise."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.sim.layouts import Layout

FLOOR = (214, 206, 190)
WALL = (58, 62, 74)
BODY = (206, 60, 48)
NOSE = (250, 214, 66)
# OpenCV draws with fixed-point coordinates of this many fractional bits.
SHIFT = 4


@dataclass(frozen=True)
class CameraConfig:
    """What the simulated camera is like."""

    size: int = setting(224, 'side of the square picture, pixels', 32, 2048)
    noise: float = setting(0.0, 'standard deviation of pixel noise, of 255', 0.0, 64.0)
    lighting: float = setting(
        0.0, 'largest relative change of brightness, drawn per episode', 0.0, 0.5)


class Camera:
    """Looks straight down; x is to the right and y up, as on a map."""

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Draw this episode's light."""
        self._rng = np.random.default_rng(seed)
        self._gain = 1.0 + self._rng.uniform(-1, 1) * self._config.lighting

    def picture(
        self, layout: Layout, pose: NDArray[np.float64], radius_m: float,
    ) -> NDArray[np.uint8]:
        """Return [H, W, 3] RGB."""
        size = self._config.size
        scale = size / layout.size_m
        image = np.full((size, size, 3), FLOOR, np.uint8)

        def pixels(x: float, y: float) -> tuple[int, int]:
            # Half a pixel: OpenCV's coordinates are pixel centres.
            return (round((x * scale - 0.5) * 2**SHIFT),
                    round((size - y * scale - 0.5) * 2**SHIFT))

        for block in layout.blocks:
            cv2.rectangle(image, pixels(block.left, block.top), pixels(block.right, block.bottom),
                          WALL, cv2.FILLED, cv2.LINE_AA, SHIFT)
        x, y, heading = pose
        cv2.circle(image, pixels(x, y), round(radius_m * scale * 2**SHIFT), BODY,
                   cv2.FILLED, cv2.LINE_AA, SHIFT)
        nose = [pixels(x + reach * radius_m * np.cos(heading + turn),
                       y + reach * radius_m * np.sin(heading + turn))
                for reach, turn in ((1.0, 0.0), (0.8, 2.3), (0.8, -2.3))]
        cv2.fillPoly(image, [np.array(nose)], NOSE, cv2.LINE_AA, SHIFT)
        return self._expose(image)

    def _expose(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._config.noise == 0 and self._gain == 1:
            return image
        exposed = image * self._gain
        exposed = exposed + self._rng.normal(0, self._config.noise, image.shape)
        return np.clip(exposed, 0, 255).astype(np.uint8)
