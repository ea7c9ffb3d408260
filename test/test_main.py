# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command line finds its sub-commands, is quick about it and fails in one line."""

from pathlib import Path
import subprocess
import sys

import pytest

from sparse_imagination_ros.cli.main import COMMANDS, main


@pytest.mark.parametrize('command', COMMANDS)
def test_every_sub_command_explains_itself(
    command: str, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, '--help'])
    assert end.value.code == 0
    assert f'sparse-imagination {command}' in capsys.readouterr().out


def imported_by(*words: str) -> set[str]:
    code = (
        'import sys\n'
        'from sparse_imagination_ros.cli.main import main\n'
        f'try: main({list(words)})\n'
        'except SystemExit: pass\n'
        'print(*sys.modules, file=sys.stderr)')
    process = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True)
    return set(process.stderr.split())


def test_the_list_of_commands_waits_for_nothing_heavy() -> None:
    assert not imported_by('--help') & {'torch', 'rclpy', 'cv2', 'numpy'}


@pytest.mark.parametrize('command', COMMANDS)
def test_help_needs_no_ros(command: str) -> None:
    assert 'rclpy' not in imported_by(command, '--help')


def test_an_error_of_the_user_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    missing = tmp_path / 'nothing'
    assert main(['evaluate', '--bundle', str(missing)]) == 2
    said = capsys.readouterr().err
    assert said.startswith('error: ') and len(said.splitlines()) == 1 and str(missing) in said


def test_no_sub_command_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert 'COMMAND' in capsys.readouterr().err
