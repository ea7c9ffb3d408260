# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `stress` disturbs two contenders alike, and writes what became of them."""

import argparse
import json
from pathlib import Path
import shutil

import pytest

from sparse_imagination_ros.cli import quality, stress
from sparse_imagination_ros.errors import BundleError, DataError
from sparse_imagination_ros.evaluation.loads import Load
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Quality

TABLE = {'bundle': 'untrained', 'rows': [
    {'tokens': 16, 'success': 0.9}, {'tokens': 4, 'success': 0.8}]}


def parsed(module: object, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    return parser.parse_args(arguments)


def test_both_contenders_are_driven_and_reported(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert stress.run(parsed(
        stress, 'stress', '--bundle', str(untrained), '--cycles', '20', '--load', '0,1',
        '--step', '1', '--spikes', '0.1', '--budget-ms', '100', '--iterations', '4',
        '--json', str(tmp_path / 'f.json'), '--report', str(tmp_path / 'f.html'))) == 0
    report = json.loads((tmp_path / 'f.json').read_text())
    for name in ('adaptive', 'fixed'):
        numbers = report[name]
        assert numbers['cycles'] >= 20 and 0 <= numbers['misses'] <= numbers['cycles']
        assert 0 <= numbers['misses_while_stolen'] <= numbers['misses']
        assert numbers['stolen_ms'] >= 0
        assert 0 < numbers['use_mean'] <= 1 and 0 <= numbers['success'] <= 1
    assert (report['load'], report['budget_ms'], report['spikes']) == ([0, 1], 100, 0.1)
    page = (tmp_path / 'f.html').read_text()
    assert page.count('<svg') == 6 and 'deadlines missed' in page
    assert 'adaptive' in capsys.readouterr().out


def test_a_load_goes_through_its_steps() -> None:
    with Load((0, 2, 1), 0.2) as load:
        seen = []
        while len(seen) < 4:
            if not seen or seen[-1] != load.level:
                seen.append(load.level)
    assert seen == [0, 2, 1, 0]


@pytest.mark.parametrize('levels', ['', '1;2', '-1', 'many'])
def test_senseless_loads_are_refused(
    levels: str, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parsed(stress, 'stress', f'--load={levels}')
    assert '--load' in capsys.readouterr().err


@pytest.fixture
def bundle(untrained: Path, tmp_path: Path) -> Path:
    shutil.copytree(untrained, tmp_path / 'bundle')
    return tmp_path / 'bundle'


def store(bundle: Path, table: object) -> int:
    measured = bundle.parent / 'measured.json'
    measured.write_text(json.dumps(table))
    return quality.run(parsed(quality, 'quality', str(bundle), str(measured)))


def test_what_was_measured_is_stored_in_the_bundle(bundle: Path) -> None:
    assert Bundle.load(bundle).manifest.quality is None
    assert store(bundle, TABLE) == 0
    assert Bundle.load(bundle).manifest.quality == Quality((4, 16), (0.8, 0.9))
    assert not list(bundle.glob('.unfinished-*'))


@pytest.mark.parametrize(('table', 'words'), [
    ({}, 'not what `evaluate --json` writes'),
    ({**TABLE, 'bundle': 'another'}, 'is of bundle `another`, not of `untrained`'),
])
def test_what_is_of_something_else_is_refused(bundle: Path, table: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        store(bundle, table)


@pytest.mark.parametrize('rows', [
    [{'tokens': 17, 'success': 0.5}], [{'tokens': 4, 'success': 1.5}], [],
    [{'tokens': 4, 'success': 0.5}, {'tokens': 4, 'success': 0.6}],
])
def test_a_table_that_cannot_be_is_refused(bundle: Path, rows: object) -> None:
    with pytest.raises(BundleError, match='quality'):
        store(bundle, {**TABLE, 'rows': rows})
    assert Bundle.load(bundle).manifest.quality is None
