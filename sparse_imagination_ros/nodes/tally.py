# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a planner's cycles took, as it is reported. It measures nothing itself."""

from collections import deque
from math import nan
import time

from sparse_imagination_ros.evaluation.estimates import percentiles, spread
from sparse_imagination_ros.planning.worker import Finished

# Percentiles are of this many cycles, about two minutes.
CYCLES_KEPT = 1000
# Rate and recent misses are of this time.
WINDOW_S = 5.0
# From the camera to the robot: from the callback to the mailbox, the wait there, how much of that
# the planner was idle, through encoder and imagination, the whole cycle, from the plan to its
# first command, and from the stamp of the frame to that.
RECEIVE, WAIT, HAND_OVER, ENCODE, IMAGINE, CYCLE, SEND, STAMP_TO_COMMAND = (
    'receive', 'wait', 'hand over', 'encode', 'imagine', 'cycle', 'plan to command',
    'stamp to command')
STAGES = (RECEIVE, WAIT, HAND_OVER, ENCODE, IMAGINE, CYCLE, SEND, STAMP_TO_COMMAND)


class Tally:
    """Counts cycles against a budget. Written by one thread, read by another."""

    def __init__(self, budget_ms: float) -> None:
        self.budget_ms = budget_ms
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._stages_ms: dict[str, deque[float]] = {
            stage: deque(maxlen=CYCLES_KEPT) for stage in STAGES}
        self._ends_s: deque[float] = deque(maxlen=CYCLES_KEPT)
        self._last: Finished | None = None
        self.cycles = self.misses = self._not_finite = 0

    def missed(self, finished: Finished) -> bool:
        """Tell whether a cycle took longer than the budget."""
        return finished.total_ms > self.budget_ms

    def add(self, finished: Finished) -> None:
        """Count a cycle."""
        cycle = finished.cycle
        self.note(WAIT, finished.waited_ms)
        self.note(HAND_OVER, finished.handed_over_ms)
        self.note(ENCODE, cycle.encode_ms)
        self.note(IMAGINE, cycle.imagine_ms)
        self.note(CYCLE, finished.total_ms)
        self._ends_s.append(time.monotonic())
        self._last = finished
        self.cycles += 1
        self.misses += self.missed(finished)
        self._not_finite += cycle.not_finite

    def note(self, stage: str, took_ms: float) -> None:
        """Count how long a stage took."""
        self._stages_ms[stage].append(took_ms)

    def last_ms(self, stage: str) -> float:
        """Return how long a stage took last; NaN if it never was."""
        times_ms = self._stages_ms[stage]
        return times_ms[-1] if times_ms else nan

    def recent_share_missed(self) -> float:
        """Return which share of the last cycles took longer than the budget."""
        recent = list(self._stages_ms[CYCLE])[-max(1, self._recent()):]
        return sum(ms > self.budget_ms for ms in recent) / max(1, len(recent))

    def values(self) -> dict[str, object]:
        """Return the numbers for /diagnostics."""
        times = percentiles(list(self._stages_ms[CYCLE]))
        values: dict[str, object] = {
            'cycle ms p50': round(times.p50, 2), 'cycle ms p95': round(times.p95, 2),
            'cycle ms p99': round(times.p99, 2), 'cycle ms max': round(times.slowest, 2),
            'budget ms': self.budget_ms, 'cycles': self.cycles, 'deadline misses': self.misses,
            'cycles per second': round(self._recent() / WINDOW_S, 1)}
        if self._last is not None:
            cycle = self._last.cycle
            values.update({
                'tokens': cycle.tokens, 'candidates': cycle.candidates,
                'imagined': cycle.imagined, 'effort because': cycle.reason,
                'numbers that were none': self._not_finite})
        return values

    def stages(self) -> dict[str, object]:
        """Return how long each stage takes, and how much that varies."""
        values: dict[str, object] = {}
        for stage, times_ms in self._stages_ms.items():
            taken = list(times_ms)
            times = percentiles(taken)
            values.update({
                f'{stage} ms p50': round(times.p50, 2), f'{stage} ms p95': round(times.p95, 2),
                f'{stage} ms p99': round(times.p99, 2), f'{stage} ms jitter': round(
                    spread(taken), 2)})
        return values

    def _recent(self) -> int:
        since_s = time.monotonic() - WINDOW_S
        return sum(end_s >= since_s for end_s in list(self._ends_s))
