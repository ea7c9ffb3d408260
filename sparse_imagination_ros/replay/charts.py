# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Charts of a replay as inline SVG; their colours stand in the style sheet."""

from collections.abc import Sequence
from html import escape

from sparse_imagination_ros.evaluation.estimates import Estimate
from sparse_imagination_ros.replay.quality import Calibration, Quality

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 260, 46, 14, 14, 34


def errors_ahead(qualities: Sequence[Quality]) -> str:
    """Draw the error over the steps ahead, for each number of tokens, and the two guesses."""
    if not qualities:
        return '<p class="note">Nothing was imagined.</p>'
    widest = max(qualities, key=lambda quality: quality.tokens)
    lines = [(f'{quality.tokens} tokens', f'model n{number % 4}',
              [horizon.model for horizon in quality.horizons])
             for number, quality in enumerate(qualities)]
    lines += [('nothing changes', 'guess still', [h.still for h in widest.horizons]),
              ('mean change', 'guess drift', [h.change for h in widest.horizons])]
    seconds = [h.seconds for h in widest.horizons]
    top = max(e.high for _, _, line in lines for e in line) * 1.05 or 1.0

    def at(number: int, value: float) -> str:
        share = number / max(1, len(seconds) - 1)
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        y = TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)
        return f'{x:.1f},{y:.1f}'

    shapes = []
    for name, kind, line in lines:
        band = [at(i, e.low) for i, e in enumerate(line)]
        band += [at(i, e.high) for i, e in reversed(list(enumerate(line)))]
        shapes.append(f'<polygon class="band {kind}" points="{" ".join(band)}"/>')
        shapes.append(f'<polyline class="line {kind}" points="'
                      f'{" ".join(at(i, e.value) for i, e in enumerate(line))}"/>')
        for i, e in enumerate(line):
            x, y = at(i, e.value).split(',')
            shapes.append(
                f'<circle class="dot {kind}" cx="{x}" cy="{y}" r="3.5"><title>{escape(name)}, '
                f'{seconds[i]:g} s ahead: {e.value:.4f} ({e.low:.4f} to {e.high:.4f})'
                '</title></circle>')
    labels = ''.join(
        f'<text x="{at(i, 0).split(",")[0]}" y="{HEIGHT - 12}" text-anchor="middle">'
        f'{s:g}{" s" if i == 0 else ""}</text>' for i, s in enumerate(seconds))
    return (f'{_key([(name, kind) for name, kind, _ in lines])}'
            f'{_frame(shapes, labels + _heights(top), "Error over the time ahead")}')


def calibration_curve(calibration: Calibration) -> str:
    """Draw imagined changes of the distance to the goal over real ones, in bins."""
    if not calibration.steps:
        return '<p class="note">No stretch was long enough.</p>'
    values = [*calibration.real, *calibration.imagined, 0.0]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    low, span = low - 0.05 * span, 1.1 * span

    def at(x: float, y: float) -> tuple[float, float]:
        return (LEFT + (x - low) / span * (WIDTH - LEFT - RIGHT),
                TOP + (1 - (y - low) / span) * (HEIGHT - TOP - BOTTOM))

    ends = [at(low, low), at(low + span, low + span)]
    shapes = [f'<path class="ideal" d="M{ends[0][0]:.1f} {ends[0][1]:.1f}'
              f'L{ends[1][0]:.1f} {ends[1][1]:.1f}"/>']
    points = [at(r, i) for r, i in zip(calibration.real, calibration.imagined, strict=True)]
    shapes.append('<polyline class="line model n0" points="'
                  + ' '.join(f'{x:.1f},{y:.1f}' for x, y in points) + '"/>')
    for (x, y), r, i in zip(points, calibration.real, calibration.imagined, strict=True):
        shapes.append(f'<circle class="dot model n0" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>'
                      f'really {r:+.4f}, imagined {i:+.4f}</title></circle>')
    zero_x, zero_y = at(0, 0)
    zero = f'<text x="{zero_x:.1f}" y="{HEIGHT - 12}" text-anchor="middle">0</text>'
    labels = ((zero if LEFT + 60 < zero_x < WIDTH - RIGHT - 90 else '') +
              f'<text x="{LEFT - 8}" y="{zero_y + 4:.1f}" text-anchor="end">0</text>'
              f'<text x="{LEFT}" y="{HEIGHT - 12}">nearer</text>'
              f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">really farther'
              '</text>')
    return _frame(shapes, labels, 'Imagined over real changes of distance')


def error_map(values: Sequence[float | None], grid: int, top: float, name: str) -> str:
    """Draw the error at each place of the picture."""
    cells = []
    for place, value in enumerate(values):
        y, x = divmod(place, grid)
        share = 0.0 if value is None else min(1.0, value / (top or 1.0))
        said = 'not imagined' if value is None else f'{value:.4f}'
        cells.append(f'<rect x="{x}" y="{y}" width="1.02" height="1.02" '
                     f'fill-opacity="{share:.2f}"><title>{said}</title></rect>')
    return (f'<svg class="places" viewBox="0 0 {grid} {grid}" role="img" aria-label='
            f'"{escape(name)}">{"".join(cells)}</svg>')


def interval(estimate: Estimate, form: str = '+.2f') -> str:
    """Return a number with its interval, for a table."""
    return (f'{estimate.value:{form}} <small>{estimate.low:{form}} to '
            f'{estimate.high:{form}}</small>')


def _key(lines: Sequence[tuple[str, str]]) -> str:
    return '<div class="key">' + ''.join(
        f'<span><svg viewBox="0 0 26 16"><path class="line {kind}" d="M2 8h22"/></svg>'
        f'{escape(name)}</span>' for name, kind in lines) + '</div>'


def _heights(top: float) -> str:
    return ''.join(
        f'<text x="{LEFT - 8}" y="{TOP + (1 - share) * (HEIGHT - TOP - BOTTOM) + 4:.1f}" '
        f'text-anchor="end">{share * top:.2g}</text>' for share in (0, 0.5, 1))


def _frame(shapes: Sequence[str], labels: str, name: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">'
        f'<path class="axes" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
        f'{"".join(shapes)}{labels}</svg>')
