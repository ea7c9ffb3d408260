# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Episodes in virtual time, without ROS: the world keeps moving while the planner thinks.

A cycle's measured wall time is how long the world waits for its plan, so that a slow planner fails
here as it would on a robot, though nothing runs in real time. Planning itself lives elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.evaluation.estimates import Percentiles, percentiles, wilson
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.gate import Gate, Limits
from sparse_imagination_ros.planning.plan import CommandHistory, HISTORY_S, Plan
from sparse_imagination_ros.planning.planner import Cycle, Planner, PlannerConfig
from sparse_imagination_ros.sim.world import at_goal, PHYSICS_STEP_S, World
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle

SPLIT = 'held_out'


class Thinker(Protocol):
    """What the loop asks of a planner."""

    def set_goal(self, picture: Picture) -> None:
        """Take a new goal and forget all that was."""

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float) -> Cycle:
        """Run one cycle from a frame that was taken so long ago."""


@dataclass(frozen=True)
class LoopConfig:
    """How fast things happen around the planner, and for how long."""

    camera_hz: float = setting(10.0, 'frames per second', 0.1, 100.0)
    camera_latency_s: float = setting(
        0.0, 'from the taking of a frame to its arrival, seconds', 0.0, 1.0)
    command_hz: float = setting(20.0, 'commands per second', 1.0, 50.0)
    time_limit_s: float = setting(30.0, 'an episode without success ends, seconds', 0.1, 600.0)
    staleness_s: float = setting(
        0.5, 'age of the frame behind a plan at which the robot stops, seconds', 0.05, 10.0)


@dataclass(frozen=True)
class Episode:
    """
    What one drive was. path: [M, Q], the pose at each command.

    away: how far the goal was at the end, as a multiple of how near is there.
    """

    seed: int
    success: bool
    seconds: float
    away: float
    path: NDArray[np.float64]
    cycle_ms: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """
    What many drives with one number of tokens say.

    low and high bound success with 95 % confidence; median_s is of the drives that arrived.
    """

    tokens: int
    success: float
    low: float
    high: float
    episodes: int
    median_s: float
    plan_ms_p50: float
    cycle_ms: Percentiles
    deadline_misses: int
    cycles: int


# How long the world waits for a cycle's plan, milliseconds.
Latency = Callable[[Cycle], float]


def measured(cycle: Cycle) -> float:
    """Return how long the cycle took by the planner's stopwatch, milliseconds."""
    return cycle.total_ms


def evaluate(
    bundle: Bundle, planning: PlannerConfig, seeds: Iterable[int],
    config: LoopConfig = LoopConfig(), progress: Callable[[Episode], None] = lambda _: None,
    charge_ms: float | None = None,
) -> Score:
    """
    Drive a bundle's robot through the same layouts whatever the planner's settings are.

    charge_ms: what every cycle takes in the simulation, if not what it takes on this machine.
    """
    # The simulated cameras' pictures are square.
    world = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
    planner: Planner
    latency: Latency
    if charge_ms is None:
        planner, latency = Planner(bundle, planning), measured
    else:
        planner, latency = charged(bundle, planning, charge_ms), lambda cycle: charge_ms
    limits = bundle.limits(config.staleness_s)
    episodes = []
    for episode in drive_episodes(world, planner, limits, seeds, config, latency):
        episodes.append(episode)
        progress(episode)
    return score(planning.tokens, episodes, planning.budget_ms)


def drive_episodes(
    world: World, planner: Thinker, limits: Limits, seeds: Iterable[int],
    config: LoopConfig = LoopConfig(), latency: Latency = measured,
) -> Iterator[Episode]:
    """Drive one episode for each seed, in layouts that training never saw."""
    for seed in seeds:
        yield drive_episode(world, planner, limits, seed, config, latency)


def drive_episode(
    world: World, planner: Thinker, limits: Limits, seed: int,
    config: LoopConfig = LoopConfig(), latency: Latency = measured,
) -> Episode:
    """Drive until the goal is reached or the time is up; `latency` returns a cycle's ms."""
    world.reset(seed, SPLIT)
    planner.set_goal(world.picture_at(world.goal))
    gate, sent = Gate(limits), CommandHistory(len(limits.low), HISTORY_S)
    desk = _Desk(planner, sent, latency)
    camera = _Ticks(config.camera_hz)
    commands = _Ticks(config.command_hz)
    arrivals: list[Frame] = []
    path = [world.pose.copy()]
    now_s, success = 0.0, at_goal(world)
    while not success and now_s < config.time_limit_s:
        if camera.due(now_s):
            arrivals.append(Frame(now_s, world.picture()))
        # Arrivals are in order; the newest one that is here replaces all before it.
        while arrivals and arrivals[0].stamp_s + config.camera_latency_s <= now_s:
            desk.newest = arrivals.pop(0)
        desk.work(now_s)
        if commands.due(now_s):
            command = gate.command(desk.current, now_s)
            world.send(command.values)
            sent.add(now_s, command.values)
            path.append(world.pose.copy())
        following = [camera.next_s, commands.next_s, desk.ready_s, config.time_limit_s]
        if arrivals:
            following.append(arrivals[0].stamp_s + config.camera_latency_s)
        now_s = min(following)
        success = _advance(world, now_s)
    return Episode(
        seed, success, world.time_s, world.away(world.goal), np.array([*path, world.pose]),
        tuple(desk.cycle_ms))


def score(tokens: int, episodes: Sequence[Episode], budget_ms: float) -> Score:
    """Sum up episodes that were driven with one number of tokens."""
    reached = [episode for episode in episodes if episode.success]
    cycle_ms = [ms for episode in episodes for ms in episode.cycle_ms]
    interval = wilson(len(reached), len(episodes))
    times = percentiles(cycle_ms)
    return Score(
        tokens=tokens,
        success=len(reached) / max(1, len(episodes)),
        low=interval.low,
        high=interval.high,
        episodes=len(episodes),
        median_s=float(np.median([e.seconds for e in reached])) if reached else 0.0,
        plan_ms_p50=times.p50,
        cycle_ms=times,
        deadline_misses=sum(ms > budget_ms for ms in cycle_ms),
        cycles=len(cycle_ms))


class _Ticks:
    """Something that happens at a fixed rate, from time zero on, without drift."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz, self._count = rate_hz, 0

    @property
    def next_s(self) -> float:
        return self._count / self._rate_hz

    def due(self, now_s: float) -> bool:
        if now_s < self.next_s:
            return False
        self._count += 1
        return True


class _Desk:
    """The planner at work: takes the newest frame whenever idle; plans appear when ready."""

    def __init__(self, planner: Thinker, sent: CommandHistory, latency: Latency) -> None:
        self._planner, self._sent, self._latency = planner, sent, latency
        self._next: Plan | None = None
        self.newest: Frame | None = None
        self.current: Plan | None = None
        self.ready_s = np.inf
        self.cycle_ms: list[float] = []

    def work(self, now_s: float) -> None:
        if now_s >= self.ready_s:
            self.current, self._next, self.ready_s = self._next, None, np.inf
        if self._next is None and self.newest is not None:
            frame, self.newest = self.newest, None
            cycle = self._planner.plan(frame, self._sent, waited_s=now_s - frame.stamp_s)
            took_ms = self._latency(cycle)
            self.cycle_ms.append(took_ms)
            self._next, self.ready_s = cycle.plan, now_s + took_ms / 1000


def _advance(world: World, now_s: float) -> bool:
    """Let the world run to this time, to the nearest physics step; tell whether it was at goal."""
    for _ in range(round((now_s - world.time_s) / PHYSICS_STEP_S)):
        world.advance(PHYSICS_STEP_S)
        # One moment at the goal counts, as it does for a robot's judge that looks all the time.
        if at_goal(world):
            return True
    return at_goal(world)
