# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A benchmark as one SVG file: how the time grows with tokens, and with candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log2
from pathlib import Path

from sparse_imagination_ros.evaluation.benchmark import Benchmark, BenchmarkRow

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 340, 56, 16, 34, 44
COLOURS = ('#1b6ca8', '#d1495b', '#3a8f5c', '#8a5fbf', '#c08a1e', '#4a4a4a', '#2aa5a0', '#a0522d')


@dataclass(frozen=True)
class Line:
    """One line: points of a size and milliseconds, both above zero."""

    name: str
    points: tuple[tuple[int, float], ...]


def write_plot(result: Benchmark, path: Path) -> None:
    """Write the file; both axes double from mark to mark, so what is linear rises one by one."""
    most = max(row.candidates for row in result.rows)
    widest = max(row.tokens for row in result.rows)
    left = _lines([row for row in result.rows if row.candidates == most], 'tokens')
    right = _lines([row for row in result.rows if row.tokens == widest], 'candidates')
    names = sorted({line.name for line in (*left, *right)})
    colours = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(names)}
    key = ''.join(
        f'<text x="{LEFT + 150 * (n % 5)}" y="{HEIGHT + 20 + 18 * (n // 5)}" fill="{colour}">'
        f'{escape(name)}</text>' for n, (name, colour) in enumerate(colours.items()))
    height = HEIGHT + 30 + 18 * (len(names) // 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{2 * WIDTH}" height="{height}" fill="white"/>'
        f'{_panel(left, colours, f"tokens, with {most} candidates")}'
        f'<g transform="translate({WIDTH})">'
        f'{_panel(right, colours, f"candidates, with {widest} tokens")}</g>{key}</svg>\n',
        encoding='utf-8')


def _lines(rows: Sequence[BenchmarkRow], along: str) -> list[Line]:
    names = dict.fromkeys(f'{row.engine} {row.precision}' for row in rows)
    return [Line(name, tuple(sorted(
        (int(getattr(row, along)), row.ms_p50) for row in rows
        if f'{row.engine} {row.precision}' == name))) for name in names]


def _panel(lines: Sequence[Line], colours: dict[str, str], along: str) -> str:
    sizes = sorted({size for line in lines for size, _ in line.points})
    times = [ms for line in lines for _, ms in line.points]
    low, high = int(log2(min(times)) // 1), int(log2(max(times)) // 1) + 1
    span = max(1e-9, log2(sizes[-1] / sizes[0]))

    def at(size: int, ms: float) -> str:
        x = LEFT + log2(size / sizes[0]) / span * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - log2(ms)) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return f'{x:.1f},{y:.1f}'

    shapes = [f'<text x="{LEFT}" y="18">milliseconds of an imagination, by {along}</text>',
              f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" '
              'stroke="#888"/>']
    for size in sizes:
        x, _ = at(size, 2.0**low).split(',')
        shapes.append(f'<text x="{x}" y="{HEIGHT - 26}" text-anchor="middle">{size}</text>')
    for power in range(low, high + 1, max(1, (high - low) // 8)):
        _, y = at(sizes[0], 2.0**power).split(',')
        shapes.append(f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">'
                      f'{2.0**power:g}</text>')
    for line in lines:
        colour, points = colours[line.name], [at(*point) for point in line.points]
        shapes.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" '
                      'stroke-width="2"/>')
        for point, (size, ms) in zip(points, line.points, strict=True):
            x, y = point.split(',')
            shapes.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"><title>'
                          f'{escape(line.name)}: {ms:.2f} ms at {size}</title></circle>')
    return ''.join(shapes)
