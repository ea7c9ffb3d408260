# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A closed loop at a fixed budget on a machine that is disturbed: with the controller and without.

Both contenders drive in turns, episode by episode, so that both meet the same disturbance.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
import gc
from itertools import count
from time import monotonic
from typing import Any

from sparse_imagination_ros.evaluation.closed_loop import drive_episode, Episode, LoopConfig
from sparse_imagination_ros.evaluation.estimates import percentiles, wilson
from sparse_imagination_ros.evaluation.loads import Load, Spiky
from sparse_imagination_ros.machine import stolen_ms
from sparse_imagination_ros.planning.latency import LatencyModel
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, engine_of, Planner, PlannerConfig
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle

ADAPTIVE, FIXED = 'adaptive', 'fixed'


@dataclass(frozen=True)
class StressCycle:
    """
    One cycle: when it began, since the start of the run, and how loaded the machine was.

    stolen_ms: what the host of a virtual machine took of it meanwhile, of all processors together.
    """

    time_s: float
    load: int
    tokens: int
    imagined: int
    total_ms: float
    stolen_ms: float


@dataclass
class Contender:
    """A planner that is driven under stress, and what became of it."""

    planner: Planner
    budget_s: float | None
    load: Load
    began_s: float
    cycles: list[StressCycle] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)

    def set_goal(self, picture: Picture) -> None:
        """Take a new goal."""
        self.planner.set_goal(picture)

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float) -> Cycle:
        """Run one cycle and note what it took."""
        # As a robot's planner does while it waits for a frame; a cycle must not.
        gc.collect(1)
        level, stolen = self.load.level, stolen_ms()
        began_s = monotonic()
        if self.budget_s is None:
            cycle = self.planner.plan(frame, sent, waited_s=waited_s)
        else:
            cycle = self.planner.plan(frame, sent, began_s + self.budget_s, waited_s)
        total_ms = 1000 * (monotonic() - began_s)
        self.cycles.append(StressCycle(
            began_s - self.began_s, level, cycle.tokens, cycle.imagined, total_ms,
            stolen_ms() - stolen))
        return replace(cycle, total_ms=total_ms)


@dataclass(frozen=True)
class Stress:
    """A whole run. spikes: the share of engine calls that were slowed."""

    bundle: str
    budget_ms: float
    levels: tuple[int, ...]
    step_s: float
    spikes: float
    most: PlannerConfig
    fixed: PlannerConfig
    cycles: dict[str, tuple[StressCycle, ...]]
    episodes: dict[str, tuple[Episode, ...]]

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the numbers of both contenders."""
        return {name: self._numbers(name) for name in self.cycles}

    def _numbers(self, name: str) -> dict[str, Any]:
        cycles, episodes = self.cycles[name], self.episodes[name]
        times = [cycle.total_ms for cycle in cycles]
        reached = sum(episode.success for episode in episodes)
        interval = wilson(reached, len(episodes))
        misses = sum(ms > self.budget_ms for ms in times)
        stolen = sum(cycle.total_ms > self.budget_ms and cycle.stolen_ms > 0 for cycle in cycles)
        total = max(1, len(cycles))
        return {
            'cycles': len(cycles), 'misses': misses, 'miss_share': misses / total,
            'misses_while_stolen': stolen,
            'stolen_ms': sum(cycle.stolen_ms for cycle in cycles),
            'use_mean': sum(min(ms, self.budget_ms) for ms in times) / total / self.budget_ms,
            'success': reached / max(1, len(episodes)), 'low': interval.low,
            'high': interval.high, 'episodes': len(episodes),
            'tokens_mean': sum(cycle.tokens for cycle in cycles) / total,
            'imagined_mean': sum(cycle.imagined for cycle in cycles) / total,
            'without_plan': sum(not cycle.imagined for cycle in cycles),
            'cycle_ms': percentiles(times).as_dict()}


def stress(
    bundle: Bundle, most: PlannerConfig, cycles: int, seed: int, load: Load, spikes: float,
    levels: tuple[int, ...], step_s: float, loop: LoopConfig = LoopConfig(),
    progress: Callable[[int], None] = lambda _: None,
) -> Stress:
    """Drive both contenders until each has had so many cycles; `load` is entered already."""
    world = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
    engine = Spiky(engine_of(bundle, most, hurried=True), spikes, seed)
    budget_s = most.budget_ms / 1000
    adaptive = Planner(bundle, most, latency=LatencyModel(), engine=engine)
    fits = adaptive.affordable(most.budget_ms)
    fixed_config = replace(most, **asdict(fits))
    began_s = monotonic()
    contenders = {
        ADAPTIVE: Contender(adaptive, budget_s, load, began_s),
        FIXED: Contender(Planner(bundle, fixed_config, engine=engine), None, load, began_s)}
    gc.collect()
    gc.freeze()
    engine.active = True
    for number in count(seed):
        for contender in contenders.values():
            contender.episodes.append(drive_episode(
                world, contender, bundle.limits(loop.staleness_s), number, loop))
        fewest = min(len(contender.cycles) for contender in contenders.values())
        progress(fewest)
        if fewest >= cycles:
            break
    gc.unfreeze()
    return Stress(
        bundle.manifest.name, most.budget_ms, levels, step_s, spikes, most, fixed_config,
        {name: tuple(contender.cycles) for name, contender in contenders.items()},
        {name: tuple(contender.episodes) for name, contender in contenders.items()})
