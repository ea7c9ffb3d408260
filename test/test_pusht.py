# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Push-T: the same seed gives the same episode, explorers push, and goals can be reached."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import DataError, WorldError
from sparse_imagination_ros.evaluation.closed_loop import drive_episodes, evaluate, LoopConfig
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.planning.plan import CommandHistory, Plan
from sparse_imagination_ros.planning.planner import Cycle, PlannerConfig
from sparse_imagination_ros.sim.pusht import GOAL_STEPS, PushT
from sparse_imagination_ros.sim.table import RAW_STEP_S
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.training.episodes import dataset_from_recording, load_recording
from sparse_imagination_ros.training.joint import JointConfig
from sparse_imagination_ros.training.objectives import PLAIN
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.training.sparse import Foresight
from sparse_imagination_ros.training.train import train, TrainConfig
from sparse_imagination_ros.world_models.bundle import Bundle

pytest.importorskip('gym_pusht', reason='gym-pusht is not installed: docs/dependencies.md')

RECORD = build(RecordConfig, {'robot': 'pusht', 'episodes': 3, 'steps': 8, 'seed': 3}, 'test')


@pytest.fixture(scope='module')
def world() -> PushT:
    return PushT(96)


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data') / 'pusht'
    record(RECORD, folder, lambda done: None)
    return folder


@pytest.fixture(scope='module')
def bundle(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('bundles') / 'pusht'
    config = TrainConfig(
        encoder_steps=2, predictor_steps=2, decoder_steps=2, clips=2, width=32, depth=1)
    joint = JointConfig(episodes=2, frames=8, depth=2, pose_error=PLAIN, prediction=0.0)
    train(config, joint, Foresight(told=10.0, moving=0.9),
          [dataset_from_recording(recording)], None, folder.with_suffix('.work'),
          lambda progress: None).save(folder)
    return folder


def test_the_same_seed_draws_the_same_episode(world: PushT) -> None:
    other = make_world('pusht', 96)
    for split in ('training', 'held_out'):
        world.reset(7, split)
        other.reset(7, split)
        assert np.array_equal(world.pose, other.pose)
        assert np.array_equal(world.goal, other.goal)
        assert np.array_equal(world.picture(), other.picture())


def test_an_episode_does_not_depend_on_those_before(world: PushT) -> None:
    for seed in range(12):
        other = PushT(96)
        for each in (world, other):
            each.reset(seed)
        assert np.array_equal(world.goal, other.goal)


def test_training_and_evaluation_share_no_episode(world: PushT) -> None:
    starts = {}
    for split in ('training', 'held_out'):
        world.reset(7, split)
        starts[split] = world.pose
    assert not np.array_equal(starts['training'], starts['held_out'])


def test_an_explorer_pushes_the_block_in_most_episodes_and_keeps_it_in_the_picture(
    world: PushT,
) -> None:
    moving, steps, pushed, outside = 0, 0, 0, 0
    for seed in range(10):
        world.reset(seed)
        explorer, block = world.explorer(seed), [world.pose[2:]]
        for _ in range(90):
            world.send(explorer.command())
            world.advance(RAW_STEP_S)
            block.append(world.pose[2:])
            outside += not ((world.pose[:4] > 0) & (world.pose[:4] < world.state.size)).all()
        moved = np.hypot(*np.diff(block, axis=0)[:, :2].T) > 0.1
        moving, steps = moving + moved.sum(), steps + len(moved)
        pushed += moved.sum() > 5
    assert pushed >= 8
    assert moving > 0.15 * steps
    assert outside < 0.01 * steps


def test_goals_lie_ahead_and_most_ask_for_the_block_to_be_moved(world: PushT) -> None:
    pushes = 0
    for seed in range(20):
        world.reset(seed, 'held_out')
        assert world.away(world.goal) > 1
        assert world.way.shape == (GOAL_STEPS, 2)
        pushes += np.hypot(*(world.goal - world.pose)[2:4]) > 20
    assert pushes >= 10


def test_the_goal_is_met_when_disc_block_and_angle_are_near_enough(world: PushT) -> None:
    world.reset(0)
    for offset, there in (
            ((0, 0, 0, 0, 0), True), ((10, 0, 10, 13, 0), True), ((10, 0, 10, 15, 0), False),
            ((0, 0, 0, 0, np.pi / 10), True), ((0, 0, 0, 0, np.pi / 8), False),
            ((0, 0, 0, 0, 2 * np.pi), True)):
        assert (world.away(world.pose + offset) <= 1) == there


class Memory:
    """Plans what led to the goal when the episode was drawn, whatever it sees."""

    def __init__(self, world: PushT) -> None:
        self._world = world

    def set_goal(self, picture: Picture) -> None:
        assert picture.shape == (96, 96, 3)

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float) -> Cycle:
        # The first command leaves when the first plan is there, with the second raw step.
        plan = Plan(frame.stamp_s, 0.999 * RAW_STEP_S, RAW_STEP_S,
                    self._world.way.astype(np.float32))
        return Cycle(plan, 0.0, 0.0, 0.0, 1, 1, 1, 1, np.zeros(1, np.int64), 0.0)


def test_what_led_to_the_goal_leads_there_again_in_closed_loop(world: PushT) -> None:
    limit, acceleration = (np.array(values, np.float32) for values in (
        world.robot.limit, world.robot.acceleration))
    limits = Limits(-limit, limit, acceleration, 0.5)
    episodes = list(drive_episodes(
        world, Memory(world), limits, range(9000, 9008), LoopConfig(time_limit_s=4.0)))
    assert sum(episode.success for episode in episodes) >= 7


def test_commands_act_at_whole_raw_steps(world: PushT) -> None:
    world.reset(1)
    start = world.pose
    world.send(np.array([20.0, 0.0]))
    world.advance(RAW_STEP_S - 0.02)
    assert np.array_equal(world.pose, start)
    world.advance(0.02)
    assert 2 < world.pose[0] - start[0] < 20
    assert world.time_s == pytest.approx(RAW_STEP_S)


def test_a_command_that_is_not_finite_is_refused(world: PushT) -> None:
    with pytest.raises(WorldError, match='not finite'):
        world.send(np.array([np.nan, 0.0]))


def test_the_picture_shows_what_the_pose_says(world: PushT) -> None:
    world.reset(2)
    pose = world.pose
    pose[:4] = 100, 400, 300, 200
    picture = world.picture_at(pose).astype(int)
    blue = (picture[..., 2] > 200) & (picture[..., 0] < 120)
    row, column = np.argwhere(blue).mean(0)
    assert (column * 512 / 96, row * 512 / 96) == pytest.approx((100, 400), abs=6)
    assert not np.array_equal(world.picture(), picture)


def test_an_explorer_also_does_what_a_candidate_of_a_planner_might(world: PushT) -> None:
    commands = []
    for seed in range(8):
        world.reset(seed)
        explorer = world.explorer(seed)
        for _ in range(100):
            commands.append(explorer.command())
            world.send(commands[-1])
            world.advance(RAW_STEP_S)
    reach = np.array(PushT.robot.limit)
    far = (np.abs(commands) > 0.9 * reach).any(1).mean()
    assert 0.05 < far < 0.5
    assert (np.abs(commands) <= reach).all()


def test_a_recording_holds_poses_and_actions_in_units_of_the_limits(recording: Path) -> None:
    dataset = dataset_from_recording(recording)
    assert load_recording(recording).step_s == 0.5
    assert dataset.facts.senses == PushT.state.names
    assert dataset.sensed.shape == (27, 5)
    assert dataset.pictures.shape == (27, 96, 96, 3)
    assert 0.05 < dataset.actions.abs().max() <= 1.0 + 1e-6


def test_the_same_seed_records_the_same(recording: Path, tmp_path: Path) -> None:
    record(RECORD, tmp_path, lambda done: None)
    one, two = dataset_from_recording(recording), dataset_from_recording(tmp_path)
    assert np.array_equal(one.pictures, two.pictures)
    assert torch.equal(one.actions, two.actions)


def test_a_bundle_is_trained_drives_and_is_judged(bundle: Path, tmp_path: Path) -> None:
    loaded = Bundle.load(bundle)
    assert loaded.manifest.robot == 'pusht'
    assert loaded.manifest.encoder.depth == 2
    # Places of disc and block, and the block's angle as a direction.
    told = loaded.manifest.predictor.told
    assert told == pytest.approx((0.04, 0.04, 1.0, 1.0, 0.055, 0.055), abs=1e-3)
    planning = PlannerConfig(tokens=4, candidates=8, iterations=1)
    result = evaluate(loaded, planning, [9000], LoopConfig(time_limit_s=1.0))
    assert (result.episodes, result.tokens) == (1, 4)
    record(RecordConfig(robot='pusht', episodes=1, steps=4, seed=1), tmp_path,
           lambda done: None, bundle)
    assert load_recording(tmp_path).driver == 'pusht'
    assert dataset_from_recording(tmp_path).actions.abs().max() <= 1.0 + 1e-6


def test_a_model_step_shorter_than_a_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'0.05 s is shorter than a command'):
        record(RecordConfig(robot='pusht', step_s=0.05), tmp_path, lambda done: None)
