# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How near planned commands come to those that were recorded. Pure maths, in units of limits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A command below this part of the limits has no direction worth comparing.
MOVES = 0.05


@dataclass(frozen=True)
class Likeness:
    """
    One plan beside what was recorded from its frame to its goal.

    planned, recorded: [A], the first commands; direction: their cosine, NaN where one of them is
    hardly a movement; magnitude: how much longer the planned one is; sequence: the root mean
    square difference over the way to the goal, and that of standing still.
    """

    planned: NDArray[np.float32]
    recorded: NDArray[np.float32]
    direction: float
    magnitude: float
    sequence: float
    sequence_still: float


def compare(planned: NDArray[np.float32], recorded: NDArray[np.float32]) -> Likeness:
    """Compare sequences [T, A] and [F, A] as far as both reach; at least one command each."""
    length = min(len(planned), len(recorded))
    planned, recorded = planned[:length], recorded[:length]
    sizes = [float(np.linalg.norm(commands[0])) for commands in (planned, recorded)]
    direction = np.nan
    if min(sizes) >= MOVES:
        direction = float(planned[0] @ recorded[0]) / (sizes[0] * sizes[1])
    return Likeness(
        planned[0], recorded[0], direction, sizes[0] - sizes[1], _rms(planned - recorded),
        _rms(recorded))


def _rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))
