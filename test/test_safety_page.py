# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/safety.md: its tests exist, its numbers are those of the code, its table is whole."""

from pathlib import Path
import re

import numpy as np
import pytest

from sparse_imagination_ros.nodes.commanding import (
    DISCOVERY_S,
    FAREWELL_S,
    WATCHDOG_PERIODS,
    WATCHDOG_S,
)
from sparse_imagination_ros.nodes.faults.fault import GRACE_S
from sparse_imagination_ros.nodes.faults.table import FAULTS
from sparse_imagination_ros.nodes.health import Mode
from sparse_imagination_ros.nodes.settings import NodeConfig
from sparse_imagination_ros.planning.limits import LimitsConfig
from sparse_imagination_ros.planning.worker import HANGS_S
from sparse_imagination_ros.sim.robots import Robot, ROBOTS
from sparse_imagination_ros.tokens.trust import TrustConfig

HERE = Path(__file__).parent
PAGE = (HERE.parent / 'docs' / 'safety.md').read_text()


def test_every_test_that_a_promise_names_is_there() -> None:
    named = re.findall(r'`(test_\w+\.py)::(test_\w+)`', PAGE)
    assert len(named) > 15
    for file, test in named:
        assert f'def {test}(' in (HERE / file).read_text(), f'{file}::{test}'


@pytest.mark.parametrize('words', [
    f'{NodeConfig().staleness_s:g} s | `staleness_s`',
    f'{NodeConfig().command_rate_hz:g} Hz | `command_rate_hz`',
    f'{TrustConfig().freeze_s:g} s | `camera_freeze_s`',
    f'{TrustConfig().contrast:g} of 255 | `camera_contrast`',
    f'{WATCHDOG_PERIODS} periods, at least {WATCHDOG_S:g} s',
    f'at most {FAREWELL_S:g} s, then zero', f'{HANGS_S:g} s | `HANGS_S`',
    f'{DISCOVERY_S:g} s | `DISCOVERY_S`',
    f'brakes by itself after {Robot.command_timeout_s:g} s of silence',
    f'braking, and {GRACE_S:g} s for a machine', 'stops it | `exclusive_commands`'])
def test_its_numbers_are_those_of_the_code(words: str) -> None:
    assert words in PAGE
    assert NodeConfig().exclusive_commands


def test_it_names_every_limit_and_every_state() -> None:
    for name in LimitsConfig.__dataclass_fields__:
        assert f'`{name}`' in PAGE
    for mode in Mode:
        assert f'| {mode.value} |' in PAGE


def test_its_table_has_every_fault_with_its_limit() -> None:
    table = PAGE.partition('<!-- faults -->')[2].partition('<!-- /faults -->')[0]
    assert re.findall(r'^\| `(\w+)`', table, re.MULTILINE) == [fault.name for fault in FAULTS]
    base = ROBOTS['omnidirectional']
    braking_s = max(np.array(base.limit) / np.array(base.acceleration))
    for row, fault in zip(re.findall(r'^\| `.*$', table, re.MULTILINE), FAULTS, strict=True):
        limit_ms = round(1000 * ((fault.noticed_s or 0.0) + braking_s + GRACE_S))
        told = ' when told' if fault.noticed_s is None else ''
        assert f'| {fault.does} | {limit_ms} ms{told} |' in row
        assert fault.words in row and 'does not drive again' not in row
