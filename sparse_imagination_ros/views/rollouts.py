# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where candidates would lead a base on flat ground, and the colour of what they cost.

The world model imagines tokens, not places: this is what the actions say by themselves, for people
to look at. Nothing is planned with it.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# The parts of a velocity that move a base on flat ground.
FORWARD, SIDEWAYS, TURN = 'linear.x', 'linear.y', 'angular.z'
PLANAR = (FORWARD, SIDEWAYS, TURN)


def planar(names: Sequence[str]) -> bool:
    """Tell whether actions of these names are the velocity of a base on flat ground."""
    return all(name in PLANAR for name in names)


def poses(
    actions: NDArray[np.floating], names: Sequence[str], step_s: float,
) -> NDArray[np.float64]:
    """
    Return the places [N, T + 1, 3] that actions [N, T, A] lead to: x, y and heading, from zero.

    Within a step the velocity of the base is constant, so that it moves on an arc.
    """
    forward, sideways, turn = (
        actions[..., names.index(name)].astype(float) if name in names
        else np.zeros(actions.shape[:2]) for name in PLANAR)
    turned = turn * step_s
    heading = np.cumsum(turned, 1) - turned
    # The chord of the arc: as long as the way, times sin(a / 2) / (a / 2), half way turned.
    chord, direction = step_s * np.sinc(turned / (2 * np.pi)), heading + turned / 2
    x = np.cumsum(chord * (forward * np.cos(direction) - sideways * np.sin(direction)), 1)
    y = np.cumsum(chord * (forward * np.sin(direction) + sideways * np.cos(direction)), 1)
    moved = np.stack([x, y, heading + turned], -1)
    return np.concatenate([np.zeros((len(actions), 1, 3)), moved], 1)


def colours(costs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return colours [N, 3] in 0 .. 1 of costs [N]: by their order, from blue to red."""
    if not len(costs):
        return np.zeros((0, 3))
    # By order: few bad ones among many good ones would leave no difference between these.
    ranks = costs.argsort().argsort() / max(1, len(costs) - 1)
    grey = (255 * ranks).astype(np.uint8)[:, None]
    bgr = np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO))[:, 0, :]
    return np.asarray(bgr[:, ::-1] / 255.0, np.float64)


def chosen(costs: NDArray[np.floating], elites: int, most: int) -> NDArray[np.int64]:
    """Return which candidates are shown, best first: the elites, and the rest evenly by rank."""
    order = costs.argsort()
    best, rest = order[:elites], order[elites:]
    if len(rest) > most - len(best):
        rest = rest[np.linspace(0, len(rest) - 1, max(0, most - len(best))).round().astype(int)]
    return np.concatenate([best, rest])
