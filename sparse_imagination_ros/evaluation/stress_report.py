# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one-page HTML report of a run under stress: tokens, latency and misses over time."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from statistics import mean

from sparse_imagination_ros.evaluation.page import fact, part, template
from sparse_imagination_ros.evaluation.stress import ADAPTIVE, FIXED, Stress, StressCycle

# Points along the axis; each shows the worst, or the mean, of the cycles that fall on it.
COLUMNS = 400


def write_stress_report(run: Stress, path: Path) -> None:
    """Write the page; it is complete in itself and asks nothing of any network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(run), encoding='utf-8')


def _page(run: Stress) -> str:
    numbers = run.summary()
    mine, other = numbers[ADAPTIVE], numbers[FIXED]
    fixed = run.fixed
    return template('stress.html').substitute(
        style=part('style.css'),
        headline=f'{mine["misses"]} of {mine["cycles"]} deadlines missed',
        lead=escape(
            f'With the controller, at a budget of {run.budget_ms:g} ms, while up to '
            f'{max(run.levels)} processes load the machine and {100 * run.spikes:g} % of the '
            f'engine calls are slowed up to 10 times. With the fixed effort that fits the '
            f'machine at rest ({fixed.tokens} tokens, {fixed.candidates} candidates, '
            f'{fixed.iterations} iterations): {other["misses"]} of {other["cycles"]}. '
            f'Of the misses {mine["misses_while_stolen"]} and {other["misses_while_stolen"]} were '
            f'in cycles of which the host of this machine took a part for others.'),
        facts='\n'.join(_facts(name, numbers[name]) for name in numbers),
        plots='\n'.join(_plots(run, name) for name in numbers))


def _facts(name: str, numbers: dict[str, float]) -> str:
    return '\n'.join((
        fact(f'Missed, {name}', f'{100 * numbers["miss_share"]:.2f} <small>%</small>'),
        fact(f'Budget used, {name}', f'{100 * numbers["use_mean"]:.0f} <small>%</small>'),
        fact(f'Tokens, {name}', f'{numbers["tokens_mean"]:.1f} <small>in the mean</small>'),
        fact(f'Goals reached, {name}', f'{100 * numbers["success"]:.0f} <small>%</small>')))


def _plots(run: Stress, name: str) -> str:
    cycles, budget_ms = run.cycles[name], run.budget_ms
    end_s = max(cycle.time_s for all_ in run.cycles.values() for cycle in all_)
    load = _columns(cycles, end_s, lambda cycle: cycle.load, max)
    tokens = _columns(cycles, end_s, lambda cycle: cycle.tokens, mean)
    slowest = _columns(cycles, end_s, lambda cycle: cycle.total_ms, max)
    return (
        f'<section><h2>{name}</h2>'
        f'{_plot("Processes beside it", load, max(run.levels) or 1)}'
        f'{_plot("Tokens", tokens, run.most.tokens)}'
        f'{_plot("Slowest cycle, ms", slowest, 2 * budget_ms, budget_ms)}'
        '</section>')


def _plot(title: str, columns: Sequence[float | None], top: float, line: float = 0.0) -> str:
    """Draw a bar for each column that has a value; those above a line are marked."""
    bars = ''.join(
        f'<rect class="bar{" late" if line and value > line else ""}" x="{i}" width="1" '
        f'y="{top - min(value, top):g}" height="{min(value, top):g}"/>'
        for i, value in enumerate(columns) if value is not None)
    mark = ''
    if line:
        mark = f'<path class="line" d="M0 {top - line:g}H{len(columns)}"/>'
    return (
        f'<figure class="histogram"><div class="plot"><svg viewBox="0 0 {len(columns)} {top:g}" '
        f'preserveAspectRatio="none" role="img" aria-label="{title} over time">{bars}{mark}</svg>'
        f'</div><figcaption>{title}, over the time of the run; the top is {top:g}'
        f'{f", the line the budget of {line:g}" if line else ""}.</figcaption></figure>')


def _columns(
    cycles: Sequence[StressCycle], end_s: float, value: Callable[[StressCycle], float],
    of: Callable[[Sequence[float]], float],
) -> list[float | None]:
    found: list[list[float]] = [[] for _ in range(COLUMNS)]
    for cycle in cycles:
        column = int(COLUMNS * cycle.time_s / max(end_s, 1e-9))
        found[min(COLUMNS - 1, column)].append(value(cycle))
    return [of(values) if values else None for values in found]
