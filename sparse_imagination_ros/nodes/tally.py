# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a planner's cycles took, as it is reported. It measures nothing itself."""

from collections import deque
import time

from sparse_imagination_ros.evaluation.estimates import percentiles
from sparse_imagination_ros.planning.worker import Finished

# Percentiles are of this many cycles, about two minutes.
CYCLES_KEPT = 1000
# Rate and recent misses are of this time.
WINDOW_S = 5.0


class Tally:
    """Counts cycles against a budget. Written by one thread, read by another."""

    def __init__(self, budget_ms: float) -> None:
        self._budget_ms = budget_ms
        self._times_ms: deque[float] = deque(maxlen=CYCLES_KEPT)
        self._ends_s: deque[float] = deque(maxlen=CYCLES_KEPT)
        self._last: Finished | None = None
        self.cycles = self.misses = self._not_finite = 0

    def missed(self, finished: Finished) -> bool:
        """Tell whether a cycle took longer than the budget."""
        return finished.total_ms > self._budget_ms

    def add(self, finished: Finished) -> None:
        """Count a cycle."""
        self._times_ms.append(finished.total_ms)
        self._ends_s.append(time.monotonic())
        self._last = finished
        self.cycles += 1
        self.misses += self.missed(finished)
        self._not_finite += finished.cycle.not_finite

    def recent_share_missed(self) -> float:
        """Return which share of the last cycles took longer than the budget."""
        recent = list(self._times_ms)[-max(1, self._recent()):]
        return sum(ms > self._budget_ms for ms in recent) / max(1, len(recent))

    def values(self) -> dict[str, object]:
        """Return the numbers for /diagnostics."""
        times = percentiles(list(self._times_ms))
        values: dict[str, object] = {
            'cycle ms p50': round(times.p50, 2), 'cycle ms p95': round(times.p95, 2),
            'cycle ms p99': round(times.p99, 2), 'cycle ms max': round(times.slowest, 2),
            'budget ms': self._budget_ms, 'cycles': self.cycles, 'deadline misses': self.misses,
            'cycles per second': round(self._recent() / WINDOW_S, 1)}
        if self._last is not None:
            cycle = self._last.cycle
            values.update({
                'tokens': cycle.tokens, 'candidates': cycle.candidates,
                'imagined': cycle.imagined, 'effort because': cycle.reason,
                'numbers that were none': self._not_finite})
        return values

    def _recent(self) -> int:
        since_s = time.monotonic() - WINDOW_S
        return sum(end_s >= since_s for end_s in list(self._ends_s))
