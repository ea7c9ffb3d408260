# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is computed aside is waited for, or not."""

from threading import current_thread, Event
from threading import enumerate as threads

import pytest
import torch
from torch import Tensor

from sparse_imagination_ros.planning.aside import Aside
from sparse_imagination_ros.planning.mppi import OutOfTimeError

# Longer than anything here takes.
LONG_S = 60.0


def test_an_answer_comes_from_another_thread_always_the_same() -> None:
    aside, names = Aside(), []

    def compute() -> Tensor:
        names.append(current_thread().ident)
        assert torch.is_inference_mode_enabled()
        return torch.ones(2)

    assert [aside(compute, LONG_S).sum().item() for _ in range(3)] == [2, 2, 2]
    assert len(set(names)) == 1 and names[0] != current_thread().ident


def test_who_has_no_patience_gets_none_and_can_ask_again_when_it_is_over() -> None:
    aside, goes_on = Aside(), Event()

    def slow() -> Tensor:
        goes_on.wait()
        return torch.zeros(1)

    assert aside.is_free(0.0)
    with pytest.raises(OutOfTimeError):
        aside(slow, 0.01)
    assert not aside.is_free(0.01)
    goes_on.set()
    assert aside.is_free(LONG_S)
    assert aside(lambda: torch.ones(1), LONG_S).item() == 1


def test_what_goes_wrong_aside_is_raised_here() -> None:
    def broken() -> Tensor:
        raise MemoryError('no more')

    aside = Aside()
    with pytest.raises(MemoryError, match='no more'):
        aside(broken, LONG_S)
    assert aside(lambda: torch.ones(1), LONG_S).item() == 1


def test_what_goes_wrong_when_nobody_waits_any_more_is_raised_to_who_comes_next() -> None:
    aside, goes_on = Aside(), Event()

    def late_and_broken() -> Tensor:
        goes_on.wait()
        raise MemoryError('no more')

    with pytest.raises(OutOfTimeError):
        aside(late_and_broken, 0.01)
    goes_on.set()
    with pytest.raises(MemoryError, match='no more'):
        aside.is_free(LONG_S)
    assert aside.is_free(LONG_S)


def test_the_thread_ends_with_its_owner() -> None:
    before = set(threads())
    aside = Aside()
    aside(lambda: torch.ones(1), LONG_S)
    mine, = set(threads()) - before
    del aside
    mine.join(LONG_S)
    assert not mine.is_alive()
