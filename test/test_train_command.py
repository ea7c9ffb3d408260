# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination train` from bags, by one process or several, killed and taken up again."""

from collections.abc import Sequence
from dataclasses import fields
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from bag_maker import drive, write_bag
import pytest
import yaml

from sparse_imagination_ros.cli.main import FAILED, main
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Lookahead

SMALL = [word for setting in (
    'train.predictor_steps=6', 'train.decoder_steps=3',
    'train.clips=4', 'train.width=32', 'train.depth=1', 'train.frames=4',
    'bags.step_s=0.5') for word in ('--set', setting)]


def command(folder: Path, encoder: Path, options: Sequence[str] = ()) -> list[str]:
    return ['train', '--bags', str(folder / 'bags'), '--encoder', str(encoder),
            '--out', str(folder / 'bundle'), *SMALL, *options]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bag(tmp_path / 'bags' / 'monday', drive())
    return tmp_path


def curve(folder: Path) -> list[list[float]]:
    rows = (folder / 'bundle.work' / 'predictor.csv').read_text().splitlines()[1:]
    return [[float(value) for value in row.split(',')] for row in rows]


def test_bags_become_a_bundle_that_plans(folder, untrained, capsys):
    assert main(command(folder, untrained)) == 0
    manifest = Bundle.load(folder / 'bundle').manifest
    assert manifest.picture_size == (64, 48)
    assert manifest.actions.names == ('linear.x', 'angular.z')
    assert manifest.step_s == 0.5
    out = capsys.readouterr().out
    assert 'monday' in out
    assert 'bundle saved to' in out
    assert [step for step, _, _ in curve(folder)] == [1, 2, 3, 4, 5, 6]


def test_two_processes_learn_the_same_as_one(folder, untrained):
    assert main(command(folder, untrained)) == 0
    alone, one = curve(folder), Bundle.load(folder / 'bundle').predictor.state_dict()
    (folder / 'bundle.work' / 'predictor.pt').unlink()
    subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2', '--master-port',
         str(20000 + os.getpid() % 20000), '-m', 'sparse_imagination_ros.cli.main',
         *command(folder, untrained)],
        check=True, timeout=120, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    together, two = curve(folder), Bundle.load(folder / 'bundle').predictor.state_dict()
    for (_, a, _), (_, b, _) in zip(alone, together, strict=True):
        assert b == pytest.approx(a, rel=1e-4)
    for name, value in one.items():
        assert (two[name] - value).abs().max() < 1e-3


def test_a_training_that_was_killed_continues_its_curve_exactly(folder, untrained):
    # All in processes of their own, with one thread: sums depend on the number of threads.
    alone = {**os.environ, 'OMP_NUM_THREADS': '1'}
    run = [sys.executable, '-m', 'sparse_imagination_ros.cli.main',
           *command(folder, untrained, ['--set', 'train.predictor_steps=400'])]
    subprocess.run(run, check=True, timeout=120, env=alone)
    whole, weights = curve(folder), Bundle.load(folder / 'bundle').predictor.state_dict()
    for file in ('predictor.pt', 'predictor.csv'):
        (folder / 'bundle.work' / file).unlink()
    killed = subprocess.Popen(run, env=alone)
    path = folder / 'bundle.work' / 'predictor.csv'
    deadline = time.monotonic() + 60
    # Somewhere after the first checkpoint.
    while not (path.exists() and len(path.read_text().splitlines()) > 130):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(path.read_text().splitlines()) < 400
    subprocess.run(run, check=True, timeout=120, env=alone)
    assert curve(folder) == whole
    for name, value in Bundle.load(folder / 'bundle').predictor.state_dict().items():
        assert (value == weights[name]).all()


@pytest.mark.parametrize(('options', 'message'), [
    (['--set', 'train.stepz=3'], 'unknown setting `train.stepz`'),
    (['--set', 'train.clips=0'], r'`train.clips` is 0; allowed range is [1, 4096]'),
    (['--set', 'trian.clips=1'], 'no part `trian`'),
    (['--set', 'clips'], 'PART.NAME=VALUE'),
    (['--set', 'train.clips=['], '--set train.clips=[ cannot be read'),
    (['--config', '/nowhere.yaml'], '/nowhere.yaml cannot be read'),
    (['--weights', 'w.pth'], '--weights are those of a DINO encoder'),
])
def test_what_is_wrong_with_the_settings_is_said(options, message, folder, untrained, capsys):
    assert main(command(folder, untrained, options)) == FAILED
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('spoil', [lambda b: b[:len(b) // 2], lambda b: b'', lambda b: b'x' + b])
def test_a_damaged_checkpoint_is_named(spoil, folder, untrained, capsys):
    assert main(command(folder, untrained)) == 0
    checkpoint = folder / 'bundle.work' / 'predictor.pt'
    checkpoint.write_bytes(spoil(checkpoint.read_bytes()))
    assert main(command(folder, untrained)) == FAILED
    assert 'predictor.pt is damaged' in ' '.join(capsys.readouterr().err.split())


def test_a_file_of_settings_is_read_and_single_words_win(folder, untrained):
    path = folder / 'train.yaml'
    path.write_text('train: {predictor_steps: 3}\nbags: {robot: rover}\nlookahead: {steps: 5}\n')
    assert main(command(folder, untrained, ['--config', str(path)])) == 0
    manifest = Bundle.load(folder / 'bundle').manifest
    assert (manifest.robot, manifest.lookahead) == ('rover', Lookahead(steps=5))
    assert len(curve(folder)) == 6


def test_an_unknown_encoder_is_named(folder, capsys):
    assert main(command(folder, folder / 'nowhere')) == FAILED
    assert 'is neither the folder of a bundle nor one of small, dino_vits16' in (
        capsys.readouterr().err)


def test_the_settings_for_bags_of_the_demo_are_those_of_its_robot():
    from sparse_imagination_ros.share import share_path
    from sparse_imagination_ros.sim.robots import robot
    from sparse_imagination_ros.training.settings import read_settings
    bags = read_settings(share_path('config') / 'train_from_demo.yaml', []).bags
    base = robot(bags.robot)
    assert bags.command_fields == base.action_names
    assert bags.command_high == base.limit == tuple(-low for low in bags.command_low)
    assert bags.acceleration == base.acceleration
    assert bags.command_hold_s == base.command_timeout_s


def test_the_file_that_ships_holds_every_setting_at_its_default():
    from sparse_imagination_ros.share import share_path
    from sparse_imagination_ros.training.settings import PARTS, read_settings
    path = share_path('config') / 'train.yaml'
    assert read_settings(path, []) == read_settings(None, [])
    held = yaml.safe_load(path.read_text())
    assert {part: list(values) for part, values in held.items()} == {
        part: [field.name for field in fields(kind)] for part, kind in PARTS.items()}
