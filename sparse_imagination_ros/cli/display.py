# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demonstration shows while it runs; plain lines where there is no terminal."""

from __future__ import annotations

from statistics import median
import time
from types import TracebackType
from typing import Any, TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparse_imagination_ros.evaluation.run import CycleRecord, DemoRun, EpisodeRecord
    from sparse_imagination_ros.nodes.episode import Progress

PLAIN_PERIOD_S = 5.0
# Rate and latency are shown of this many last cycles.
RECENT = 30


class Display:
    """Shows the current episode in one line, and finished ones above it."""

    def __init__(self, console: Console, episodes: int) -> None:
        self._console, self._episodes = console, episodes
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._done = self._reached = 0
        self._printed_s = time.monotonic()
        self.budget_ms = 0.0

    def __enter__(self) -> Display:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        if self._console.is_terminal:
            self._live.stop()

    def note(self, text: str) -> None:
        """Say something that stays."""
        self._console.print(Text(text), soft_wrap=True)

    def tick(self, progress: Progress | None) -> None:
        """Show how far the episode is."""
        if progress is None:
            return
        line = (f'  {progress.number + 1} of {self._episodes}: {progress.elapsed_s:4.1f} s, '
                f'{progress.distance_m:.2f} m to go | {self._tally()} | '
                f'{self._pace(progress.cycles)}')
        if self._console.is_terminal:
            self._show(line)
        elif time.monotonic() > self._printed_s + PLAIN_PERIOD_S:
            self._printed_s = time.monotonic()
            self.note(line)

    def finish(self, episode: EpisodeRecord, cycles: Sequence[CycleRecord]) -> None:
        """Show how an episode ended."""
        self._done += 1
        self._reached += episode.success
        verdict = 'reached' if episode.success else 'time is up'
        self.note(f'  {verdict:10} {episode.seconds:4.1f} s, seed {episode.seed} | '
                  f'{self._tally()} | {self._pace(cycles)}')
        if self._console.is_terminal:
            self._show('')

    def _show(self, line: str) -> None:
        self._live.update(Text(line, no_wrap=True, overflow='ellipsis'), refresh=True)

    def _tally(self) -> str:
        return f'{self._reached}/{self._done} reached'

    def _pace(self, cycles: Sequence[CycleRecord]) -> str:
        if len(cycles) < 2:
            return 'planning begins'
        last = cycles[-RECENT:]
        rate_hz = (len(last) - 1) / max(1e-3, last[-1].time_s - last[0].time_s)
        times = [cycle.total_ms for cycle in last]
        return (f'{rate_hz:.1f} Hz | {last[-1].tokens} tokens | {median(times):.0f} ms '
                f'(max {max(times):.0f}) of {self.budget_ms:g}')


def result_table(runs: Sequence[DemoRun]) -> Table:
    """Return the numbers of finished runs side by side."""
    # Not before: help must not wait for numpy.
    from sparse_imagination_ros.evaluation.summary import summary

    table = Table('', *(run.robot for run in runs), title='Demonstration over ROS 2')
    for column in table.columns[1:]:
        column.justify = 'right'
    numbers = [summary(run) for run in runs]
    rows: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
        ('goals reached', lambda n: f'{n["successes"]} of {n["episodes"]}'),
        ('success, 95 % interval', lambda n: f'{n["low"]:.0%} to {n["high"]:.0%}'),
        ('cycle p50, p95', lambda n: f'{n["cycle_ms"]["p50"]:.1f}, {n["cycle_ms"]["p95"]:.1f} ms'),
        ('cycle p99, max', lambda n: f'{n["cycle_ms"]["p99"]:.1f}, {n["cycle_ms"]["max"]:.1f} ms'),
        ('cycles over the budget',
         lambda n: f'{n["deadline_misses"]} of {n["cycles"]} ({n["budget_ms"]:g} ms)'),
        ('tokens imagined', lambda n: f'{n["tokens"]}'),
        ('encodes per cycle', lambda n: f'{n["encodes_per_cycle"]:g}'),
        ('command rate', lambda n: f'{n["command_rate_hz"]:.1f} Hz'),
        ('commands outside limits', lambda n: f'{n["commands_outside_limits"]}'),
        ('processes, middleware', lambda n: f'{n["processes"]}, {n["rmw_implementation"]}'),
    )
    for name, text in rows:
        table.add_row(name, *(text(n) for n in numbers))
    return table
