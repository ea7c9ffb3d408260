# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a run as HTML and inline SVG; their colours stand in the report's style sheet."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.evaluation.run import EpisodeRecord, Snapshot
from sparse_imagination_ros.tokens.frames import Picture

# A drawn picture is a few kB as PNG; a noisy or real one is smaller, and good enough, as JPEG.
LARGEST_PNG = 30_000
MOST_BARS = 60
MOST_PATH_POINTS = 240


def picture(rgb: Picture, name: str) -> str:
    """Return an image element that holds its own pixels."""
    return f'<img src="{_data_uri(rgb)}" alt="{name}">'


def token_overlay(snapshot: Snapshot) -> str:
    """Draw what the planner imagined: kept patches outlined, the rest of the picture dimmed."""
    grid = snapshot.grid
    corners = [(index % grid, index // grid) for index in snapshot.subset.tolist()]
    # One shape with holes, filled by the even-odd rule.
    holes = ''.join(f'M{x} {y}h1v1h-1z' for x, y in corners)
    kept = ''.join(f'M{x + .025:g} {y + .025:g}h.95v.95h-.95z' for x, y in corners)
    label = f'{len(corners)} of {grid * grid} patches were imagined'
    return (
        f'<svg class="tokens" viewBox="0 0 {grid} {grid}" role="img" aria-label="{label}">'
        f'<image href="{_data_uri(snapshot.rgb)}" width="{grid}" height="{grid}" '
        'preserveAspectRatio="none"/>'
        f'<path class="dropped" d="M0 0h{grid}v{grid}h-{grid}z{holes}"/>'
        f'<path class="kept" d="{kept}"/></svg>')


def drive_map(episode: EpisodeRecord) -> str:
    """Draw walls, start, goal and the driven path, seen from above with y up."""
    size = episode.size_m
    walls = ''.join(
        f'<rect class="wall" x="{_m(b.left)}" y="{_m(size - b.top)}" '
        f'width="{_m(b.right - b.left)}" height="{_m(b.top - b.bottom)}"/>'
        for b in episode.blocks)
    points = [f'{_m(x)},{_m(size - y)}' for x, y in _thinned(episode.path)]
    line = f'<polyline class="path" points="{" ".join(points)}"/>' if points else ''
    dots = ''.join(
        f'<circle class="second" cx="{_m(x)}" cy="{_m(size - y)}" r=".032"/>'
        for x, y in _each_second(episode))
    end = episode.path[-1] if len(episode.path) else episode.start
    return (
        f'<svg viewBox="0 0 {_m(size)} {_m(size)}" role="img" '
        'aria-label="Map with walls, start, goal and the driven path">'
        f'<rect class="floor" width="{_m(size)}" height="{_m(size)}"/>{walls}'
        f'{_disc("goal", episode.goal, episode.goal_radius_m, size)}'
        f'{_disc("start", episode.start, episode.robot_radius_m, size)}'
        f'{_disc("robot", end, 0.6 * episode.robot_radius_m, size)}{line}{dots}</svg>')


def histogram(cycle_ms: NDArray[np.float64], budget_ms: float) -> str:
    """Draw how long the cycles [n] took beside the budget; the latest ones share the last bar."""
    if not len(cycle_ms):
        return '<p class="note">No cycles were recorded.</p>'
    bars = _bars(cycle_ms, budget_ms)
    highest = max(bars.counts)
    shapes = ''.join(
        f'<rect class="bar{" late" if i * bars.width_ms >= budget_ms else ""}" '
        f'x="{i + .08:g}" width=".84" y="{highest - count}" height="{count}"/>'
        for i, count in enumerate(bars.counts) if count)
    at = 100 * budget_ms / bars.end_ms
    side = 'left' if at > 80 else 'right' if at < 20 else 'centre'
    labels = ''.join(
        f'<span class="{"between" if i % 2 else ""}{" end" if tick > .95 * bars.end_ms else ""}" '
        f'style="left:{100 * tick / bars.end_ms:.2f}%">{tick:g}{" ms" if i == 0 else ""}</span>'
        for i, tick in enumerate(_ticks(bars.end_ms)))
    later = cycle_ms[cycle_ms > bars.end_ms]
    caption = (f'<figcaption>The last bar holds {len(later)} beyond the axis, up to '
               f'{later.max():.0f}&nbsp;ms.</figcaption>' if len(later) else '')
    return (
        '<figure class="histogram"><div class="plot">'
        f'<svg viewBox="0 0 {len(bars.counts)} {highest}" preserveAspectRatio="none" role="img" '
        f'aria-label="Histogram of {len(cycle_ms)} cycle times">{shapes}</svg>'
        f'<div class="budget" style="left:{at:.2f}%">'
        f'<span class="{side}">budget {budget_ms:g} ms&nbsp;</span></div>'
        f'</div><div class="axis">{labels}</div>{caption}</figure>')


@dataclass(frozen=True)
class _Bars:
    counts: list[int]
    width_ms: float

    @property
    def end_ms(self) -> float:
        return self.width_ms * len(self.counts)


def _bars(cycle_ms: NDArray[np.float64], budget_ms: float) -> _Bars:
    # The few slowest cycles must not press all others into one bar.
    reach = max(1.2 * budget_ms, 1.15 * float(np.percentile(cycle_ms, 99)))
    # A bar ends at the budget, so that a bar is either in time or late.
    width_ms = budget_ms / math.ceil(MOST_BARS * budget_ms / reach)
    count = math.ceil(reach / width_ms)
    # The budget itself is kept, not missed: each bar holds its upper end.
    index = np.clip(np.ceil(cycle_ms / width_ms - 1e-9).astype(int) - 1, 0, count - 1)
    return _Bars(np.bincount(index, minlength=count).tolist(), width_ms)


def _ticks(end_ms: float) -> Iterator[float]:
    rough = end_ms / 6
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(s * scale for s in (1, 2, 5, 10) if s * scale >= rough)
    for i in range(int(end_ms / step) + 1):
        yield round(i * step, 6)


def _each_second(episode: EpisodeRecord) -> Iterator[tuple[float, float]]:
    for second in range(1, math.ceil(episode.seconds)):
        if len(episode.times_s) and second <= episode.times_s[-1]:
            x, y = (float(np.interp(second, episode.times_s, episode.path[:, i])) for i in (0, 1))
            yield x, y


def _thinned(path: NDArray[np.float64]) -> NDArray[np.float64]:
    count = min(len(path), MOST_PATH_POINTS)
    return path[np.linspace(0, len(path) - 1, count).round().astype(int)] if count else path


def _disc(name: str, pose: tuple[float, ...] | NDArray[np.float64], radius: float,
          size: float) -> str:
    return (f'<circle class="{name}" cx="{_m(pose[0])}" cy="{_m(size - pose[1])}" '
            f'r="{_m(radius)}"/>')


def _m(metres: float) -> str:
    return f'{metres:.3f}'.rstrip('0').rstrip('.')


def _data_uri(rgb: Picture) -> str:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    kind, data = 'png', cv2.imencode('.png', bgr)[1]
    if data.size > LARGEST_PNG:
        kind, data = 'jpeg', cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return f'data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}'
