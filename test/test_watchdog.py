# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The watchdog barks when, and as long as, another loop is silent."""

from collections.abc import Iterator
import time

import pytest

from sparse_imagination_ros.planning.watchdog import Watchdog

PATIENCE_S, PERIOD_S = 0.2, 0.02


class Kennel:
    """A watchdog, and the times at which it barked."""

    def __init__(self) -> None:
        self.barks: list[float] = []
        self.dog = Watchdog(PATIENCE_S, PERIOD_S, lambda: self.barks.append(time.monotonic()))

    def wait_for(self, count: int) -> None:
        end_s = time.monotonic() + 30
        while len(self.barks) < count:
            assert time.monotonic() < end_s, 'waited in vain'
            time.sleep(0.005)


@pytest.fixture
def kennel() -> Iterator[Kennel]:
    kennel = Kennel()
    yield kennel
    kennel.dog.close()


def test_it_sleeps_until_it_is_woken(kennel: Kennel) -> None:
    time.sleep(2 * PATIENCE_S)
    assert not kennel.barks


def test_it_is_silent_while_it_is_fed(kennel: Kennel) -> None:
    kennel.dog.wake()
    began_s = fed_s = time.monotonic()
    hungry_s = 0.0
    while time.monotonic() - began_s < 3 * PATIENCE_S:
        hungry_s, fed_s = max(hungry_s, time.monotonic() - fed_s), time.monotonic()
        kennel.dog.feed()
        time.sleep(0.01)
    assert not kennel.barks or hungry_s > PATIENCE_S


def test_it_barks_on_and_on_while_nobody_feeds_it(kennel: Kennel) -> None:
    kennel.dog.wake()
    woken_s = time.monotonic()
    kennel.wait_for(5)
    assert kennel.barks[0] - woken_s > PATIENCE_S - 0.01
    kennel.dog.sleep()
    time.sleep(5 * PERIOD_S)
    count = len(kennel.barks)
    time.sleep(2 * PATIENCE_S)
    assert len(kennel.barks) == count


def test_fed_again_it_is_silent(kennel: Kennel) -> None:
    kennel.dog.wake()
    kennel.wait_for(1)
    kennel.dog.feed()
    fed_s, count = time.monotonic(), len(kennel.barks)
    time.sleep(PATIENCE_S / 3)
    assert len(kennel.barks) <= count + 1 or time.monotonic() - fed_s > PATIENCE_S


def test_its_pace_can_be_changed_while_it_watches(kennel: Kennel) -> None:
    kennel.dog.pace(60.0, PERIOD_S)
    kennel.dog.wake()
    time.sleep(2 * PATIENCE_S)
    assert not kennel.barks
    kennel.dog.pace(PATIENCE_S, PERIOD_S)
    kennel.wait_for(2)
