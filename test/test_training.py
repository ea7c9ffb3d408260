# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recording and training: seeded, resumable, and they learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from official_maker import SMALL
import pytest
import torch

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import ConfigError, DataError
from sparse_imagination_ros.machine import has_bfloat16
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.encoders import EncoderShape, SmallEncoder
from sparse_imagination_ros.training import loop
from sparse_imagination_ros.training.dataset import Dataset, tokens_of
from sparse_imagination_ros.training.episodes import dataset_from_recording, load_recording
from sparse_imagination_ros.training.joint import JointConfig
from sparse_imagination_ros.training.objectives import (
    POSE_ERRORS,
    PoseHead,
    SceneHead,
    TemporalContrast,
)
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.training.sparse import Foresight, foresight
from sparse_imagination_ros.training.train import train, TrainConfig
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.official import OfficialPredictor
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

RECORD = build(RecordConfig, {'episodes': 4, 'steps': 8, 'seed': 3}, 'test')
# Of the robot, step and pictures of the untrained bundle.
DRIVEN = RecordConfig(episodes=2, steps=10, step_s=0.2, image_size=32)
TRAIN = TrainConfig(
    encoder_steps=4, predictor_steps=4, decoder_steps=2, clips=2, width=32, depth=1)
JOINT = JointConfig(episodes=2, frames=8)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data') / 'recording'
    record(RECORD, folder, lambda done: None)
    return folder


@pytest.fixture(scope='module')
def dataset(data: Path) -> Dataset:
    return dataset_from_recording(data)


def train_on(dataset, work: Path, config: TrainConfig = TRAIN, report=lambda progress: None,
             encoder=None):
    return train(config, JOINT, Foresight(), [dataset], encoder, work, report)


def test_a_recording_holds_pictures_actions_and_poses(dataset):
    assert dataset.pictures.shape == (36, 96, 96, 3)
    assert dataset.shown.tolist() == list(range(36))
    assert dataset.starts.tolist() == [0, 9, 18, 27, 36]
    assert dataset.actions.shape == (36, 2)
    assert dataset.actions.abs().max() <= 1.0 + 1e-6
    assert not dataset.actions[8].any()
    assert dataset.sensed.shape == (36, 3)


def test_a_part_of_a_dataset_is_its_episodes_and_no_others(dataset):
    part = dataset.part(1, 3)
    assert part.starts.tolist() == [0, 9, 18]
    assert torch.equal(part.actions, dataset.actions[9:27])
    assert torch.equal(part.sensed, dataset.sensed[9:27])
    clips = part.draw(50, 9, torch.Generator().manual_seed(0))
    assert set(clips[:, 0].tolist()) == {0, 9}
    assert torch.equal(part.show(clips[:1]), dataset.show(clips[:1] + 9))


def test_the_same_seed_records_the_same(dataset, tmp_path):
    record(RECORD, tmp_path, lambda done: None)
    assert np.array_equal(dataset_from_recording(tmp_path).pictures, dataset.pictures)


def test_another_recording_is_not_mixed_in(data):
    with pytest.raises(DataError, match=r'holds another recording'):
        record(replace(RECORD, seed=4), data, lambda done: None)


def test_several_processes_record_the_same_as_one(tmp_path):
    config = build(RecordConfig, {'episodes': 101, 'steps': 4, 'step_s': 0.1}, 'test')
    done: list[int] = []
    record(replace(config, processes=1), tmp_path / 'one', done.append)
    assert done == [100, 101]
    record(replace(config, processes=2), tmp_path / 'two', lambda done: None)
    one, two = (dataset_from_recording(tmp_path / name) for name in ('one', 'two'))
    assert np.array_equal(one.pictures, two.pictures)
    assert torch.equal(one.actions, two.actions)


@pytest.fixture(scope='module')
def driven(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording in which the planner of the untrained bundle drives."""
    folder = tmp_path_factory.mktemp('data') / 'driven'
    record(DRIVEN, folder, lambda done: None, untrained)
    return folder


def test_a_planner_drives_within_its_limits_and_the_same_each_time(driven, untrained, tmp_path):
    assert load_recording(driven).driver == 'untrained'
    driving = dataset_from_recording(driven)
    assert driving.actions.abs().max() <= 1.0 + 1e-6
    assert driving.sensed[:11, :2].diff(dim=0).abs().max() > 0.05
    record(DRIVEN, tmp_path, lambda done: None, untrained)
    assert torch.equal(dataset_from_recording(tmp_path).actions, driving.actions)


def test_the_planner_and_the_explorer_do_not_share_a_recording(driven):
    with pytest.raises(DataError, match=r'holds another recording'):
        record(DRIVEN, driven, lambda done: None)


def test_a_bundle_of_another_robot_does_not_drive(untrained, tmp_path):
    with pytest.raises(DataError, match=r'drives the omnidirectional robot in steps of 0.2 s'):
        record(replace(DRIVEN, robot='differential'), tmp_path, lambda done: None, untrained)


def test_a_predictor_of_an_official_release_is_not_trained_on(driven, untrained, tmp_path):
    bundle = replace(Bundle.load(untrained), predictor=OfficialPredictor(SMALL))
    with pytest.raises(DataError, match=r'`untrained` is not a sparse one that'):
        train(TRAIN, JOINT, Foresight(), [dataset_from_recording(driven)], bundle, tmp_path,
              lambda progress: None)


def test_a_refined_bundle_keeps_its_encoder(driven, untrained, tmp_path):
    bundle, driving = Bundle.load(untrained), dataset_from_recording(driven)
    refined = train(TRAIN, JOINT, Foresight(), [driving, driving], bundle, tmp_path,
                    lambda progress: None)
    assert refined.manifest.predictor == bundle.manifest.predictor
    for name, value in refined.encoder.state_dict().items():
        assert torch.equal(value, bundle.encoder.state_dict()[name])
    assert not torch.equal(
        refined.predictor.token_out.weight, bundle.predictor.token_out.weight)


def test_a_bundle_is_not_refined_on_what_does_not_fit_it(dataset, untrained, tmp_path):
    with pytest.raises(DataError, match=r'does not fit bundle `untrained`: it holds .*0.6'):
        train_on(dataset, tmp_path, encoder=Bundle.load(untrained))


def test_datasets_that_differ_are_not_mixed(dataset, driven, tmp_path):
    with pytest.raises(DataError, match=r'driven/dataset does not go with .*must be the same'):
        train(TRAIN, JOINT, Foresight(), [dataset, dataset_from_recording(driven)], None, tmp_path,
              lambda progress: None)


def test_missing_episodes_are_noticed_and_can_be_completed(tmp_path):
    record(RECORD, tmp_path, lambda done: None)
    (tmp_path / 'episodes-000.npz').unlink()
    with pytest.raises(DataError, match=r'0 of 4 episodes'):
        dataset_from_recording(tmp_path)
    record(RECORD, tmp_path, lambda done: None)
    assert len(dataset_from_recording(tmp_path).starts) == 5


def test_a_damaged_shard_is_named(tmp_path):
    record(RECORD, tmp_path, lambda done: None)
    (tmp_path / 'episodes-000.npz').write_bytes(b'PK')
    with pytest.raises(DataError, match=r'episodes-000.npz is damaged'):
        dataset_from_recording(tmp_path)


def test_no_recording_is_named_with_the_way_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r'sparse-imagination record'):
        load_recording(tmp_path)


class StopError(Exception):
    """The power went out."""


@pytest.mark.parametrize('average', [0.0, 0.9])
def test_a_resumed_training_is_the_same_training(average, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, 'CHECKPOINT_STEPS', 2)
    config = replace(TRAIN, average=average)
    whole = train_on(dataset, tmp_path / 'whole', config)

    def stop(progress):
        if (progress.part, progress.step) == ('predictor', 3):
            raise StopError

    with pytest.raises(StopError):
        train_on(dataset, tmp_path / 'halves', config, report=stop)
    steps = []
    halves = train_on(dataset, tmp_path / 'halves', config, report=steps.append)
    assert [p.step for p in steps if p.part == 'predictor'] == [3, 4]
    for name, value in whole.predictor.state_dict().items():
        assert torch.equal(halves.predictor.state_dict()[name], value)
    for curve in ('encoder.csv', 'predictor.csv'):
        assert (tmp_path / 'halves' / curve).read_text() == (
            tmp_path / 'whole' / curve).read_text()


def test_averaged_weights_lie_between_those_of_the_steps(dataset, tmp_path):
    last = train_on(dataset, tmp_path / 'last').predictor.token_in.weight
    averaged = train_on(dataset, tmp_path / 'averaged', replace(TRAIN, average=0.5))
    torch.manual_seed(TRAIN.seed)
    assert not torch.equal(averaged.predictor.token_in.weight, last)
    assert (averaged.predictor.token_in.weight - last).abs().max() < 0.01


def test_checkpoints_of_another_training_are_refused(dataset, tmp_path):
    train_on(dataset, tmp_path)
    with pytest.raises(DataError, match=r'other settings'):
        train_on(dataset, tmp_path, replace(TRAIN, seed=1))


def test_episodes_too_short_for_a_clip_are_refused(dataset, tmp_path):
    with pytest.raises(DataError, match=r'longest episode has 9 steps.* 10 are needed'):
        train_on(dataset, tmp_path, replace(TRAIN, frames=10))


def test_values_that_are_not_finite_are_noticed(dataset, tmp_path):
    broken = replace(dataset, actions=torch.full_like(dataset.actions, torch.nan))
    with pytest.raises(DataError, match=r'loss of the encoder is nan at step 1'):
        train_on(broken, tmp_path)


def test_a_trained_encoder_is_taken_as_it_is(dataset, tmp_path):
    torch.manual_seed(5)
    encoder = SmallEncoder(EncoderShape(width=32)).eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    bundle = train_on(dataset, tmp_path, encoder=encoder)
    for name, value in bundle.encoder.state_dict().items():
        assert torch.equal(value, before[name])
    assert not (tmp_path / 'encoder.csv').exists()


def test_without_poses_the_small_encoder_is_not_trained(dataset, tmp_path):
    blind = replace(dataset, facts=replace(dataset.facts, senses=()))
    with pytest.raises(DataError, match=r'senses x, y, heading.* none; .*a trained encoder'):
        train_on(blind, tmp_path)


def test_tokens_are_made_once_for_each_encoder(dataset):
    torch.manual_seed(5)
    encoder = SmallEncoder(EncoderShape(width=32)).eval()
    made: list[int] = []
    tokens = tokens_of(dataset, encoder, lambda done, total: made.append(done))
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(np.array(dataset.pictures[:4])))
    torch.testing.assert_close(tokens[:4].float(), expected, atol=2e-3, rtol=2e-3)
    stamps = [path.stat().st_mtime_ns for path in dataset.folder.glob('tokens-*.npy')]
    tokens_of(dataset, encoder, lambda done, total: None)
    assert stamps == [path.stat().st_mtime_ns for path in dataset.folder.glob('tokens-*.npy')]
    with torch.no_grad():
        encoder.head.bias += 0.1
    assert not torch.equal(tokens_of(dataset, encoder, lambda done, total: None), tokens)


def test_an_interrupted_encoding_goes_on(dataset, monkeypatch):
    from sparse_imagination_ros.training import dataset as module
    monkeypatch.setattr(module, 'ENCODED_TOGETHER', 8)
    torch.manual_seed(6)
    encoder = SmallEncoder(EncoderShape(width=32)).eval()

    def stop(done, total):
        if done == 16:
            raise StopError

    with pytest.raises(StopError):
        tokens_of(dataset, encoder, stop)
    made: list[int] = []
    tokens = tokens_of(dataset, encoder, lambda done, total: made.append(done))
    assert made[0] == 24
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(np.array(dataset.pictures)))
    torch.testing.assert_close(tokens.float(), expected, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize('rollout', [True, False])
@pytest.mark.parametrize('grouped', [True, False])
def test_a_predictor_of_no_change_has_an_error_of_one(rollout, grouped):
    generator = torch.Generator().manual_seed(0)
    predictor = SparsePredictor(PredictorShape(16, 2))
    tokens, actions = torch.randn(3, 8, 20, 16), torch.randn(3, 8, 2)
    for count in (0, 1, 16):
        config = Foresight(rollout, count, grouped)
        share = foresight(predictor, tokens, actions, config, generator)
        assert (share.wrong / share.change).item() == pytest.approx(1)


def test_a_predictor_with_a_reader_is_trained_for_what_its_tokens_tell():
    torch.manual_seed(0)
    predictor = SparsePredictor(PredictorShape(16, 2, told=(1.0, 0.5)))
    # An untrained predictor repeats the frame, so it foresees that nothing moves.
    tokens, actions = torch.randn(3, 1, 20, 16).expand(-1, 8, -1, -1), torch.randn(3, 8, 2)
    config = Foresight(told=2.0, grouped=False, predicted_tokens=0, rollout=False)

    def wrong(mistake: float) -> float:
        known = predictor.reader(tokens) + mistake
        return foresight(
            predictor, tokens, actions, config, torch.Generator(), known).wrong.item()

    assert wrong(0.0) == pytest.approx(0, abs=1e-3)
    # 3 clips of 8 frames and 7 imagined ones, each as if all its 20 x 16 numbers were so wrong.
    assert wrong(0.1) == pytest.approx(2.0 * 3 * 15 * 0.05 * 20 * 16, rel=1e-3)
    assert wrong(0.3) == pytest.approx(2.0 * 3 * 15 * 0.25 * 20 * 16, rel=1e-3)


def test_places_behind_walls_are_not_told(dataset, tmp_path):
    with pytest.raises(DataError, match=r'`foresight.told` is 1, but for robot `omnidirec.*walls'):
        train(TRAIN, JOINT, Foresight(told=1.0), [dataset], None, tmp_path,
              lambda progress: None)


def test_the_encoder_learns_where_the_robot_is(dataset):
    torch.manual_seed(0)
    encoder, head = SmallEncoder(EncoderShape(width=32)), PoseHead(32, Rooms.state)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], 0.003)
    pictures = torch.from_numpy(np.array(dataset.pictures[:18]))
    poses = dataset.sensed[:18].reshape(2, 9, 3)
    losses = []
    for _ in range(60):
        loss = head.loss(encoder(pictures).unflatten(0, (2, 9)), poses)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize('error', POSE_ERRORS)
def test_a_pose_may_be_known_to_one_token_of_those_that_are_asked(error):
    torch.manual_seed(0)
    head = PoseHead(8, Rooms.state, error)
    optimiser = torch.optim.AdamW(head.parameters(), 0.02)
    losses = []
    for _ in range(300):
        poses = torch.rand(64, 3) * 3
        wanted = torch.cat([poses, poses[:, 2:].cos(), poses[:, 2:].sin()], -1)
        tokens = torch.zeros(64, 5, 8)
        knows = torch.randint(5, (64,))
        tokens[torch.arange(64), knows, :5] = wanted
        tokens[torch.arange(64), knows, 5] = 1
        loss = head.loss(tokens, poses)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20


def test_a_token_need_not_paint_what_it_does_not_see():
    torch.manual_seed(0)
    head, drawn = SceneHead(EncoderShape(width=16, reach=2.0)), torch.tensor([0, 9])
    tokens, pictures = torch.randn(3, 2, 16), torch.randn(3, 3, 96, 96)
    beyond, within = pictures.clone(), pictures.clone()
    beyond[..., 60:, 60:] = 5
    within[..., :20, :20] = 5
    loss = head.loss(tokens, drawn, pictures)
    assert torch.equal(head.loss(tokens, drawn, beyond), loss)
    assert not torch.equal(head.loss(tokens, drawn, within), loss)


@pytest.mark.skipif(not Path('/proc/cpuinfo').exists(), reason='the processor is not described')
def test_bfloat16_is_used_where_the_processor_has_it():
    described = Path('/proc/cpuinfo').read_text().split()
    assert has_bfloat16() == any(
        flag in described for flag in ('avx512_bf16', 'amx_bf16', 'bf16', 'svebf16'))


def test_contrast_prefers_tokens_that_move_with_time():
    contrast = TemporalContrast()
    angle = torch.linspace(0, 3, 12)[:, None] * torch.ones(1, 8)
    moving = 2**0.5 * torch.cat([angle.cos(), angle.sin()], 1)[None, :, None]
    shuffled = moving[:, torch.randperm(12, generator=torch.Generator().manual_seed(0))]
    assert contrast(moving) < contrast(shuffled)


def test_a_setting_out_of_range_is_refused_with_its_range():
    with pytest.raises(ConfigError, match=r'.steps. is 1; allowed range is \[4, 1000\]'):
        build(RecordConfig, {'steps': 1}, 'test')
