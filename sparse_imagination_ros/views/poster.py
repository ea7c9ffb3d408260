# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of all that is shown: for those who have no viewer at hand, as readers of a page."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.tokens.frames import Picture

HEIGHT, GAP = 500, 14
PAPER, INK, FAINT_INK = (250, 250, 250), (40, 40, 44), (205, 205, 210)
PLAN = (20, 140, 60)
TITLE_HEIGHT = 30


@dataclass(frozen=True)
class Strokes:
    """Straight lines from point to point, [N, 2, 2], of colours [N, 3] in 0 .. 1."""

    points: NDArray[np.float64]
    colours: NDArray[np.float64]
    width: int


def poster(
    tokens: Picture, goal: Picture, strokes: Sequence[Strokes], plan: NDArray[np.float64],
) -> Picture:
    """Return the tokens, the goal, and candidates and plan [T, 2] from above, side by side."""
    return np.concatenate([
        _column('What is imagined', _fit(tokens)), _column('The goal', _fit(goal)),
        _column('Candidates by cost, and the plan', _from_above(strokes, plan))], 1)


def _fit(picture: Picture) -> Picture:
    width = round(picture.shape[1] * HEIGHT / picture.shape[0])
    larger = picture.shape[0] < HEIGHT
    return np.asarray(cv2.resize(
        picture, (width, HEIGHT),
        interpolation=cv2.INTER_NEAREST if larger else cv2.INTER_AREA), np.uint8)


def _column(title: str, picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    column = np.full((height + TITLE_HEIGHT + GAP, width + 2 * GAP, 3), PAPER, np.uint8)
    cv2.putText(column, title, (GAP, TITLE_HEIGHT - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1,
                cv2.LINE_AA)
    column[TITLE_HEIGHT:-GAP, GAP:-GAP] = picture
    return column


def _from_above(strokes: Sequence[Strokes], plan: NDArray[np.float64]) -> Picture:
    """Draw with x upward and y to the left, as one who stands behind the robot looks."""
    points = np.concatenate([plan, *(one.points.reshape(-1, 2) for one in strokes)])
    reach = max(0.25, float(abs(points).max())) * 1.08
    scale = HEIGHT / 2 / reach

    def pixels(places: NDArray[np.float64]) -> NDArray[np.int32]:
        return np.stack([HEIGHT / 2 - scale * places[..., 1], HEIGHT / 2 - scale * places[..., 0]],
                        -1).round().astype(np.int32)

    sheet = np.full((HEIGHT, HEIGHT, 3), (255, 255, 255), np.uint8)
    for radius in np.arange(0.5, 2 * reach, 0.5):
        cv2.circle(sheet, (HEIGHT // 2, HEIGHT // 2), round(radius * scale), FAINT_INK, 1,
                   cv2.LINE_AA)
        cv2.putText(sheet, f'{radius:g} m', (HEIGHT // 2 + 4, HEIGHT // 2 - round(radius * scale)),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.4, FAINT_INK, 1, cv2.LINE_AA)
    for one in strokes:
        for line, colour in zip(pixels(one.points), one.colours, strict=True):
            cv2.line(sheet, line[0].tolist(), line[1].tolist(), (255 * colour).tolist(), one.width,
                     cv2.LINE_AA)
    cv2.polylines(sheet, [pixels(plan)], False, PLAN, 4, cv2.LINE_AA)
    cv2.circle(sheet, (HEIGHT // 2, HEIGHT // 2), 6, INK, -1, cv2.LINE_AA)
    return sheet
