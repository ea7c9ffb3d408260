# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `soak`: what grows is noticed, and every frame and command is accounted for."""

from dataclasses import replace
import json
from pathlib import Path
import subprocess
import sys

import pytest

from sparse_imagination_ros.evaluation.soak import Frames, Sample, Soak

FRAMES = Frames(published=600, heard=600, unreadable=0, doubted=0, at_rest=10, senseless=0,
                planned=500, replaced=80, dropped=9, waiting=1)
WELL = Soak(
    80.0, tuple(Sample(float(s), 400_000 + s % 7, 10_000 + s % 11, 40, 12) for s in range(600)),
    tuple((float(s), 60.0 + s % 5) for s in range(600)), FRAMES, 600, 1200, 1200, 0,
    {'planner_node': 0, 'sim_node': 0})


def wrong(soak: Soak) -> set[str]:
    return {verdict for verdict, holds in soak.verdicts().items() if not holds}


def test_a_run_in_which_nothing_grows_or_is_lost_passes() -> None:
    assert wrong(WELL) == set() and WELL.summary()['passed']


@pytest.mark.parametrize('name', ['memory_kb', 'blocks', 'handles', 'threads'])
def test_what_grows_through_the_noise_is_noticed(name: str) -> None:
    # A leak of one in ten seconds.
    samples = tuple(replace(sample, **{name: getattr(sample, name) + number // 10})
                    for number, sample in enumerate(WELL.samples))
    leaks = replace(WELL, samples=samples)
    assert wrong(leaks) == {f'{name} does not grow'}
    growth = leaks.trends()[name]
    assert growth.low < 360 < growth.high or growth.value == pytest.approx(360, rel=0.1)


def test_what_grows_only_at_first_is_no_leak() -> None:
    samples = tuple(replace(sample, memory_kb=sample.memory_kb + min(number, 200))
                    for number, sample in enumerate(WELL.samples))
    assert wrong(replace(WELL, samples=samples)) == set()


def test_times_that_grow_are_noticed() -> None:
    cycles = tuple((end_s, took_ms + end_s / 100) for end_s, took_ms in WELL.cycles)
    assert wrong(replace(WELL, cycles=cycles)) == {'the times of cycles do not grow'}


def test_more_misses_than_are_promised_are_noticed() -> None:
    cycles = tuple((float(s), 90.0 if s % 100 == 0 else 60.0) for s in range(6000))
    assert wrong(replace(WELL, cycles=cycles, cycles_told=6000)) == {
        'no more misses than one cycle of a thousand'}


@pytest.mark.parametrize(('soak', 'verdict'), [
    (replace(WELL, frames=replace(FRAMES, planned=499)),
     'every frame that came is accounted for'),
    (replace(WELL, frames=replace(FRAMES, published=602)),
     'the middleware lost no more frames than it may'),
    (replace(WELL, cycles_told=601), 'every cycle was told'),
    (replace(WELL, commands_received=1199), 'every command that was published was received'),
    (replace(WELL, commands_outside_limits=1), 'no command was outside the limits'),
    (replace(WELL, exit_codes={'planner_node': -9, 'sim_node': 0}), 'all processes ended well'),
])
def test_what_is_lost_is_noticed(soak: Soak, verdict: str) -> None:
    assert wrong(soak) == {verdict} and not soak.summary()['passed']


@pytest.mark.ros
def test_a_short_run_counts_every_frame_and_every_command(
    untrained: Path, tmp_path: Path,
) -> None:
    report = tmp_path / 'soak.json'
    process = subprocess.run(
        [sys.executable, '-m', 'sparse_imagination_ros.cli.main', 'soak', '--minutes', '0.25',
         '--bundle', str(untrained), '--json', str(report)],
        capture_output=True, text=True, timeout=240, check=False)
    assert report.is_file(), process.stderr
    found = json.loads(report.read_text())
    # Of so short a run nothing can be said of growth.
    assert found['seconds'] > 10 and found['cycles'] > 10
    assert found['frames']['published'] > 50 and found['frames']['unaccounted'] == 0
    assert found['frames']['planned'] >= found['cycles'] == found['cycles_told']
    assert found['commands_published'] == found['commands_received'] > 100
    assert found['commands_outside_limits'] == 0
    assert found['exit_codes'] == {'planner_node': 0, 'sim_node': 0}
    assert 'Traceback' not in process.stderr
