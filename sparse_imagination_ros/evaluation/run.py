# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What one demonstration run over ROS 2 was: plain records, for the summary and the report.

Nothing is measured or drawn here, and nothing of ROS is imported.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.sim.layouts import Rectangle
from sparse_imagination_ros.tokens.frames import Picture


@dataclass(frozen=True)
class CycleRecord:
    """
    One planning cycle as the planner reported it.

    episode: number of the episode, from 0; time_s: since that episode's start.
    """

    episode: int
    time_s: float
    total_ms: float
    encode_ms: float
    imagine_ms: float
    tokens: int
    candidates: int
    iterations: int
    encodes: int
    cost: float
    deadline_missed: bool


@dataclass(frozen=True)
class Snapshot:
    """
    One camera picture and the tokens that were imagined in the cycle that planned from it.

    rgb: [H, W, 3]; subset: [K], positions among grid * grid tokens, row by row.
    """

    time_s: float
    rgb: Picture
    subset: NDArray[np.int64]
    grid: int


@dataclass(frozen=True)
class EpisodeRecord:
    """
    One drive from start to goal. Poses are (x, y, heading) in metres and radians.

    seconds: from the reset until the goal or the time limit; path: [n, 2] and times_s: [n], as the
    odometry said; commands: [m, A] at command_times_s: [m]. All times count from the reset.
    """

    number: int
    seed: int
    success: bool
    seconds: float
    start: tuple[float, float, float]
    goal: tuple[float, float, float]
    blocks: tuple[Rectangle, ...]
    size_m: float
    goal_radius_m: float
    robot_radius_m: float
    path: NDArray[np.float64]
    times_s: NDArray[np.float64]
    commands: NDArray[np.float64]
    command_times_s: NDArray[np.float64]
    goal_picture: Picture | None
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True)
class TopicRecord:
    """One recorded topic; published is what its node counted, None where no node counts."""

    name: str
    message_type: str
    recorded: int
    published: int | None


@dataclass(frozen=True)
class DemoRun:
    """A whole run. command_rate_hz is measured; action_names: of the columns of commands."""

    robot: str
    bundle: str
    seed: int
    split: str
    time_limit_s: float
    budget_ms: float
    command_rate_hz: float
    action_names: tuple[str, ...]
    commands: int
    commands_outside_limits: int
    rmw_implementation: str
    processes: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    episodes: tuple[EpisodeRecord, ...]
    cycles: tuple[CycleRecord, ...]
    topics: tuple[TopicRecord, ...]
    started_at: str

    @property
    def successes(self) -> int:
        """Count the episodes that reached their goal."""
        return sum(episode.success for episode in self.episodes)

    @property
    def cycle_ms(self) -> NDArray[np.float64]:
        """Return each cycle's time [cycles], from trigger to published plan."""
        return np.array([cycle.total_ms for cycle in self.cycles], np.float64)

    @property
    def deadline_misses(self) -> int:
        """Count the cycles that took longer than the budget."""
        return sum(cycle.deadline_missed for cycle in self.cycles)

    @property
    def cycle_rate_hz(self) -> float:
        """Return the planning cycles per second of driving."""
        seconds = sum(episode.seconds for episode in self.episodes)
        return len(self.cycles) / seconds if seconds else 0.0
