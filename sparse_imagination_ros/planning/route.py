# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Goals one after another: when one is reached, and when the next one's turn is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.planning.plan import Array
from sparse_imagination_ros.tokens.frames import Picture

# Unless a distance is given: of the largest one since the goal was set.
ARRIVAL_SHARE = 0.05


@dataclass(frozen=True)
class RouteConfig:
    """When a goal counts as reached, and what happens then."""

    arrival_distance: float = setting(
        0.0, 'a goal is reached when the distance to it (~/debug/goal_distance) is below this; '
             '0: below a twentieth of the largest since the goal was set', 0.0, inf, live=True)
    departure_factor: float = setting(
        1.5, 'and left again when the distance is above so many times that', 1.0, 100.0, live=True)
    arrival_hold_s: float = setting(
        0.5, 'either must be so for this long to count, seconds', 0.0, 60.0, live=True)
    leg_limit_s: float = setting(
        0.0, 'the next goal of a route is taken after so many seconds even if this one is not '
             'reached; 0: never', 0.0, 3600.0, live=True)
    repeat_route: bool = setting(
        False, 'whether the first goal follows the last one', live=True)
    rest_at_goal: bool = setting(
        False, 'whether the robot stands while the last goal is reached; else it goes on to hold '
               'its place', live=True)


@dataclass(frozen=True)
class Goal:
    """A picture [H, W, 3] of where to be, and what is sensed there, [Q]; name: for people."""

    picture: Picture
    sensed: Array | None
    name: str


def name_of_now() -> str:
    """Return a name for a goal that is seen now; names sort as they were made."""
    return datetime.now().strftime('%Y-%m-%d_%H-%M-%S.%f')[:-3]


class Arrival:
    """Whether a goal is reached, by the distances to it; noise does not make it flap."""

    def __init__(self, config: RouteConfig) -> None:
        self.config = config
        self.reached = False
        self._largest = 0.0
        self._since_s: float | None = None

    @property
    def near(self) -> float:
        """Below which distance the goal is reached."""
        return self.config.arrival_distance or ARRIVAL_SHARE * self._largest

    def judge(self, distance: float, now_s: float) -> bool:
        """Take in a distance; tell whether the goal is reached."""
        # A distance that is no number changes nothing.
        self._largest = max(self._largest, distance if distance < inf else 0.0)
        far = self.near * self.config.departure_factor
        other = distance > far if self.reached else distance < self.near
        if not other:
            self._since_s = None
            return self.reached
        if self._since_s is None or self._since_s > now_s:
            self._since_s = now_s
        if now_s - self._since_s >= self.config.arrival_hold_s:
            self.reached, self._since_s = not self.reached, None
        return self.reached


class Route:
    """Where on a route the robot is."""

    def __init__(self, goals: Sequence[Goal], config: RouteConfig) -> None:
        self.goals, self.config = tuple(goals), config
        self._began_s: float | None = None
        self.number, self._arrival = 0, Arrival(config)

    @property
    def goal(self) -> Goal:
        """Return the goal whose turn it is."""
        return self.goals[self.number]

    @property
    def is_last(self) -> bool:
        """Tell whether no other goal follows."""
        return self.number == len(self.goals) - 1 and not (
            self.config.repeat_route and len(self.goals) > 1)

    @property
    def reached(self) -> bool:
        """Tell whether the goal whose turn it is has been reached."""
        return self._arrival.reached

    @property
    def near(self) -> float:
        """Below which distance it is."""
        return self._arrival.near

    def adjust(self, config: RouteConfig) -> None:
        """Go on by other settings."""
        self.config = self._arrival.config = config

    def advance(self, distance: float, now_s: float) -> bool:
        """Take in how far the goal is now; tell whether another one's turn has come."""
        if self._began_s is None or self._began_s > now_s:
            self._began_s = now_s
        reached = self._arrival.judge(distance, now_s)
        limit_s = self.config.leg_limit_s
        over = limit_s > 0 and now_s - self._began_s >= limit_s
        if self.is_last or not (reached or over):
            return False
        self.number = (self.number + 1) % len(self.goals)
        self._began_s, self._arrival = None, Arrival(self.config)
        return True

    def restart(self) -> None:
        """Begin with the first goal again."""
        self.number, self._began_s, self._arrival = 0, None, Arrival(self.config)
