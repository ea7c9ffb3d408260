# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy learns from drives and from videos, proposes to a search, and drives alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bag_maker import drive, write_bag
import numpy as np
import pytest
from rla_maker import rla_bundle, SHAPE
import torch
from torch import Generator, Tensor

from sparse_imagination_ros.cli.main import FAILED, main
from sparse_imagination_ros.errors import BundleError, ConfigError, DataError
from sparse_imagination_ros.imagination.reference import imagine
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.training import loop
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.policy import draw_ways, policy_loss, PolicyConfig
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.training.train import TrainConfig
from sparse_imagination_ros.training.train_policy import train_policy
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.policy import Policy, PolicyShape

POLICY = PolicyShape(token_width=32, action_size=2, told=8, steps=4, width=32, depth=1, heads=2)
LEARNED = PolicyConfig(training_steps=4, samples=8, ahead=6, width=32, depth=1)
CONFIG = PlannerConfig(tokens=4, candidates=8, iterations=2, steps=6)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data') / 'recording'
    record(RecordConfig(episodes=3, steps=10, step_s=0.2, image_size=32, seed=3), folder,
           lambda done: None)
    return folder


@pytest.fixture(scope='module')
def dataset(data: Path) -> Dataset:
    return dataset_from_recording(data)


@pytest.fixture
def bundle(untrained: Path) -> Bundle:
    """Return a bundle with a policy that says something."""
    torch.manual_seed(0)
    policy = Policy(POLICY).eval().requires_grad_(False)
    plain = rla_bundle(untrained)
    return replace(plain, policy=policy, manifest=replace(plain.manifest, policy=policy.shape))


def trained(bundle: Bundle, drives: Sequence[Dataset], videos: Sequence[Dataset], work: Path,
            report: Any = lambda progress: None) -> Bundle:
    return train_policy(
        TrainConfig(), LEARNED, bundle, drives, videos, work, report)


def test_a_goal_is_a_later_frame_and_there_the_robot_stays(dataset):
    generator = Generator().manual_seed(0)
    alike = torch.ones(len(dataset.shown))
    way = draw_ways(dataset, alike, 300, 6, 4, generator)
    assert (dataset.ends(way.now) == dataset.ends(way.goal)).all()
    apart = way.goal - way.now
    assert set(apart.tolist()) == {1, 2, 3, 4, 5, 6}
    assert torch.equal(way.later - way.now, apart.clamp(max=4))
    near = int((apart == 2).nonzero()[0, 0])
    first = int(way.now[near])
    assert torch.equal(way.actions[near, :2], dataset.actions[first:first + 2])
    assert not way.actions[near, 2:].any()


def test_videos_teach_what_happens_and_no_actions():
    torch.manual_seed(0)
    policy = Policy(POLICY)
    frames = torch.randn(3, 6, 5, 48)
    actions = torch.randn(2, 4, 2)

    def tell(now: Tensor, later: Tensor) -> Tensor:
        return (later - now).flatten(1)[:, :8]

    policy_loss(policy, *frames, actions, tell, 1.0).backward()
    assert policy.latents_out.weight.grad.any() and policy.actions_out.weight.grad.any()
    policy.zero_grad()
    policy_loss(policy, *frames, actions, tell, 0.0).backward()
    assert not policy.latents_out.weight.grad.any()
    seen = [policy_loss(policy, *some, actions, tell, 0.0) for some in (
        frames, torch.cat([frames[:, :2], torch.randn(3, 4, 5, 48)], 1))]
    torch.testing.assert_close(*seen)


def test_a_resumed_training_is_the_same_training(
    dataset, untrained, tmp_path, monkeypatch,
):
    class StopError(Exception):
        """The power went out."""

    def stop(progress: loop.Progress) -> None:
        if (progress.part, progress.step) == ('policy', 3):
            raise StopError

    monkeypatch.setattr(loop, 'CHECKPOINT_STEPS', 2)
    plain = rla_bundle(untrained)
    whole = trained(plain, [dataset], [dataset], tmp_path / 'whole')
    with pytest.raises(StopError):
        trained(plain, [dataset], [dataset], tmp_path / 'halves', stop)
    halves = trained(plain, [dataset], [dataset], tmp_path / 'halves')
    assert whole.policy is not None and halves.policy is not None
    for name, value in whole.policy.state_dict().items():
        assert torch.equal(halves.policy.state_dict()[name], value)


def test_a_bundle_keeps_its_policy_and_without_one_it_has_none(bundle, untrained, tmp_path):
    bundle.save(tmp_path / 'bundle')
    again = Bundle.load(tmp_path / 'bundle')
    assert again.manifest == bundle.manifest and again.policy is not None
    for name, value in bundle.policy.state_dict().items():
        assert torch.equal(again.policy.state_dict()[name], value)
    assert Bundle.load(untrained).policy is None


def test_the_policy_proposes_to_the_search(bundle):
    seen: list[Tensor] = []

    def engine(*asked: Any) -> Tensor:
        seen.append(asked[4])
        return imagine(*asked)

    world, planner = Rooms('omnidirectional'), Planner(bundle, CONFIG, engine=engine)
    seen.clear()
    planner.set_goal(world.picture_at(world.goal))
    cycle = planner.plan(Frame(1.0, world.picture()), CommandHistory(2, 5.0), waited_s=-1.0)
    question = cycle.record.question
    said = bundle.policy(question.tokens[-1:], question.goal[None]).actions[0].clamp(-1, 1)
    assert question.priors.shape == (1, 6, 2)
    np.testing.assert_allclose(question.priors[0, :4], said, atol=1e-6)
    assert not question.priors[0, 4:].any()


def test_alone_the_policy_is_the_plan_and_nothing_is_imagined(bundle):
    def engine(*asked: Any) -> Tensor:
        raise AssertionError

    world = Rooms('omnidirectional')
    planner = Planner(bundle, replace(CONFIG, mode='policy', tokens=16), engine=engine)
    planner.set_goal(world.picture_at(world.goal))
    cycle = planner.plan(Frame(1.0, world.picture()), CommandHistory(2, 5.0))
    now, goal = (bundle.encode(picture[None]) for picture in (
        world.picture(), world.picture_at(world.goal)))
    said = bundle.policy(now, goal).actions[0].clamp(-1, 1)
    np.testing.assert_allclose(cycle.plan.actions / bundle.manifest.actions.high, said, atol=1e-5)
    assert cycle.imagined == 0 and cycle.record is None and cycle.plan.frame_stamp_s == 1.0


def test_without_a_policy_there_is_no_such_mode(untrained):
    with pytest.raises(ConfigError, match=r'`mode` is policy, but bundle `untrained` has none'):
        Planner(rla_bundle(untrained), replace(CONFIG, mode='policy'))


def test_a_policy_needs_the_latents_of_rla(dataset, untrained, tmp_path):
    with pytest.raises(DataError, match=r'`untrained` is of the family `sparse`; a policy needs'):
        trained(Bundle.load(untrained), [dataset], [], tmp_path)


def test_a_policy_that_does_not_fit_is_refused(bundle, tmp_path):
    wrong = replace(POLICY, token_width=16)
    replace(bundle, manifest=replace(bundle.manifest, policy=wrong)).save(tmp_path / 'bundle')
    with pytest.raises(BundleError, match=r'the policy takes tokens 16 wide'):
        Bundle.load(tmp_path / 'bundle')


def test_the_command_learns_from_a_recording_and_from_bags_without_commands(
    data, untrained, tmp_path, capsys,
):
    rla_bundle(untrained).save(tmp_path / 'bundle')
    write_bag(tmp_path / 'bags' / 'monday', drive())
    words = ['policy.training_steps=3', 'policy.samples=4', 'policy.width=32', 'policy.depth=1',
             'bags.step_s=0.2', 'bags.command_topic=/nowhere']
    command = ['train-policy', '--bundle', str(tmp_path / 'bundle'), '--data', str(data),
               '--video-bags', str(tmp_path / 'bags'), '--out', str(tmp_path / 'policy'),
               *(word for one in words for word in ('--set', one))]
    assert main(command) == 0
    assert 'bundle saved to' in capsys.readouterr().out
    assert main(['evaluate', '--bundle', str(tmp_path / 'policy'), '--episodes', '1', '--set',
                 'mode=policy', '--charge', '100', '--time-limit', '0.5']) == 0
    assert 'Success' in capsys.readouterr().out


def test_drives_must_be_named(untrained, tmp_path, capsys):
    assert main(['train-policy', '--bundle', str(untrained), '--out', str(tmp_path)]) == FAILED
    assert 'name drives to learn actions from' in capsys.readouterr().err


def test_shape_is_that_of_the_latents():
    assert POLICY.told == SHAPE.latent_size
