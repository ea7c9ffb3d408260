# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What several tests need: a ROS graph of their own, an untrained bundle, and sometimes quiet.

The suite runs in any order and by several workers at once (`make pytest`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import fcntl
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

import pytest

# Which run this is: its workers share the name. It is empty if there is one process alone.
RUN = os.environ.get('PYTEST_XDIST_TESTRUNUID', '')
if RUN:
    # Each worker has its own core: a network that wants more only gets in the way of others. It is
    # read when torch is imported, and by the processes that tests start.
    os.environ.setdefault('OMP_NUM_THREADS', '1')


# The first of all: no other plugin takes the wait for a hung test.
@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test that measures time run while no other runs, and one of nodes beside no other."""
    with ExitStack() as stack:
        if RUN and item.get_closest_marker('ros') is not None:
            stack.enter_context(_held(f'nodes-{RUN}', fcntl.LOCK_EX))
        stack.enter_context(_turn(alone=item.get_closest_marker('timing') is not None))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let chance be the same for a test wherever it stands in the order."""
    if 'torch' in sys.modules:
        sys.modules['torch'].manual_seed(0)


@contextmanager
def _turn(alone: bool) -> Iterator[None]:
    """Wait for a turn among the workers of this run: alone, or beside others."""
    if not RUN:
        yield
        return
    # Who waits to be alone holds the door, so that nobody slips in before.
    with _held(f'door-{RUN}', fcntl.LOCK_EX) as door, \
            _held(f'room-{RUN}', fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _held(name: str, kind: int) -> Iterator[int]:
    folder = Path(tempfile.gettempdir()) / f'sparse_imagination_tests_{os.getuid()}'
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip('rclpy')
    from ros_graph import own_graph

    with own_graph(tmp_path) as graph:
        yield graph


@pytest.fixture(scope='session')
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that drives, though to nowhere."""
    from bundle_maker import untrained_bundle

    return untrained_bundle(tmp_path_factory.mktemp('bundles') / 'untrained')
