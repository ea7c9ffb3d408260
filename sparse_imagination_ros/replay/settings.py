# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is read of a bag, and how it is replayed."""

from dataclasses import dataclass
from math import inf

from sparse_imagination_ros.config import setting


@dataclass(frozen=True)
class ReplayConfig:
    """What is read of a bag, and how it is replayed."""

    image_topic: str = setting('', 'pictures, raw or compressed; if empty the only such topic')
    command_topic: str = setting('', 'commands that the robot obeyed; if empty the only Twist')
    sense_topic: str = setting('', 'what the robot sensed, for a bundle that takes it')
    scene_topic: str = setting(
        '', 'a message of any type says that a new scene begins, as when the robot was carried '
            'or a simulation reset; or none')
    command_hold_s: float = setting(
        0.5, 'the base stops so long after the last command, seconds', 0.01, 60.0)
    start: float = setting(0.0, 'seconds after the begin of a bag, where replaying begins', 0.0)
    end: float = setting(inf, 'and where it ends, seconds after the begin of the bag', 0.0, inf)
    goal_s: float = setting(
        3.0, 'a goal is the picture so many seconds ahead; it is kept for half that time',
        0.2, 600.0)
    rate: float = setting(
        1.0, 'how much faster than recorded the bag is played to the planner', 0.01, 100.0)
    segments: int = setting(
        400, 'at most so many beginnings from which the future is imagined', 1, 10**6)
    ranked: int = setting(
        40, 'at most so many of them at which the recorded commands are ranked', 0, 10**6)
