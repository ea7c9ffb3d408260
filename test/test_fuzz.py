# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bad input is refused in our words; a few of the inputs of `make fuzz`, and all past findings."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
import shutil
import sqlite3
from typing import Any
import zlib

import cv2
from fuzz_targets import Case, TARGETS
from hypothesis import given, HealthCheck, settings, strategies
import numpy as np
import pytest
import yaml

from sparse_imagination_ros.config import build, read_yaml, setting
from sparse_imagination_ros.errors import BundleError, ConfigError, DataError, FrameError
from sparse_imagination_ros.planning.latency import read_latency
from sparse_imagination_ros.tokens.frames import decompress
from sparse_imagination_ros.world_models.bundle import Bundle


@pytest.fixture(scope='module', params=TARGETS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param == 'node parameters':
        pytest.importorskip('rclpy')
    if 'bags' in request.param:
        pytest.importorskip('rosbags')
    return TARGETS[request.param].prepare(tmp_path_factory.mktemp('fuzz'))


@settings(max_examples=150, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=strategies.integers(0, 2**64 - 1))
def test_bad_input_is_refused_in_our_words(case: Case, seed: int) -> None:
    case(Random(seed))


# What was found, and must not come back.

@dataclass(frozen=True)
class Lamp:
    watts: float = setting(40.0, 'power', 0.0)
    places: tuple[str, ...] = setting(('',), 'where it stands')


@pytest.mark.parametrize('text', [
    '[' * 500, 'a: !!int ""', 'a: !!float x', 'a: !!bool x', 'a: !!timestamp x', 'a: 2001-99-99',
    f'a: {"1" * 5000}', '\ud800', 'a: 1\n' * 300_000])
def test_what_pyyaml_trips_over_is_refused_in_our_words(text: str) -> None:
    with pytest.raises(ConfigError, match='here cannot be read'):
        read_yaml(text, 'here')


def test_a_value_that_holds_itself_a_thousand_million_times_is_refused_in_short() -> None:
    bomb = read_yaml('a0: &a0 [l, l]\n' + ''.join(
        f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 10)}]\n' for n in range(1, 10)), 'bomb')['a9']
    for name in ('watts', 'places'):
        with pytest.raises(ConfigError, match='expected a') as refusal:
            build(Lamp, {name: bomb}, 'here')
        assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize('value', [10**400, 2**63, -2**64])
def test_a_number_that_no_machine_holds_is_refused(value: int) -> None:
    with pytest.raises(ConfigError, match=r'`watts` is .*expected a float'):
        build(Lamp, {'watts': value}, 'here')


def test_a_picture_that_claims_to_fill_the_memory_is_not_unpacked() -> None:
    done, data = cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))
    assert done
    # Width and height of a PNG stand behind its first chunk's name, and a checksum behind them.
    head = b'IHDR' + (30_000).to_bytes(4, 'big') * 2 + data.tobytes()[24:29]
    wrong = data.tobytes()[:12] + head + zlib.crc32(head).to_bytes(4, 'big') + data.tobytes()[33:]
    with pytest.raises(FrameError, match='cannot be decoded'):
        decompress(wrong, 'png')


@pytest.fixture
def bundle(untrained: Path, tmp_path: Path) -> Path:
    shutil.copytree(untrained, tmp_path / 'bundle')
    return tmp_path / 'bundle'


def edited(bundle: Path, change: Any) -> Path:
    path = bundle / 'manifest.yaml'
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))
    return bundle


@pytest.mark.parametrize(('change', 'words'), [
    (lambda v: v['actions'].update(high=[float('nan'), 1.0]), 'rest must be allowed'),
    (lambda v: v['actions'].update(high=[float('inf'), 1.0]), 'rest must be allowed'),
    (lambda v: v['actions'].update(low=[0.1, -1.0]), 'rest must be allowed'),
    (lambda v: v['actions'].update(acceleration=[0.0, 1.0]), 'rest must be allowed'),
    (lambda v: v['actions'].update(names=['linear.x', 'linear.x']), 'there twice'),
    (lambda v: v.update(step_s=float('nan')), '`step_s` is nan'),
    (lambda v: v.update(step_s=0.0), '`step_s` is 0'),
    (lambda v: v.update(picture_size=[-1, 224]), '`picture_size` is -1 x 224'),
    (lambda v: v.update(sha256=3), 'damaged'),
    (lambda v: v['encoder'].update(grid=2**40), '`grid` is .*no network has that'),
    (lambda v: v['encoder'].update(depth=10**6), '`depth` is 1000000'),
    (lambda v: v['encoder'].update(grid=0), '`grid` is 0'),
    (lambda v: v['encoder'].update(image_size=-3), '`image_size` is -3'),
    (lambda v: v['encoder'].update(image_size=0), '`image_size` is 0'),
    (lambda v: v['encoder'].update(image_size=4), 'does not fit'),
    (lambda v: v['predictor'].update(heads=0), '`heads` is 0'),
    (lambda v: v['predictor'].update(heads=3), '3 heads do not share a width of 32'),
    (lambda v: v['predictor'].update(told=[1.0, float('nan')]), '`told` holds 2 weights'),
    (lambda v: v['predictor'].update(told=[1.0] * 65), '`told` holds 65 weights'),
    # More than most machines have, were it made before it is held against the weights.
    (lambda v: (v['encoder'].update(width=8192, depth=1000),
                v['predictor'].update(token_width=8192)), 'too short for 1000 blocks 8192 wide'),
])
def test_a_manifest_that_was_written_to_harm_is_refused(
    bundle: Path, change: Any, words: str,
) -> None:
    with pytest.raises(BundleError, match=words):
        Bundle.load(edited(bundle, change))


def test_what_was_learned_of_a_machine_is_forgotten_if_it_cannot_be_read(tmp_path: Path) -> None:
    for number, text in enumerate(('[' * 100_000, '{"costs_ms": [[1, 2]], "tails": {}}',
                                   '{"costs_ms": [["a", 1e999, 1, 1]], "tails": {}}')):
        path = tmp_path / f'{number}.json'
        path.write_text(text)
        assert not read_latency(path).costs_ms


def test_a_damaged_bag_makes_no_other_file(tmp_path: Path) -> None:
    """The text that makes its tables is the bag's own, and could say anything."""
    pytest.importorskip('rosbags')
    from bag_maker import drive, write_bag

    from sparse_imagination_ros.bags.opening import open_bag

    bag, stolen = write_bag(tmp_path / 'bag', drive(1.0), 'sqlite3'), tmp_path / 'made.db'
    file = bag / 'bag.db3'
    with closing(sqlite3.connect(file)) as database:
        database.execute('PRAGMA writable_schema = ON')
        database.execute('CREATE TABLE harm (a)')
        database.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'harm'",
                         (f"ATTACH DATABASE '{stolen}' AS made",))
        database.commit()
    # Damaged, so that it is rescued.
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match='cannot be read as a bag'), \
            open_bag(bag, forgiving=True) as opened:
        list(opened.raw())
    assert not stolen.exists()


def test_a_database_of_names_that_are_no_text_is_called_damaged(tmp_path: Path) -> None:
    pytest.importorskip('rosbags')
    from bag_maker import drive, write_bag

    from sparse_imagination_ros.bags.opening import open_bag

    file = write_bag(tmp_path / 'bag', drive(1.0), 'sqlite3') / 'bag.db3'
    file.write_bytes(file.read_bytes()[:-100].replace(
        b'CREATE TABLE topics', b'CREATE TABLE\x80topics'))
    with pytest.raises(DataError, match='no messages can be saved'), \
            open_bag(file.parent, forgiving=True):
        pass
