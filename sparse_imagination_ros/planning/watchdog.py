# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A watchdog in a thread of its own, on a steady clock: it wakes up when another loop falls silent.

It knows nothing of commands; what is done then is told to it.
"""

from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic


class Watchdog:
    """Calls `bark` every `period_s` while nobody has fed it for `patience_s`."""

    def __init__(self, patience_s: float, period_s: float, bark: Callable[[], None]) -> None:
        self._patience_s, self._period_s, self._bark = patience_s, period_s, bark
        self._change = Condition()
        self._fed_s = monotonic()
        self._awake = self._closing = False
        self._thread = Thread(target=self._run, name='watchdog', daemon=True)
        self._thread.start()

    def pace(self, patience_s: float, period_s: float) -> None:
        """Watch at another pace from now on."""
        with self._change:
            self._patience_s, self._period_s = patience_s, period_s
            self._change.notify_all()

    def feed(self) -> None:
        """Say that all is well; it never waits for long."""
        # A bare assignment: whoever feeds it must not wait for a bark.
        self._fed_s = monotonic()

    def wake(self) -> None:
        """Watch from now on."""
        with self._change:
            self._fed_s, self._awake = monotonic(), True
            self._change.notify_all()

    def sleep(self) -> None:
        """Watch no more."""
        with self._change:
            self._awake = False

    def close(self) -> None:
        """End the thread."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closing or self._awake)
                if not self._closing:
                    left_s = self._fed_s + self._patience_s - monotonic()
                    self._change.wait(max(left_s, self._period_s))
                if self._closing:
                    return
                silent = self._awake and monotonic() - self._fed_s > self._patience_s
            if silent:
                self._bark()
