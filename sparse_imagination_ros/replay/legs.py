# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Goals taken from a tape itself: where it is cut into legs, each toward one later picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.replay.tape import Tape

# A planner is made anew after so long, so that an interrupted replay can go on from there.
CHAPTER_S = 60.0


@dataclass(frozen=True)
class Leg:
    """Pictures that are planned from, in the order of their arrival, and the goal's picture."""

    pictures: tuple[int, ...]
    goal: int


def chapters(tape: Tape, goal_s: float) -> list[list[Leg]]:
    """Cut a tape into legs; those of a chapter lie in one unbroken stretch."""
    found = []
    for piece in tape.pieces():
        made = legs(tape, piece, goal_s)
        chapter: list[Leg] = []
        for leg in made:
            since_s = tape.times[leg.pictures[0]] - tape.times[(chapter or [leg])[0].pictures[0]]
            if chapter and since_s > CHAPTER_S:
                found.append(chapter)
                chapter = []
            chapter.append(leg)
        if chapter:
            found.append(chapter)
    return found


def legs(tape: Tape, piece: NDArray[np.int64], goal_s: float) -> list[Leg]:
    """
    Cut a stretch into legs of half of `goal_s`; each one's goal lies `goal_s` after its begin.

    So a goal is always at least half of `goal_s` away. At its end a stretch has no goals left.
    """
    at, made = tape.times[piece], []
    for start_s in np.arange(at[0], at[-1] - goal_s + 1e-6, goal_s / 2):
        within = (at >= start_s - 1e-9) & (at < start_s + goal_s / 2 - 1e-9)
        if within.any():
            goal = piece[int(np.abs(at - (start_s + goal_s)).argmin())]
            made.append(Leg(tuple(np.sort(piece[within]).tolist()), int(goal)))
    return made
