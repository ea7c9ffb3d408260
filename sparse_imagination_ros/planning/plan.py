# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The time-stamped plan, and the commands that were really sent; not how a plan is made."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Commands are remembered for longer than any context of a planner.
HISTORY_S = 5.0


@dataclass(frozen=True)
class Plan:
    """
    An action sequence in which each action has a time; it can be read at any time.

    actions: [T, A], action i is meant for [start_s + i * step_s, start_s + (i + 1) * step_s).
    frame_stamp_s: when the frame that the plan came from was taken, on the same clock.
    """

    frame_stamp_s: float
    start_s: float
    step_s: float
    actions: Array

    @property
    def end_s(self) -> float:
        """When the last action ends."""
        return self.start_s + self.step_s * len(self.actions)

    def at(self, now_s: float) -> Array:
        """Return the action [A] for this moment: the first before the plan, zero after its end."""
        if now_s >= self.end_s:
            return np.zeros_like(self.actions[0])
        action: Array = self.actions[max(0, int((now_s - self.start_s) / self.step_s))]
        return action

    def slid(self, start_s: float) -> Array:
        """
        Return the actions [T, A] of a plan that starts at `start_s` instead.

        Each new action is the average of this plan over the new interval, so that sliding by part
        of a step moves that part of every action; past the end the last action is held.
        """
        return slide(self.actions, (start_s - self.start_s) / self.step_s)


def slide(actions: Array, shift: float) -> Array:
    """Return sequences [..., T, A] as they go on after `shift` steps; the last action is held."""
    last = actions.shape[-2] - 1
    position = np.clip(np.arange(last + 1) + shift, 0, last)
    whole = position.astype(int)
    part = (position - whole).astype(np.float32)[:, None]
    following = np.minimum(whole + 1, last)
    slid: Array = (1 - part) * actions[..., whole, :] + part * actions[..., following, :]
    return slid


class CommandHistory:
    """The commands that left for the robot, each held until the next one. Safe between threads."""

    def __init__(self, action_size: int, span_s: float) -> None:
        self._zero = np.zeros(action_size, np.float32)
        self._span_s = span_s
        self._sent: deque[tuple[float, Array]] = deque()
        self._lock = Lock()

    def add(self, now_s: float, values: Array) -> None:
        """Remember a command sent now; times must not go back."""
        with self._lock:
            self._sent.append((now_s, np.array(values, np.float32)))
            # The newest command before the span still acts inside it.
            while len(self._sent) > 1 and self._sent[1][0] < now_s - self._span_s:
                self._sent.popleft()

    def clear(self) -> None:
        """Forget all commands, as after a jump of the clock."""
        with self._lock:
            self._sent.clear()

    def mean(self, start_s: float, end_s: float) -> Array:
        """
        Return the time average [A] over an interval; zero before the first command.

        Over a moment it is the command that was in force then.
        """
        with self._lock:
            sent = list(self._sent)
        total = self._zero.copy()
        if not end_s > start_s:
            return next((values.copy() for since_s, values in reversed(sent)
                         if since_s <= start_s), total)
        for i, (since_s, values) in enumerate(sent):
            until_s = sent[i + 1][0] if i + 1 < len(sent) else end_s
            overlap_s = min(until_s, end_s) - max(since_s, start_s)
            if overlap_s > 0:
                total += overlap_s * values
        return total / np.float32(end_s - start_s)

    def last(self) -> Array:
        """Return the newest command [A]; zero before the first one."""
        with self._lock:
            return self._sent[-1][1].copy() if self._sent else self._zero.copy()

    def means(self, start_s: float, end_s: float, count: int) -> Array:
        """Return the time averages [count, A] over equal parts of an interval, in their order."""
        edges = np.linspace(start_s, end_s, count + 1).tolist()
        return np.array([self.mean(*part) for part in pairwise(edges)])
