# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From pictures and numbers at their own times to episodes at the steps of a model. Pure maths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.training.bags import Series, Times

# A picture may lie this part of a step beside the time that it stands for.
TOLERANCE = 0.25


@dataclass(frozen=True)
class Stretches:
    """
    Which pictures follow each other without a break.

    pieces: for each stretch the indices of its pictures, by time. gaps: breaks where pictures
    are missing; jumps: breaks where time went back or ahead in the clock itself.
    """

    pieces: list[NDArray[np.int64]]
    gaps: int
    jumps: int


def stretches(times: Times, step_s: float) -> Stretches:
    """
    Cut pictures, in the order of their recording, where the clock goes back or pictures miss.

    times: [M]. Pictures that arrived in the wrong order by less than a step are put in order.
    """
    if len(times) == 0:
        return Stretches([], 0, 0)
    latest = np.maximum.accumulate(times)
    back = np.flatnonzero(times[1:] < latest[:-1] - step_s) + 1
    # After a jump back all that follows is compared with what came after the jump.
    parts: list[NDArray[np.int64]] = []
    first, jumps = 0, 0
    while len(back):
        cut = int(back[0])
        parts.append(np.arange(first, cut))
        first, jumps = cut, jumps + 1
        latest = np.maximum.accumulate(times[first:])
        back = np.flatnonzero(times[first + 1:] < latest[:-1] - step_s) + first + 1
    parts.append(np.arange(first, len(times)))
    pieces, gaps = [], 0
    for part in parts:
        ordered = part[np.argsort(times[part], kind='stable')]
        breaks = np.flatnonzero(np.diff(times[ordered]) > step_s * (1 + TOLERANCE)) + 1
        gaps += len(breaks)
        pieces += np.split(ordered, breaks)
    return Stretches(pieces, gaps, jumps)


def steps(times: Times, piece: NDArray[np.int64], step_s: float) -> list[NDArray[np.int64]]:
    """
    Pick pictures one step apart from a stretch, as many times as its rate allows.

    A stretch at 10 Hz and steps of 0.5 s give five episodes, each beginning one picture later.
    Returns for each episode the indices of its pictures; those of a single picture are left out.
    """
    at = times[piece]
    period_s = float(np.median(np.diff(at))) if len(at) > 1 else step_s
    phases = max(1, round(step_s / max(period_s, 1e-3)))
    episodes = []
    for start in at[:phases]:
        wanted = np.arange(start, at[-1] + period_s / 2, step_s)
        right = np.searchsorted(at, wanted).clip(1, len(at) - 1) if len(at) > 1 else np.zeros(
            len(wanted), np.int64)
        left = np.maximum(right - 1, 0)
        nearest = np.where(np.abs(at[left] - wanted) <= np.abs(at[right] - wanted), left, right)
        fits = np.abs(at[nearest] - wanted) <= TOLERANCE * step_s
        for run in np.split(np.arange(len(wanted)), np.flatnonzero(~fits)):
            chosen = nearest[run[fits[run]]]
            if len(chosen) > 1:
                episodes.append(piece[chosen])
    return episodes


def mean_commands(commands: Series, times: Times, hold_s: float) -> NDArray[np.float32]:
    """
    Return the mean command between consecutive times [F], [F - 1, A].

    A command holds until the next one, yet no longer than `hold_s`: then the base stops.
    """
    if len(commands.times) == 0:
        return np.zeros((len(times) - 1, commands.values.shape[1]), np.float32)
    ends = np.minimum(np.append(commands.times[1:], np.inf), commands.times + hold_s)
    lengths = ends - commands.times
    # The integral of what was commanded, known at each command; between them it grows evenly.
    whole = np.concatenate([
        np.zeros((1, commands.values.shape[1])),
        np.cumsum(commands.values * lengths[:, None], 0)])
    number = np.searchsorted(commands.times, times, 'right') - 1
    known = np.maximum(number, 0)
    since = np.clip(times - commands.times[known], 0, lengths[known])
    integral = whole[known] + commands.values[known] * since[:, None]
    means = np.diff(integral, axis=0) / np.diff(times)[:, None]
    return np.asarray(means, np.float32)


def values_at(series: Series, times: Times) -> NDArray[np.float32]:
    """Return numbers at times [F] between their measurements, [F, A]; beyond them the nearest."""
    return np.stack([
        np.interp(times, series.times, column) for column in series.values.T], 1,
    ).astype(np.float32)
