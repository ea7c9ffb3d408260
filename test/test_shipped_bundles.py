# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ships in models/ is whole, has a card, and knows something of its world."""

from pathlib import Path

import pytest
import torch

from sparse_imagination_ros.imagination.reference import Context, imagine_steps, remember_all
from sparse_imagination_ros.share import share_path
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.world_models.bundle import Bundle

BUNDLES = sorted(path.parent for path in share_path('models').glob('*/manifest.yaml'))


@pytest.mark.parametrize('folder', BUNDLES, ids=lambda path: path.name)
def test_it_loads_and_fits_its_robot(folder: Path):
    manifest = Bundle.load(folder).manifest
    robot = make_world(manifest.robot).robot
    assert manifest.actions.names == robot.action_names
    assert manifest.actions.high == robot.limit
    assert (folder / 'MODEL_CARD.md').is_file()


@pytest.mark.parametrize('folder', BUNDLES, ids=lambda path: path.name)
@pytest.mark.parametrize('count', [8, 64])
def test_it_foresees_more_than_that_nothing_changes(folder: Path, count: int, tmp_path: Path):
    bundle = Bundle.load(folder)
    record(RecordConfig(robot=bundle.manifest.robot, episodes=8, steps=8, seed=1234), tmp_path,
           lambda done: None)
    dataset = dataset_from_recording(tmp_path)
    subset = torch.randperm(64, generator=torch.Generator().manual_seed(0))[:count].sort().values
    clips = dataset.draw(8, 9, torch.Generator().manual_seed(0))
    predictor, width = bundle.predictor, bundle.manifest.encoder.width
    with torch.inference_mode():
        seen = torch.stack([
            predictor.observe(bundle.encoder(pictures), torch.zeros(9, 0))[:, subset]
            for pictures in dataset.show(clips)])
        actions = dataset.actions[clips[:, :-1]]
        memory = remember_all(predictor, Context(seen[:, :1], actions[:, :0]))
        foreseen = torch.stack([predictor.tokens(state) for state in imagine_steps(
            predictor, memory, actions)], 1)
    wrong, unchanged = ((guess - seen[:, 1:])[..., :width].square().mean()
                        for guess in (foreseen, seen[:, :1]))
    assert wrong < 0.5 * unchanged
