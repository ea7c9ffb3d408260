# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `evaluate` drives a bundle and writes what it measured."""

import argparse
from io import StringIO
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sparse_imagination_ros.cli.evaluate import _table, add_parser, run
from sparse_imagination_ros.errors import BundleError, ConfigError
from sparse_imagination_ros.evaluation.closed_loop import Score
from sparse_imagination_ros.evaluation.estimates import Percentiles


def evaluate(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run(parser.parse_args(['evaluate', *arguments]))


def test_the_numbers_are_written_for_each_count_of_tokens(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / 'new' / 'scores.json'
    assert evaluate('--bundle', str(untrained), '--episodes', '1', '--seed', '9000',
                    '--tokens', '4,2', '--subset', 'stratified', '--set', 'candidates=16',
                    '--time-limit', '2',
                    '--json', str(target)) == 0
    report = json.loads(target.read_text())
    assert [row['tokens'] for row in report['rows']] == [4, 2]
    for row in report['rows']:
        assert row['episodes'] == 1
        assert 0 <= row['low'] <= row['success'] <= row['high'] <= 1
        assert 0 < row['cycle_ms']['p50'] <= row['cycle_ms']['p95'] <= row['cycle_ms']['max']
        assert 0 <= row['deadline_misses'] <= row['cycles']
    assert (report['bundle'], report['robot'], report['seed']) == (
        'untrained', 'omnidirectional', 9000)
    assert report['settings']['loop']['time_limit_s'] == 2
    assert report['settings']['planner']['subset'] == 'stratified'
    assert report['settings']['planner']['candidates'] == 16
    assert 'torch' in report['versions']
    assert '95 % interval' in capsys.readouterr().out


def test_with_a_charge_every_cycle_takes_as_long_and_the_result_is_the_same_again(
    untrained: Path, tmp_path: Path,
) -> None:
    rows = []
    for name in ('first', 'again'):
        target = tmp_path / f'{name}.json'
        assert evaluate('--bundle', str(untrained), '--episodes', '2', '--tokens', '4',
                        '--time-limit', '2', '--charge', '130', '--json', str(target)) == 0
        report = json.loads(target.read_text())
        assert report['settings']['charge_ms'] == 130
        rows.append(report['rows'])
    assert rows[0] == rows[1]
    assert set(map(round, rows[0][0]['cycle_ms'].values())) == {130}


def test_who_gives_up_waiting_keeps_the_counts_that_are_done(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sparse_imagination_ros.evaluation import closed_loop
    whole = closed_loop.evaluate

    def given_up(bundle: Any, planning: Any, *others: Any) -> Any:
        if planning.tokens == 2:
            raise KeyboardInterrupt
        return whole(bundle, planning, *others)

    monkeypatch.setattr(closed_loop, 'evaluate', given_up)
    target = tmp_path / 'scores.json'
    with pytest.raises(KeyboardInterrupt):
        evaluate('--bundle', str(untrained), '--episodes', '1', '--tokens', '4,2',
                 '--time-limit', '1', '--json', str(target))
    assert [row['tokens'] for row in json.loads(target.read_text())['rows']] == [4]


def test_the_table_of_long_drives_fits_a_terminal_of_80_columns() -> None:
    slow = Percentiles(300.0, 1000.0, 2000.0, 12345.0)
    score = Score(196, 1.0, 0.981, 1.0, 200, 14.1, 290.0, slow, 13309, 13309)
    console = Console(width=80, record=True, file=StringIO())
    console.print(_table([score]))
    said = console.export_text()
    assert '98.1 to 100.0' in said and '12345' in said and '13309/13309' in said
    assert '…' not in said


def test_where_there_is_no_terminal_lines_tell_how_far_it_is(
    untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert evaluate('--bundle', str(untrained), '--episodes', '20', '--tokens', '1',
                    '--time-limit', '0.1', '--charge', '130') == 0
    said = capsys.readouterr().out
    assert '1 tokens: 10 of 20 driven, 0 at the goal' in said and '20 of 20 driven' in said


def test_a_count_that_the_bundle_does_not_have_is_refused_at_once(untrained: Path) -> None:
    with pytest.raises(ConfigError, match='17'):
        evaluate('--bundle', str(untrained), '--tokens', '4,17')


def test_a_subset_of_an_unknown_kind_is_refused(untrained: Path) -> None:
    with pytest.raises(ConfigError, match=r'subset.*allowed: random, .* differing'):
        evaluate('--bundle', str(untrained), '--subset', 'best')


@pytest.mark.parametrize(('word', 'answer'), [
    ('candidates', 'NAME=VALUE'), ('candidates=[', 'cannot be read'), ('speed=3', 'speed'),
    ('sigma=5', r'sigma.*5.*\[0.01')])
def test_a_setting_that_the_planner_does_not_have_is_refused(
    untrained: Path, word: str, answer: str,
) -> None:
    with pytest.raises(ConfigError, match=answer):
        evaluate('--bundle', str(untrained), '--set', word)


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match='nowhere'):
        evaluate('--bundle', str(tmp_path / 'nowhere'))


@pytest.mark.parametrize('arguments', [
    ('--tokens', '16;8'), ('--tokens', ''), ('--threads', '0'), ('--episodes', '0'),
    ('--seed', '-1'), ('--charge', 'nan')])
def test_senseless_arguments_are_refused(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        evaluate('--bundle', 'models/rooms', *arguments)
    assert arguments[0] in capsys.readouterr().err
