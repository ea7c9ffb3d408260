# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether several speak on one topic, by the numbers that each gives its messages.

Who is known to publish says less: one that was killed counts for a while, though it is silent.
"""

from collections import deque

# Numbers go back once when one that speaks is started again, and so often within this time only
# when they come from two; once does if two are known to be there.
STEPS_BACK, WINDOW_S = 2, 3.0


class Voices:
    """Takes in the numbers of messages as they come. For one thread."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._back_s: deque[float] = deque(maxlen=STEPS_BACK)

    def add(self, number: int | None, now_s: float) -> None:
        """Take in the next number; a middleware may have none."""
        if number is None:
            return
        if self._last is not None and number <= self._last:
            self._back_s.append(now_s)
        self._last = number

    def are_several(self, now_s: float, known: int) -> bool:
        """Tell whether several spoke lately; known: how many are there, silent ones counted."""
        steps = 1 if known > 1 else STEPS_BACK
        return len(self._back_s) >= steps and now_s - self._back_s[-steps] < WINDOW_S
