# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination launch` takes what the launch files take, and says what it does not."""

from pathlib import Path

import pytest

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.graph import GRAPHS

ROOT = Path(__file__).parents[1]


def test_there_is_one_for_each_launch_file() -> None:
    assert {f'{name}.launch.py' for name in GRAPHS} == {
        file.name for file in (ROOT / 'launch').glob('*.launch.py')}


@pytest.mark.parametrize('name', GRAPHS)
def test_what_may_be_chosen_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['launch', name, '--show-args']) == 0
    said = capsys.readouterr().out
    for argument in GRAPHS[name].arguments:
        assert f'{argument.name}:=' in said and argument.meaning in said


@pytest.mark.parametrize(('words', 'reason'), [
    (['replay', 'bagg:=x'], '`bagg:=x` is no choice that there is; allowed: bag:=, bundle:='),
    (['replay', 'bag=x'], '`bag=x` is no choice'),
    (['demo', 'robot:=boat'], 'allowed are omnidirectional, differential'),
    (['demo', 'seed:=-1'], 'allowed are whole numbers from 0'),
    (['rviz'], 'rviz2 is not of this package')])
def test_what_cannot_be_started_is_named(
    words: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['launch', *words, '--logs', str(tmp_path / 'logs')]) == 2
    assert reason in capsys.readouterr().err
