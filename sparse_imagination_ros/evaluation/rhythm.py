# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the stamps of a stream say: how often something comes, how evenly, and what is missing."""

from collections import deque

import numpy as np

# So many of the last periods count.
PERIODS = 300
# A period this much longer than is usual has room for a picture that never came.
MISSING = 1.5


class Rhythm:
    """Takes in stamps as they come, and remembers the last periods. For one thread."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._periods_s: deque[float] = deque(maxlen=PERIODS)
        self.count = self.backwards = 0

    def add(self, stamp_s: float) -> None:
        """Take in the next stamp; one that lies before the last counts as a jump."""
        if self._last_s is not None:
            if stamp_s > self._last_s:
                self._periods_s.append(stamp_s - self._last_s)
            else:
                self.backwards += 1
        self._last_s = stamp_s
        self.count += 1

    def values(self) -> dict[str, object]:
        """Return the numbers for people, of the last periods."""
        periods = np.array(self._periods_s)
        if len(periods) < 2:
            return {'pictures': self.count, 'stamps that went back': self.backwards}
        usual = float(np.median(periods))
        missing = np.where(periods > MISSING * usual, np.rint(periods / usual) - 1, 0).sum()
        return {
            'pictures': self.count, 'pictures per second': round(1 / usual, 2),
            'jitter ms': round(1000 * float(periods.std()), 2),
            'missing of the last': f'{int(missing)} of {len(periods) + int(missing)}',
            'stamps that went back': self.backwards}
