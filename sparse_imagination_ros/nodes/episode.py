# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns the messages of one episode into its record. It talks to nobody."""

from collections.abc import Iterable
from dataclasses import dataclass
import math
from typing import Any

from geometry_msgs.msg import PoseStamped
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from sparse_imagination_ros.evaluation.run import CycleRecord, EpisodeRecord, Snapshot
from sparse_imagination_ros.nodes.messages import picture_from, seconds, stamp_from
from sparse_imagination_ros.sim.layouts import Rectangle
from sparse_imagination_ros.sim.robots import Robot
from sparse_imagination_ros.sim.rooms import GOAL_RADIUS_M
from sparse_imagination_ros.tokens.frames import Picture

SNAPSHOT_PERIOD_S = 0.8
SNAPSHOTS_KEPT = 5


@dataclass(frozen=True)
class Progress:
    """What can be said while an episode runs; cycles are those of this episode."""

    number: int
    elapsed_s: float
    distance_m: float
    cycles: tuple[CycleRecord, ...]


class EpisodeCollector:
    """Collects one episode from messages; all times count from the reset."""

    def __init__(self, number: int, world: dict[str, Any], robot: Robot) -> None:
        self._number, self._world, self._robot = number, world, robot
        self._began = stamp_from(world['stamp_ns'])
        self._began_s = seconds(self._began)
        self._path: list[tuple[float, float, float]] = [(0.0, *world['start'][:2])]
        self._commands: list[tuple[float, NDArray[np.float64]]] = []
        self._cycles: list[CycleRecord] = []
        self._snapshots: list[Snapshot] = []
        self._goal: tuple[float, float] | None = None
        self._goal_picture: Picture | None = None
        self.success = False

    @property
    def elapsed_s(self) -> float:
        """Return when the last odometry was."""
        return self._path[-1][0]

    def progress(self) -> Progress:
        """Return how far it is."""
        return Progress(self._number, self.elapsed_s, self._distance_m(), self.cycles)

    @property
    def cycles(self) -> tuple[CycleRecord, ...]:
        """Return the cycles that planned from frames of this episode."""
        return tuple(self._cycles)

    def record(self) -> EpisodeRecord:
        """Return what the episode was."""
        path, world = np.array(self._path), self._world
        return EpisodeRecord(
            number=self._number, seed=world['seed'], success=self.success, seconds=self.elapsed_s,
            start=tuple(world['start']), goal=tuple(world['goal']),
            blocks=tuple(Rectangle(**block) for block in world['blocks']),
            size_m=world['size_m'], goal_radius_m=GOAL_RADIUS_M,
            robot_radius_m=self._robot.radius_m, path=path[:, 1:], times_s=path[:, 0],
            commands=np.array([values for _, values in self._commands]).reshape(
                -1, len(self._robot.action_names)),
            command_times_s=np.array([sent_s for sent_s, _ in self._commands]),
            goal_picture=self._goal_picture, snapshots=_spread_out(self._snapshots))

    def add_goal(self, message: Image | PoseStamped) -> None:
        """Take the goal, if it is that of this episode."""
        if message.header.stamp != self._began:
            return
        if isinstance(message, Image):
            self._goal_picture = picture_from(message)
        else:
            self._goal = message.pose.position.x, message.pose.position.y

    def add_position(self, stamp_s: float, x: float, y: float) -> None:
        """Follow the robot until it is at the goal."""
        if self.success or stamp_s <= self._began_s:
            return
        self._path.append((stamp_s - self._began_s, x, y))
        self.success = self._distance_m() <= GOAL_RADIUS_M

    def add_command(self, sent_s: float, values: NDArray[np.float64]) -> None:
        """Note a command."""
        if sent_s >= self._began_s:
            self._commands.append((sent_s - self._began_s, values))

    def add_cycle(self, said: dict[str, str], sent_s: float, frames: Iterable[Image]) -> None:
        """Note a cycle, and from time to time the picture that it planned from."""
        frame_s = float(said['frame_stamp'])
        if frame_s < self._began_s:
            return
        self._cycles.append(CycleRecord(
            self._number, sent_s - self._began_s, float(said['total_ms']),
            float(said['encode_ms']), float(said['imagine_ms']), int(said['tokens']),
            int(said['candidates']), int(said['iterations']), int(said['encodes']),
            float(said['cost']), said['deadline_missed'] == '1'))
        shown_s = frame_s - self._began_s
        if self._snapshots and shown_s < self._snapshots[-1].time_s + SNAPSHOT_PERIOD_S:
            return
        for image in frames:
            if seconds(image.header.stamp) == frame_s:
                self._snapshots.append(Snapshot(
                    shown_s, picture_from(image),
                    np.array(said['subset'].split(), np.int64),
                    math.isqrt(int(said['total_tokens']))))

    def _distance_m(self) -> float:
        if self._goal is None:
            return math.inf
        return math.hypot(self._path[-1][1] - self._goal[0], self._path[-1][2] - self._goal[1])


def _spread_out(snapshots: list[Snapshot]) -> tuple[Snapshot, ...]:
    chosen = np.linspace(0, len(snapshots) - 1, min(len(snapshots), SNAPSHOTS_KEPT)).round()
    return tuple(snapshots[int(i)] for i in chosen)
