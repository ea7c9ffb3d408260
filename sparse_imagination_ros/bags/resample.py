# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From pictures and numbers at their own times to episodes at the steps of a model. Pure maths."""

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.bags.reading import Times

# A picture may lie this part of a step beside the time that it stands for.
TOLERANCE = 0.25
# Stamps that lie further than this from the time of recording belong to another clock.
SAME_CLOCK_S = 1.0
# Between what lies before a jump of the clock and what lies after it, seconds.
APART_S = 1e4


class Clock:
    """
    One time for all that a bag holds, made from its pictures: their stamps, jumps taken out.

    A simulator that is reset, or a bag that was played again, jumps back; what lies after a jump
    is moved far behind what lies before, so that nothing connects the two.
    """

    def __init__(self, recorded: Times, stamped: Times, step_s: float) -> None:
        unstamped = np.isnan(stamped)
        stamped = np.where(unstamped, recorded, stamped)
        offset = stamped - recorded
        # Of one clock, a stamp is older than the recording by the camera's delay, and others'
        # times must not be moved by it. Of another clock they must.
        self._foreign = bool(len(offset)) and abs(float(np.median(offset))) > SAME_CLOCK_S
        ahead = np.diff(stamped)
        jumped = (ahead < -step_s) | (ahead - np.diff(recorded) > SAME_CLOCK_S)
        self.jumps = int(jumped.sum())
        run = np.concatenate([[0], np.cumsum(jumped)])[:len(stamped)]
        moved = np.zeros(self.jumps + 1)
        for number in range(1, self.jumps + 1):
            before = stamped[run == number - 1].max() + moved[number - 1]
            moved[number] = before + APART_S - stamped[run == number].min()
        self._recorded, self._moved = recorded, moved[run]
        self._offset = offset if self._foreign else np.zeros_like(offset)
        self.times: Times = stamped + self._moved

    def of(self, recorded: Times, stamped: Times) -> Times:
        """Return the times of other messages, by their stamps where these fit, [M]."""
        if len(self._recorded) == 0:
            return recorded
        last = np.maximum(np.searchsorted(self._recorded, recorded, 'right') - 1, 0)
        expected = recorded + self._offset[last] + self._moved[last]
        own = stamped + self._moved[last]
        fits = np.abs(own - expected) < SAME_CLOCK_S
        return np.asarray(np.where(fits, own, expected), np.float64)


def stretches(times: Times, scenes: Times, step_s: float) -> list[NDArray[np.int64]]:
    """
    Cut pictures where some are missing or a scene begins; return the indices of each, by time.

    times: [M]; pictures that arrived in the wrong order are put in order. scenes: [S], when a new
    scene began, as when the robot was carried.
    """
    if len(times) == 0:
        return []
    order = np.argsort(times, kind='stable')
    scene = np.searchsorted(np.sort(scenes), times[order], 'right')
    broken = (np.diff(times[order]) > step_s * (1 + TOLERANCE)) | (np.diff(scene) > 0)
    return np.split(order, np.flatnonzero(broken) + 1)


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


def mean_commands(
    at: Times, commands: NDArray[np.float32], times: Times, hold_s: float,
) -> NDArray[np.float32]:
    """
    Return the mean command between consecutive times [F], [F - 1, A].

    at: [M], when the commands [M, A] were sent. A command holds until the next one, yet no longer
    than `hold_s`: then the base stops.
    """
    if len(at) == 0:
        return np.zeros((len(times) - 1, commands.shape[1]), np.float32)
    order = np.argsort(at, kind='stable')
    at, commands = at[order], commands[order]
    lengths = np.minimum(np.append(at[1:], np.inf), at + hold_s) - at
    # The integral of what was commanded, known at each command; between them it grows evenly.
    whole = np.concatenate([
        np.zeros((1, commands.shape[1])), np.cumsum(commands * lengths[:, None], 0)])
    last = np.maximum(np.searchsorted(at, times, 'right') - 1, 0)
    since = np.clip(times - at[last], 0, lengths[last])
    integral = whole[last] + commands[last] * since[:, None]
    means = np.diff(integral, axis=0) / np.diff(times)[:, None]
    return np.asarray(means, np.float32)


def values_at(at: Times, values: NDArray[np.float32], times: Times) -> NDArray[np.float32]:
    """Return numbers measured at times [M] at the times [F], [F, Q]; beyond them the nearest."""
    order = np.argsort(at, kind='stable')
    return np.stack([
        np.interp(times, at[order], column[order]) for column in values.T], 1,
    ).astype(np.float32)
