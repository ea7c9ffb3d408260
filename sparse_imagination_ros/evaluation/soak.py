# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a long run shows: whether anything grows, times stay, and all is accounted for.

How it is run is in cli/soak.py. A verdict is a truth value with the reason in numbers beside it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparse_imagination_ros.evaluation.estimates import Estimate, percentiles, trend, wilson

HOUR_S = 3600.0
# Times are compared between so many parts of the run.
WINDOWS = 12
# The camera sends best effort: what the middleware may lose of it, as a share.
LOST_SHARE = 0.001
# And of its deadlines the planner, as it promises.
PROMISED_MISSES = 0.001


@dataclass(frozen=True)
class Sample:
    """What the planner's process held, so long after the beginning; blocks: of Python's memory."""

    time_s: float
    memory_kb: int
    blocks: int
    handles: int
    threads: int


GROWING = ('memory_kb', 'blocks', 'handles', 'threads')


@dataclass(frozen=True)
class Frames:
    """
    What became of the pictures that a camera published while the planner listened.

    heard is what the planner's node counted as it came, the others what became of each of these.
    """

    published: int
    heard: int
    unreadable: int
    doubted: int
    at_rest: int
    senseless: int
    planned: int
    replaced: int
    dropped: int
    waiting: int

    @property
    def lost(self) -> int:
        """Return how many the middleware lost on the way."""
        return self.published - self.heard

    @property
    def unaccounted(self) -> int:
        """Return how many came of which nobody knows what became."""
        return self.heard - (self.unreadable + self.doubted + self.at_rest + self.senseless
                             + self.planned + self.replaced + self.dropped + self.waiting)


@dataclass(frozen=True)
class Soak:
    """
    A whole run.

    cycles: when each was told, seconds, and what it took, milliseconds; cycles_told and
    commands_published: by the planner's own count.
    """

    budget_ms: float
    samples: tuple[Sample, ...]
    cycles: tuple[tuple[float, float], ...]
    frames: Frames
    cycles_told: int
    commands_published: int
    commands_received: int
    commands_outside_limits: int
    exit_codes: dict[str, int | None]

    def trends(self) -> dict[str, Estimate]:
        """Return by how much each thing grew in an hour, over the second half of the run."""
        half = self.samples[len(self.samples) // 2:]
        times = np.array([sample.time_s for sample in half]) / HOUR_S
        return {name: trend(times, np.array([getattr(sample, name) for sample in half], float))
                for name in GROWING}

    def windows_ms(self) -> list[float]:
        """Return the 99th percentile of the cycles of each part of the run."""
        return [percentiles([took for _, took in part]).p99 for part in _split(self.cycles)]

    def misses(self) -> int:
        """Return how many cycles took longer than the budget."""
        return sum(took > self.budget_ms for _, took in self.cycles)

    def verdicts(self) -> dict[str, bool]:
        """Say what holds."""
        windows = self.windows_ms()
        drift = trend(np.arange(len(windows), dtype=float), np.array(windows))
        promised = wilson(self.misses(), len(self.cycles)).low <= PROMISED_MISSES
        return {
            **{f'{name} does not grow': found.low <= 0 for name, found in self.trends().items()},
            'the times of cycles do not grow': drift.low <= 0,
            'no more misses than one cycle of a thousand': promised,
            'every frame that came is accounted for': self.frames.unaccounted == 0,
            'the middleware lost no more frames than it may':
                0 <= self.frames.lost <= LOST_SHARE * self.frames.published,
            'every cycle was told': self.cycles_told == len(self.cycles),
            'every command that was published was received':
                self.commands_published == self.commands_received,
            'no command was outside the limits': self.commands_outside_limits == 0,
            'all processes ended well': all(code == 0 for code in self.exit_codes.values())}

    def summary(self) -> dict[str, Any]:
        """Return all numbers."""
        times = [took for _, took in self.cycles]
        return {
            'seconds': round(self.samples[-1].time_s, 1) if self.samples else 0.0,
            'budget_ms': self.budget_ms, 'cycles': len(times), 'misses': self.misses(),
            'cycle_ms': percentiles(times).as_dict(), 'p99_ms_by_window': self.windows_ms(),
            'growth_per_hour': {name: asdict(found) for name, found in self.trends().items()},
            'first': asdict(self.samples[0]) if self.samples else None,
            'last': asdict(self.samples[-1]) if self.samples else None,
            'frames': {**asdict(self.frames), 'lost': self.frames.lost,
                       'unaccounted': self.frames.unaccounted},
            'cycles_told': self.cycles_told, 'commands_published': self.commands_published,
            'commands_received': self.commands_received,
            'commands_outside_limits': self.commands_outside_limits,
            'exit_codes': self.exit_codes,
            'verdicts': self.verdicts(), 'passed': all(self.verdicts().values())}


def _split(cycles: Sequence[tuple[float, float]]) -> list[Sequence[tuple[float, float]]]:
    """Return the parts of a run, of the same length in time as far as there are cycles."""
    if not cycles:
        return []
    first_s, last_s = cycles[0][0], cycles[-1][0]
    width_s = max(last_s - first_s, 1e-9) / WINDOWS
    parts: list[list[tuple[float, float]]] = [[] for _ in range(WINDOWS)]
    for end_s, took_ms in cycles:
        parts[min(WINDOWS - 1, int((end_s - first_s) / width_s))].append((end_s, took_ms))
    return [part for part in parts if part]
