# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a node at the moment, so that it can be said; it judges nothing."""

from collections.abc import Callable
import time

# A problem that keeps on happening is logged this often.
LOG_PERIOD_S = 5.0


class Problems:
    """Problems by what they are about; each is logged when it comes, and seldom while it stays."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._now: dict[str, str] = {}
        self._logged_s: dict[str, float] = {}

    def note(self, about: str, problem: str, trace: str = '') -> None:
        """Take in a problem; the log gets the trace instead, if there is one."""
        self._now[about] = problem
        now_s = time.monotonic()
        if now_s - self._logged_s.get(about, float('-inf')) > LOG_PERIOD_S:
            self._logged_s[about] = now_s
            self._log(trace or f'{about}: {problem}')

    def clear(self, *abouts: str) -> None:
        """Take back what is over."""
        for about in abouts:
            self._now.pop(about, None)

    def first(self, *abouts: str) -> str:
        """Return the first problem there is, in this order, in words; empty if there is none."""
        for about in abouts:
            problem = self._now.get(about)
            if problem is not None:
                return f'{about}: {problem}'
        return ''
