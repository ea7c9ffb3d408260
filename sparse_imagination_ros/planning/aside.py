# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs a call aside, in a thread of its own, so that its caller can go on without its answer.

What is computed cannot be stopped from outside, and may take ten times as long as it ever took:
an interrupted processor, a stalled driver. A deadline is kept by who sleeps until it, and not by
who computes.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
import os
from queue import SimpleQueue
import sys
from threading import Event, Thread
from time import monotonic
import weakref

import torch
from torch import Tensor

from sparse_imagination_ros.planning.mppi import OutOfTimeError

# Who wakes up must not wait for an interpreter that is busy aside; Python's own 5 ms are long.
SWITCH_S = 0.0005


@dataclass
class _Call:
    """What is to be computed; then what came of it."""

    compute: Callable[[], Tensor]
    began_s: float = field(default_factory=monotonic)
    done: Event = field(default_factory=Event)
    answer: Tensor | None = None
    error: BaseException | None = None


class Aside:
    """One thread, which ends with its owner, or never if what it runs never ends."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._last: _Call | None = None

    def __call__(self, compute: Callable[[], Tensor], patience_s: float) -> Tensor:
        """Return what is computed; raise `OutOfTimeError` if that takes too long."""
        if self._last is None:
            sys.setswitchinterval(min(SWITCH_S, sys.getswitchinterval()))
            Thread(target=_serve, args=(self._calls, _one_below()), name='aside',
                   daemon=True).start()
            weakref.finalize(self, self._calls.put, None)
        call = self._last = _Call(compute)
        self._calls.put(call)
        if not call.done.wait(max(0.0, patience_s)):
            raise OutOfTimeError
        error, call.error = call.error, None
        if error is not None:
            raise error
        assert call.answer is not None
        return call.answer

    @property
    def busy_s(self) -> float:
        """How long the call that runs has taken so far, whether anybody waits for it or not."""
        call = self._last
        return 0.0 if call is None or call.done.is_set() else monotonic() - call.began_s

    def is_free(self, patience_s: float) -> bool:
        """
        Wait until the last call has ended, too, though nobody wants its answer any more.

        Raise what went wrong with it, if nobody was told.
        """
        call = self._last
        if call is None or not call.done.wait(max(0.0, patience_s)):
            return call is None
        error, call.error = call.error, None
        if error is not None and not isinstance(error, OutOfTimeError):
            raise error
        return True


def _one_below() -> tuple[int, int]:
    """Return the scheduling of this thread, but in real time one priority lower."""
    priority = os.sched_getparam(0).sched_priority
    return os.sched_getscheduler(0), max(1, priority - 1) if priority else 0


def _serve(calls: 'SimpleQueue[_Call | None]', scheduling: tuple[int, int]) -> None:
    policy, priority = scheduling
    if priority:
        # Threads do not always inherit it. Who waits is not to be held up by who computes.
        with suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(priority))
    with torch.inference_mode():
        while (call := calls.get()) is not None:
            try:
                call.answer = call.compute()
            except BaseException as error:
                call.error = error
            call.done.set()
            # Nothing is kept of it while the next one is waited for.
            del call
