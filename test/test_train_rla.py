# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of the RLA family: seeded, resumable, shared by processes, and it learns."""

from collections.abc import Sequence
from dataclasses import replace
import os
from pathlib import Path
import subprocess
import sys

import pytest
from rla_maker import SHAPE
import torch
from torch import Generator, nn

from sparse_imagination_ros.cli.main import FAILED, main
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.training import loop
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.joint import JointConfig
from sparse_imagination_ros.training.motion import motion_of, start_weights
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.training.rla import (
    draw_pairs,
    matching,
    Noise,
    reconstruction,
    RlaConfig,
)
from sparse_imagination_ros.training.sparse import Foresight
from sparse_imagination_ros.training.train import TrainConfig
from sparse_imagination_ros.training.train_rla import train_rla
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor

RECORD = RecordConfig(episodes=3, steps=10, step_s=0.2, image_size=32, seed=3)
TRAIN = TrainConfig(predictor_steps=4, decoder_steps=2, clips=4, width=32, depth=1, heads=2)
RLA = RlaConfig(autoencoder_steps=4, latents=2, latent_width=4, gap=6, chunk=3, tokens=8)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data') / 'recording'
    record(RECORD, folder, lambda done: None)
    return folder


@pytest.fixture(scope='module')
def dataset(data: Path) -> Dataset:
    return dataset_from_recording(data)


def train_on(datasets: Sequence[Dataset], encoder, work: Path, rla: RlaConfig = RLA,
             report=lambda progress: None) -> Bundle:
    return train_rla(
        TRAIN, rla, JointConfig(), Foresight(), datasets, encoder, work, report)


class StopError(Exception):
    """The power went out."""


@pytest.mark.parametrize('part', ['autoencoder', 'flow'])
def test_a_resumed_training_is_the_same_training(part, dataset, untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, 'CHECKPOINT_STEPS', 2)
    encoder = Bundle.load(untrained).encoder
    whole = train_on([dataset], encoder, tmp_path / 'whole')

    def stop(progress):
        if (progress.part, progress.step) == (part, 3):
            raise StopError

    with pytest.raises(StopError):
        train_on([dataset], encoder, tmp_path / 'halves', report=stop)
    halves = train_on([dataset], encoder, tmp_path / 'halves')
    for name, value in whole.predictor.state_dict().items():
        assert torch.equal(halves.predictor.state_dict()[name], value)
    for curve in ('autoencoder.csv', 'flow.csv'):
        assert (tmp_path / 'halves' / curve).read_text() == (
            tmp_path / 'whole' / curve).read_text()


def test_the_command_makes_a_bundle_of_the_family(data, untrained, tmp_path, capsys):
    assert main(command(data, untrained, tmp_path)) == 0
    bundle = Bundle.load(tmp_path / 'bundle')
    assert bundle.manifest.family == 'rla'
    assert bundle.manifest.predictor.chunk == 3 and bundle.decoder is not None
    assert (tmp_path / 'bundle.work' / 'samples.png').exists()
    assert main(['evaluate', '--bundle', str(tmp_path / 'bundle'), '--episodes', '1', '--tokens',
                 '4', '--charge', '100', '--time-limit', '0.5']) == 0
    assert 'Success' in capsys.readouterr().out


def test_two_processes_learn_the_same_as_one(data, untrained, tmp_path):
    options = ['--set', 'train.decoder_steps=0']
    assert main(command(data, untrained, tmp_path / 'one', options)) == 0
    subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2', '--master-port',
         str(20000 + (os.getpid() + 7) % 20000), '-m', 'sparse_imagination_ros.cli.main',
         *command(data, untrained, tmp_path / 'two', options)],
        check=True, timeout=120, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    one, two = (Bundle.load(tmp_path / name / 'bundle').predictor.state_dict()
                for name in ('one', 'two'))
    for name, value in one.items():
        assert (two[name] - value).abs().max() < 1e-3


def command(data: Path, encoder: Path, folder: Path, options: Sequence[str] = ()) -> list[str]:
    words = ['train.predictor_steps=4', 'train.decoder_steps=2', 'train.clips=4',
             'train.width=32', 'train.depth=1', 'train.heads=2', 'rla.autoencoder_steps=4',
             'rla.latents=2', 'rla.latent_width=4', 'rla.gap=6', 'rla.chunk=3', 'rla.tokens=8']
    return ['train', '--family', 'rla', '--data', str(data), '--encoder', str(encoder), '--out',
            str(folder / 'bundle'), *(word for one in words for word in ('--set', one)), *options]


def test_gaps_that_exclude_each_other_are_refused(dataset, untrained, tmp_path):
    with pytest.raises(ConfigError, match=r'`rla.shortest_gap` is 7, more than `rla.gap`, 6'):
        train_on([dataset], Bundle.load(untrained).encoder, tmp_path, replace(RLA, shortest_gap=7))


def test_a_predictor_of_the_family_is_not_trained_on(data, untrained, tmp_path, capsys):
    assert main(['train', '--family', 'rla', '--data', str(data), '--refine', str(untrained),
                 '--out', str(tmp_path / 'bundle')]) == FAILED
    assert '--refine trains sparse predictors on' in capsys.readouterr().err


def test_without_an_encoder_the_small_one_is_trained_first(tmp_path):
    record(replace(RECORD, image_size=96), tmp_path / 'data', lambda done: None)
    config = replace(TRAIN, encoder_steps=2, decoder_steps=0)
    bundle = train_rla(config, RLA, JointConfig(episodes=2, frames=8), Foresight(),
                       [dataset_from_recording(tmp_path / 'data')], None, tmp_path / 'work',
                       lambda progress: None)
    assert (tmp_path / 'work' / 'encoder.csv').exists()
    assert bundle.predictor.shape.token_width == bundle.encoder.shape.width


def test_several_datasets_count_the_same(dataset, untrained, tmp_path):
    bundle = train_on([dataset, dataset], Bundle.load(untrained).encoder, tmp_path)
    assert bundle.manifest.family == 'rla'


def test_pairs_lie_in_one_episode_and_no_farther_apart_than_asked(dataset):
    generator = Generator().manual_seed(0)
    alike = torch.ones(len(dataset.shown))
    pairs = draw_pairs(dataset, alike, 500, range(2, 7), generator)
    first, later = pairs.unbind(1)
    assert (dataset.ends(first) == dataset.ends(later)).all()
    assert set((later - first).tolist()) == {2, 3, 4, 5, 6}


def test_clips_rather_begin_where_much_moves(dataset):
    tokens = torch.zeros(len(dataset.shown), 4, 2)
    tokens[5:] = 1
    motion = motion_of(dataset, tokens)
    assert motion.nonzero().tolist() == [[4]]
    weights = start_weights(motion, 0.9)
    assert float(weights.sum()) == pytest.approx(1) and float(weights[4]) > 0.9
    drawn = dataset.draw(200, 2, Generator().manual_seed(0), weights)
    assert 0.8 < (drawn[:, 0] == 4).float().mean() < 1
    assert start_weights(torch.zeros(5), 0.9).tolist() == pytest.approx([0.2] * 5)


def test_an_untrained_autoencoder_has_an_error_of_one():
    torch.manual_seed(0)
    predictor = RlaPredictor(SHAPE)
    start, later = (predictor.observe(torch.randn(3, 16, 32), torch.zeros(0)) for _ in range(2))
    share = reconstruction(predictor, start, later)
    assert (share.wrong / share.change).item() == pytest.approx(1)


def test_what_happened_is_told_by_a_few_numbers():
    """A thing moves to one of four places: eight numbers tell which, and others do not."""
    torch.manual_seed(0)
    predictor = RlaPredictor(SHAPE)
    optimiser = torch.optim.AdamW(predictor.parameters(), 0.003)
    for _ in range(200):
        start, later = moving(predictor, 32)
        share = reconstruction(predictor, start, later)
        loss = share.wrong / share.change
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    start, later = moving(predictor, 256)
    with torch.no_grad():
        told = predictor.encode(start, later)
        errors = [float((predictor.decode(start, latents) - later).square().sum()
                        / (start - later).square().sum())
                  for latents in (told, told.roll(1, 0), torch.zeros_like(told))]
    assert errors[0] < 0.3 and min(errors[1:]) > 2 * errors[0]


def moving(predictor: RlaPredictor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    frames = torch.zeros(2, count, 16, 32)
    places = 5 * torch.randint(4, (2, count))
    for frame, place in zip(frames, places, strict=True):
        frame[torch.arange(count), place] = 1
    return tuple(predictor.observe(frame, torch.zeros(0)) for frame in frames)


@pytest.mark.parametrize('generative', [True, False])
def test_two_futures_are_learned_as_two_or_as_their_mean(generative):
    """What follows is +1 or -1, whatever is done: only a generative predictor says so."""
    torch.manual_seed(0)
    predictor = RlaPredictor(replace(SHAPE, generative=generative, flow_steps=8))
    predictor.encode = lambda start, later: later[:, 0, :1].expand(-1, SHAPE.latent_size)
    optimiser = torch.optim.AdamW(predictor.parameters(), 0.003)
    generator = Generator().manual_seed(0)
    for _ in range(400):
        later = torch.zeros(64, 1, 1, 48)
        later[:, 0, 0, 0] = 2.0 * torch.randint(2, (64,), generator=generator) - 1
        share = matching(predictor, torch.zeros(64, 1, 48), later, torch.zeros(64, 1, 2),
                         Noise.draw(predictor, 64, 1, 4, generator))
        loss = share.wrong / share.change
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    draws = 64 if generative else 1
    with torch.no_grad():
        start = predictor.start(torch.zeros(1, 1, 48), draws)
        outcomes = predictor.extend(start, torch.zeros(draws, 2), None)[0].latents.mean(1)
    if generative:
        assert (outcomes.abs() - 1).abs().median() < 0.3
        assert 0.25 < (outcomes > 0).float().mean() < 0.75
    else:
        assert outcomes.abs().max() < 0.3


def test_a_training_uses_only_what_it_trains(dataset, untrained, tmp_path):
    bundle = train_on([dataset], Bundle.load(untrained).encoder, tmp_path)
    assert not any(p.requires_grad for p in nn.ModuleList([bundle.predictor]).parameters())
    assert bundle.predictor.latent_std.min() > 0
