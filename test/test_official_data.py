# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The official DINO-WM datasets are read, in each of their formats, and never run."""

import os
from pathlib import Path
import pickle

import cv2
import numpy as np
import pytest
import torch

from sparse_imagination_ros.cli.main import FAILED, main
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.sim.pusht import PushT
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.official_data import dataset_from_official, OfficialConfig
from sparse_imagination_ros.world_models.bundle import Bundle

LENGTHS = (23, 11)
STEPS = max(LENGTHS)
SIDE = 64


def red_of(trajectory: int, step: int) -> int:
    """Return how red a picture is; so it can be told from all others."""
    return 20 + 100 * trajectory + 4 * step


def pictures(trajectory: int, length: int) -> np.ndarray:
    made = np.zeros((length, SIDE, SIDE, 3), np.uint8)
    made[..., 0] = np.array([red_of(trajectory, step) for step in range(length)])[:, None, None]
    return made


def numbers(width: int) -> torch.Tensor:
    values = torch.randn(len(LENGTHS), STEPS, width, generator=torch.Generator().manual_seed(0))
    # What lies behind a trajectory's end is padding, of any value.
    values[1, LENGTHS[1]:] = torch.nan
    return values


def write_pusht(folder: Path) -> Path:
    inner = folder / 'train'
    (inner / 'obses').mkdir(parents=True)
    torch.save(numbers(5).double(), inner / 'states.pth')
    torch.save(20 * numbers(2), inner / 'rel_actions.pth')
    torch.save(numbers(2), inner / 'velocities.pth')
    (inner / 'seq_lengths.pkl').write_bytes(pickle.dumps(list(LENGTHS)))
    for number, length in enumerate(LENGTHS):
        path = inner / 'obses' / f'episode_{number:03d}.mp4'
        film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 10, (SIDE, SIDE))
        for picture in pictures(number, length):
            film.write(picture[..., ::-1])
        film.release()
    return folder


def write_point_maze(folder: Path) -> Path:
    (folder / 'obses').mkdir(parents=True)
    torch.save(numbers(4), folder / 'states.pth')
    torch.save(numbers(2) / 3, folder / 'actions.pth')
    torch.save(torch.tensor(LENGTHS), folder / 'seq_lengths.pth')
    for number, length in enumerate(LENGTHS):
        torch.save(torch.from_numpy(pictures(number, length)),
                   folder / 'obses' / f'episode_{number:03d}.pth')
    return folder


def write_wall(folder: Path) -> Path:
    (folder / 'obses').mkdir(parents=True)
    for name, width in (('states', 2), ('actions', 2), ('door_locations', 1)):
        torch.save(torch.nan_to_num(numbers(width)), folder / f'{name}.pth')
    for number in range(len(LENGTHS)):
        torch.save(torch.from_numpy(pictures(number, STEPS)).movedim(3, 1).float(),
                   folder / 'obses' / f'episode_{number:03d}.pth')
    return folder


WRITERS = {'pusht': write_pusht, 'point_maze': write_point_maze, 'wall': write_wall}


def read(
    folder: Path, into: Path, config: OfficialConfig = OfficialConfig(), report=None,
) -> Dataset:
    return dataset_from_official(folder, config, 32, into, report or (lambda done, total: None))


@pytest.mark.parametrize('robot', WRITERS)
def test_every_picture_is_stored_once_and_every_step_is_used(robot: str, tmp_path: Path) -> None:
    dataset = read(WRITERS[robot](tmp_path / 'official'), tmp_path / 'data')
    lengths = (STEPS, STEPS) if robot == 'wall' else LENGTHS
    assert dataset.facts.robot == robot
    assert dataset.facts.picture_size == (SIDE, SIDE)
    assert dataset.pictures.shape == (sum(lengths), 32, 32, 3)
    assert isinstance(dataset.pictures, np.memmap)
    red = dataset.pictures[:, 16, 16, 0].astype(int)
    expected = [red_of(t, step) for t, length in enumerate(lengths) for step in range(length)]
    # Films are compressed.
    assert np.abs(red - expected).max() <= 6
    # Every start of an episode, one for each raw step of a model step.
    assert sorted(dataset.shown[dataset.starts[:-1]].tolist()) == [
        *range(5), *range(lengths[0], lengths[0] + 5)]
    within = torch.cat([dataset.shown[a:b].diff() for a, b in zip(
        dataset.starts[:-1].tolist(), dataset.starts[1:].tolist(), strict=True)])
    assert (within == 5).all()


def test_the_action_of_a_model_step_is_the_mean_of_its_raw_actions(tmp_path: Path) -> None:
    folder = write_pusht(tmp_path / 'official')
    raw = (torch.load(folder / 'train' / 'rel_actions.pth') / 60).clamp(-1, 1)
    dataset = read(folder, tmp_path / 'data')
    torch.testing.assert_close(dataset.actions[0], raw[0, :5].mean(0))
    third = int(dataset.starts[2])
    assert dataset.shown[third] == 2
    torch.testing.assert_close(dataset.actions[third + 1], raw[0, 7:12].mean(0))
    assert dataset.actions.abs().max() <= 1


def test_push_t_is_read_as_the_simulated_world_knows_it(tmp_path: Path) -> None:
    folder = write_pusht(tmp_path / 'official')
    facts = read(folder, tmp_path / 'data').facts
    assert facts.step_s == PushT.step_s
    assert facts.action_names == PushT.robot.action_names
    assert facts.action_high == PushT.robot.limit
    assert facts.senses[:5] == PushT.state.names


def test_frameskip_and_number_of_trajectories_are_settings(tmp_path: Path) -> None:
    dataset = read(write_point_maze(tmp_path / 'official'), tmp_path / 'data',
                   OfficialConfig(frameskip=2, trajectories=1))
    assert len(dataset.pictures) == LENGTHS[0]
    assert dataset.facts.step_s == pytest.approx(0.1)
    assert len(dataset.starts) == 3


def test_a_folder_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    folder, seen = write_point_maze(tmp_path / 'official'), []

    def read_again() -> int:
        seen.clear()
        read(folder, tmp_path / 'data', report=lambda done, total: seen.append(done))
        return len(seen)

    assert read_again() == 2
    assert read_again() == 0
    os.utime(folder / 'obses' / 'episode_000.pth', (1, 1))
    assert read_again() == 2


def test_lengths_may_be_numbers_of_numpy(tmp_path: Path) -> None:
    for number, lengths in enumerate(([np.int64(n) for n in LENGTHS], np.array(LENGTHS))):
        folder = write_pusht(tmp_path / f'official{number}')
        (folder / 'train' / 'seq_lengths.pkl').write_bytes(pickle.dumps(lengths, 4))
        assert len(read(folder, tmp_path / f'data{number}').pictures) == sum(LENGTHS)


class Command:
    """Would leave a file behind if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize('file', ['seq_lengths.pkl', 'rel_actions.pth'])
def test_a_malicious_file_is_refused_and_not_run(file: str, tmp_path: Path) -> None:
    folder = write_pusht(tmp_path / 'official')
    path = folder / 'train' / file
    if file.endswith('.pkl'):
        path.write_bytes(pickle.dumps(Command(tmp_path / 'trace')))
    else:
        torch.save(Command(tmp_path / 'trace'), path)
    with pytest.raises(DataError, match=rf'{file} .*othing of it was run'):
        read(folder, tmp_path / 'data')
    assert not (tmp_path / 'trace').exists()
    assert not (tmp_path / 'data' / 'dataset.json').exists()


@pytest.mark.parametrize(('robot', 'file'), [
    ('pusht', 'train/seq_lengths.pkl'), ('pusht', 'train/velocities.pth'),
    ('pusht', 'train/obses/episode_001.mp4'), ('point_maze', 'states.pth'),
    ('point_maze', 'seq_lengths.pth'), ('wall', 'obses/episode_000.pth')])
def test_a_truncated_file_is_named(robot: str, file: str, tmp_path: Path) -> None:
    path = WRITERS[robot](tmp_path / 'official') / file
    path.write_bytes(path.read_bytes()[:-len(path.read_bytes()) // 2])
    with pytest.raises(DataError, match=path.name):
        read(tmp_path / 'official', tmp_path / 'data')


@pytest.mark.parametrize(('robot', 'file'), [
    ('pusht', 'train/obses/episode_001.mp4'), ('pusht', 'train/velocities.pth'),
    ('point_maze', 'states.pth')])
def test_a_missing_file_is_named(robot: str, file: str, tmp_path: Path) -> None:
    (WRITERS[robot](tmp_path / 'official') / file).unlink()
    with pytest.raises(DataError, match=rf'{Path(file).name} is not there'):
        read(tmp_path / 'official', tmp_path / 'data')


def test_files_that_were_swapped_are_noticed(tmp_path: Path) -> None:
    folder = write_point_maze(tmp_path / 'official')
    for name, values, message in (
            ('states.pth', numbers(4)[:1], 'not of one dataset'),
            ('states.pth', numbers(3), '3 numbers of state'),
            ('states.pth', numbers(4)[:, :, 0], 'states.pth does not hold numbers'),
            ('states.pth', numbers(4) / 0, 'states.pth holds values that are not finite'),
            ('seq_lengths.pth', torch.tensor([23, 24]), 'lengths lie outside of 1 to 23'),
            ('obses/episode_001.pth', torch.zeros(5, SIDE, SIDE, 3), 'holds 5 pictures'),
            ('obses/episode_001.pth', torch.zeros(11, 8, 8, 3), 'a picture is 8 x 8'),
            ('obses/episode_001.pth', torch.zeros(23, 4), 'does not hold colour pictures')):
        kept = (folder / name).read_bytes()
        torch.save(values, folder / name)
        with pytest.raises(DataError, match=message):
            read(folder, tmp_path / 'data')
        (folder / name).write_bytes(kept)
    assert len(read(folder, tmp_path / 'data').pictures) == sum(LENGTHS)


def test_another_folder_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'Push-T has rel_actions.pth .* wall_single'):
        read(tmp_path, tmp_path / 'data')


def test_a_bundle_is_trained_by_one_command(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_point_maze(tmp_path / 'point_maze')
    small = [f'train.{name}' for name in (
        'predictor_steps=2', 'decoder_steps=0', 'clips=2', 'width=32', 'depth=1', 'frames=3')]
    command = ['train', '--official', str(folder),
               *(word for value in small for word in ('--set', value))]
    assert main([*command, '--encoder', str(untrained), '--out', str(tmp_path / 'bundle')]) == 0
    assert Bundle.load(tmp_path / 'bundle').manifest.robot == 'point_maze'
    assert main([*command, '--out', str(tmp_path / 'other')]) == FAILED
    assert 'name a trained encoder' in capsys.readouterr().err
