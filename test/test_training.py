# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recording and training: seeded, resumable, and they learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.tokens.encoders import EncoderShape, SmallEncoder
from sparse_imagination_ros.training.episodes import load_episodes, load_recording
from sparse_imagination_ros.training.objectives import PoseHead, TemporalContrast
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.training.train import (
    Recorded,
    refine,
    rollout_loss,
    train,
    TrainConfig,
)
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

RECORD = build(RecordConfig, {'episodes': 4, 'steps': 8, 'seed': 3}, 'test')
# Of the robot, step and pictures of the untrained bundle.
DRIVEN = RecordConfig(episodes=2, steps=10, step_s=0.2, image_size=32)
TRAIN = TrainConfig(
    encoder_steps=4, predictor_steps=4, encoder_episodes=2, encoder_frames=8, predictor_clips=2)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data') / 'recording'
    record(RECORD, folder, lambda done: None)
    return folder


def train_on(data: Path, work: Path, config: TrainConfig = TRAIN, report=lambda progress: None):
    return train(config, loaded(data), work, report)


def loaded(data: Path) -> Recorded:
    return Recorded(load_recording(data), load_episodes(data))


def test_a_recording_holds_frames_actions_and_poses(data):
    episodes = load_episodes(data)
    assert episodes.frames.shape == (4, 9, 96, 96, 3)
    assert episodes.actions.shape == (4, 8, 2)
    assert episodes.poses.shape == (4, 9, 3)
    assert np.abs(episodes.actions).max() <= 1.0 + 1e-6


def test_the_same_seed_records_the_same(data, tmp_path):
    record(RECORD, tmp_path, lambda done: None)
    assert np.array_equal(load_episodes(tmp_path).frames, load_episodes(data).frames)


def test_another_recording_is_not_mixed_in(data):
    with pytest.raises(DataError, match=r'holds another recording'):
        record(replace(RECORD, seed=4), data, lambda done: None)


def test_several_processes_record_the_same_as_one(tmp_path):
    config = build(RecordConfig, {'episodes': 101, 'steps': 4, 'step_s': 0.1}, 'test')
    done: list[int] = []
    record(replace(config, processes=1), tmp_path / 'one', done.append)
    assert done == [100, 101]
    record(replace(config, processes=2), tmp_path / 'two', lambda done: None)
    one, two = (load_episodes(tmp_path / name) for name in ('one', 'two'))
    assert np.array_equal(one.frames, two.frames)
    assert np.array_equal(one.actions, two.actions)


@pytest.fixture(scope='module')
def driven(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording in which the planner of the untrained bundle drives."""
    folder = tmp_path_factory.mktemp('data') / 'driven'
    record(DRIVEN, folder, lambda done: None, untrained)
    return folder


def test_a_planner_drives_within_its_limits_and_the_same_each_time(driven, untrained, tmp_path):
    assert load_recording(driven).driver == 'untrained'
    episodes = load_episodes(driven)
    assert np.abs(episodes.actions).max() <= 1.0 + 1e-6
    assert np.abs(np.diff(episodes.poses[..., :2], axis=1)).max() > 0.05
    record(DRIVEN, tmp_path, lambda done: None, untrained)
    assert np.array_equal(load_episodes(tmp_path).actions, episodes.actions)


def test_the_planner_and_the_explorer_do_not_share_a_recording(driven):
    with pytest.raises(DataError, match=r'holds another recording'):
        record(DRIVEN, driven, lambda done: None)


def test_a_bundle_of_another_robot_does_not_drive(untrained, tmp_path):
    with pytest.raises(DataError, match=r'drives the omnidirectional robot in steps of 0.2 s'):
        record(replace(DRIVEN, robot='differential'), tmp_path, lambda done: None, untrained)


def test_a_refined_bundle_keeps_its_encoder(driven, untrained, tmp_path):
    bundle = Bundle.load(untrained)
    refined = refine(
        TRAIN, bundle, [loaded(driven), loaded(driven)], tmp_path, lambda progress: None)
    assert refined.manifest == bundle.manifest
    for name, value in refined.encoder.state_dict().items():
        assert torch.equal(value, bundle.encoder.state_dict()[name])
    assert not torch.equal(
        refined.predictor.token_out.weight, bundle.predictor.token_out.weight)


def test_a_bundle_is_not_refined_on_what_does_not_fit_it(data, untrained, tmp_path):
    with pytest.raises(DataError, match=r'does not fit bundle `untrained`: it holds .*0.6'):
        refine(TRAIN, Bundle.load(untrained), [loaded(data)], tmp_path, lambda progress: None)


def test_missing_episodes_are_noticed_and_can_be_completed(tmp_path):
    record(RECORD, tmp_path, lambda done: None)
    (tmp_path / 'episodes-000.npz').unlink()
    with pytest.raises(DataError, match=r'0 of 4 episodes'):
        load_episodes(tmp_path)
    record(RECORD, tmp_path, lambda done: None)
    assert len(load_episodes(tmp_path).frames) == 4


def test_a_damaged_shard_is_named(tmp_path):
    record(RECORD, tmp_path, lambda done: None)
    (tmp_path / 'episodes-000.npz').write_bytes(b'PK')
    with pytest.raises(DataError, match=r'episodes-000.npz is damaged'):
        load_episodes(tmp_path)


def test_no_recording_is_named_with_the_way_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r'sparse-imagination record'):
        load_recording(tmp_path)


def test_a_resumed_training_is_the_same_training(data, tmp_path, monkeypatch):
    from sparse_imagination_ros.training import train as module
    monkeypatch.setattr(module, 'CHECKPOINT_STEPS', 2)
    whole = train_on(data, tmp_path / 'whole')

    class StopError(Exception):
        """The power went out."""

    def stop(progress):
        if (progress.part, progress.step) == ('predictor', 3):
            raise StopError

    with pytest.raises(StopError):
        train_on(data, tmp_path / 'halves', report=stop)
    steps = []
    halves = train_on(data, tmp_path / 'halves', report=steps.append)
    assert [p.step for p in steps if p.part == 'predictor'] == [3, 4]
    for name, value in whole.predictor.state_dict().items():
        assert torch.equal(halves.predictor.state_dict()[name], value)


def test_checkpoints_of_another_training_are_refused(data, tmp_path):
    train_on(data, tmp_path)
    with pytest.raises(DataError, match=r'other settings'):
        train_on(data, tmp_path, replace(TRAIN, seed=1))


def test_episodes_too_short_for_a_batch_are_refused(data, tmp_path):
    with pytest.raises(DataError, match=r'9 frames are too short: 16 are needed'):
        train_on(data, tmp_path, TrainConfig())


def test_values_that_are_not_finite_are_noticed(data, tmp_path):
    episodes = load_episodes(data)
    episodes.actions[:] = np.nan
    with pytest.raises(DataError, match=r'loss of the encoder is nan at step 1'):
        train(TRAIN, Recorded(load_recording(data), episodes), tmp_path, lambda progress: None)


def test_a_predictor_of_no_change_has_a_rollout_loss_of_one():
    generator = torch.Generator().manual_seed(0)
    predictor = SparsePredictor(PredictorShape(16, 2))
    tokens, actions = torch.randn(3, 8, 20, 16), torch.randn(3, 8, 2)
    for _ in range(5):
        assert rollout_loss(predictor, tokens, actions, generator).item() == pytest.approx(1)


def test_the_encoder_learns_where_the_robot_is(data):
    torch.manual_seed(0)
    episodes = load_episodes(data)
    from sparse_imagination_ros.tokens.frames import normalise
    encoder, head = SmallEncoder(EncoderShape(width=32)), PoseHead(32, 3.0)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], 0.003)
    pictures = normalise(torch.from_numpy(episodes.frames[:2].reshape(-1, 96, 96, 3)))
    poses = torch.from_numpy(episodes.poses[:2])
    losses = []
    for _ in range(60):
        loss = head.loss(encoder(pictures).unflatten(0, (2, 9)), poses)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


def test_contrast_prefers_tokens_that_move_with_time():
    contrast = TemporalContrast()
    angle = torch.linspace(0, 3, 12)[:, None] * torch.ones(1, 8)
    moving = 2**0.5 * torch.cat([angle.cos(), angle.sin()], 1)[None, :, None]
    shuffled = moving[:, torch.randperm(12, generator=torch.Generator().manual_seed(0))]
    assert contrast(moving) < contrast(shuffled)


def test_a_setting_out_of_range_is_refused_with_its_range():
    from sparse_imagination_ros.errors import ConfigError
    with pytest.raises(ConfigError, match=r'.steps. is 1; allowed range is \[4, 1000\]'):
        build(RecordConfig, {'steps': 1}, 'test')
