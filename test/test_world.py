# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated world: it moves by its own clock, within limits, and keeps its walls."""

import gymnasium.utils.env_checker
import numpy as np
import pytest

from sparse_imagination_ros.errors import WorldError
from sparse_imagination_ros.sim.camera import CameraConfig
from sparse_imagination_ros.sim.env import RoomsEnv
from sparse_imagination_ros.sim.explore import Explorer
from sparse_imagination_ros.sim.layouts import (
    DOOR_BANDS,
    DOOR_M,
    draw_layout,
    HELD_OUT_BANDS,
    SIZE_M,
    WALL_M,
)
from sparse_imagination_ros.sim.robots import BaseConfig
from sparse_imagination_ros.sim.rooms import Rooms

ROBOTS = ('omnidirectional', 'differential')


def test_doors_of_evaluation_are_never_seen_in_training():
    def band(seed: int, split: str) -> int:
        layout = draw_layout(seed, split, 0.15, False)
        upright = layout.upright
        along = layout.door[1] if upright else layout.door[0]
        return int((along - 0.5) / 2.0 * DOOR_BANDS)

    assert {band(seed, 'held_out') for seed in range(100)} == set(HELD_OUT_BANDS)
    assert not {band(seed, 'training') for seed in range(200)} & set(HELD_OUT_BANDS)


def test_start_and_goal_lie_in_different_rooms():
    for seed in range(50):
        layout = draw_layout(seed, 'training', 0.15, False)
        axis = 0 if layout.upright else 1
        wall = layout.door[axis]
        assert (layout.start[axis] < wall) != (layout.goal[axis] < wall)


def test_the_same_seed_draws_the_same_episode():
    one, other = Rooms('differential'), Rooms('differential')
    one.reset(7)
    other.reset(7)
    assert one.layout == other.layout
    assert np.array_equal(one.picture(), other.picture())


@pytest.mark.parametrize('name', ROBOTS)
def test_a_robot_never_enters_a_wall(name):
    world = Rooms(name)
    for seed in range(5):
        world.reset(seed)
        explorer = Explorer(world, seed)
        for _ in range(100):
            world.send(explorer.command())
            world.advance(0.1)
            radius = world.robot.radius_m - 1e-9
            assert ((world.pose[:2] >= radius) & (world.pose[:2] <= SIZE_M - radius)).all()
            for block in world.layout.blocks:
                nearest = np.clip(
                    world.pose[:2], (block.left, block.bottom), (block.right, block.top))
                assert np.hypot(*(world.pose[:2] - nearest)) >= 0.95 * radius


@pytest.mark.parametrize('name', ROBOTS)
def test_an_explorer_passes_doors_and_presses_on_the_wall_between_the_rooms(name):
    world = Rooms(name)
    passed = pressed = 0
    for seed in range(10):
        world.reset(seed)
        explorer = Explorer(world, seed)
        axis = 0 if world.layout.upright else 1
        room = np.sign(world.pose[axis] - world.layout.door[axis])
        for _ in range(150):
            world.send(explorer.command())
            world.advance(0.1)
            off = world.pose[axis] - world.layout.door[axis]
            passed += np.sign(off) == -room
            room = np.sign(off) or room
            in_door = abs(world.pose[1 - axis] - world.layout.door[1 - axis]) < DOOR_M / 2
            pressed += not in_door and abs(off) < WALL_M / 2 + world.robot.radius_m + 0.01
    assert passed >= 5
    assert pressed >= 150


def test_commands_act_after_the_delay_and_within_the_acceleration():
    world = Rooms('omnidirectional')
    world.send(np.array([1.0, 0.0]))
    world.advance(world.robot.delay_s - 0.02)
    assert not world.velocity.any()
    world.advance(0.06)
    assert 0 < world.velocity[0] <= world.robot.acceleration[0] * 0.06 + 1e-9


def test_a_base_that_hears_nothing_stops():
    world = Rooms('omnidirectional')
    world.send(np.array([0.5, 0.0]))
    world.advance(0.3)
    assert world.velocity.any()
    world.advance(1.0)
    assert not world.velocity.any()


@pytest.mark.parametrize('name', ROBOTS)
def test_a_base_that_drifts_is_off_by_no_more_than_its_share_and_alike_in_each_episode(name):
    def moved(drift, seed):
        world = Rooms(name, base=BaseConfig(drift=drift))
        world.reset(seed)
        start = world.pose.copy()
        world.send(np.array([0.2, 0.0]))
        world.advance(0.3)
        return world.pose - start
    true, off = moved(0.0, 3), moved(0.3, 3)
    assert 0 < np.linalg.norm(off - true) < 0.6 * np.linalg.norm(true)
    assert np.array_equal(off, moved(0.3, 3))
    assert not np.array_equal(off, moved(0.3, 4))


def test_a_command_that_is_not_finite_is_refused():
    with pytest.raises(WorldError, match='not finite'):
        Rooms('omnidirectional').send(np.array([np.nan, 0.0]))


def test_an_unknown_robot_is_refused_with_those_there_are():
    with pytest.raises(WorldError, match='omnidirectional, differential'):
        Rooms('hovercraft')


def test_the_camera_sees_the_robot_where_it_is():
    world = Rooms('omnidirectional')
    picture = world.picture().astype(int)
    red = picture[..., 0] - picture[..., 2] > 100
    row, column = np.argwhere(red).mean(0)
    scale = SIZE_M / 224
    assert abs(column * scale - world.pose[0]) < 0.03
    assert abs(SIZE_M - row * scale - world.pose[1]) < 0.03


def test_light_and_noise_change_the_picture_but_not_its_kind():
    world = Rooms('omnidirectional', CameraConfig(noise=8.0, lighting=0.3))
    one, other = world.picture(), world.picture()
    assert one.dtype == np.uint8
    assert not np.array_equal(one, other)


@pytest.mark.parametrize('name', ROBOTS)
def test_the_gymnasium_interface_is_kept(name):
    gymnasium.utils.env_checker.check_env(RoomsEnv(name), skip_render_check=True)
