# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One cycle: what is encoded, imagined and refused."""

from pathlib import Path

import numpy as np
import pytest

from sparse_imagination_ros.errors import ConfigError, FrameError, PlanningError
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle

CONFIG = PlannerConfig(tokens=4, candidates=8, iterations=2, steps=3)


@pytest.fixture
def planner(untrained: Path) -> Planner:
    return Planner(Bundle.load(untrained), CONFIG)


@pytest.fixture
def world() -> Rooms:
    return Rooms('omnidirectional')


def sent() -> CommandHistory:
    return CommandHistory(2, 5.0)


def test_a_cycle_encodes_once_whatever_it_imagines(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    for number in range(3):
        cycle = planner.plan(Frame(number * 0.1, world.picture()), sent())
        assert cycle.encodes == 1
    assert (cycle.tokens, cycle.candidates, cycle.iterations) == (4, 8, 2)
    assert len(set(cycle.subset.tolist())) == 4


def test_the_plan_carries_the_stamp_of_its_frame_and_keeps_the_limits(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    plan = planner.plan(Frame(12.5, world.picture()), sent()).plan
    assert plan.frame_stamp_s == plan.start_s == 12.5
    assert plan.actions.shape == (3, 2)
    assert (np.abs(plan.actions) <= 1.0 + 1e-6).all()


def test_subsets_change_from_cycle_to_cycle(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    subsets = {tuple(planner.plan(Frame(i * 0.1, world.picture()), sent()).subset)
               for i in range(6)}
    assert len(subsets) > 1


def test_without_a_goal_there_is_no_plan(planner, world):
    with pytest.raises(PlanningError, match=r'publish a goal picture'):
        planner.plan(Frame(0.0, world.picture()), sent())


def test_a_goal_of_another_size_is_refused_with_both_sizes(planner):
    with pytest.raises(FrameError, match=r'goal picture is 320 x 240.*224 x 224'):
        planner.set_goal(np.zeros((240, 320, 3), np.uint8))


def test_more_tokens_than_the_bundle_has_are_refused(untrained):
    with pytest.raises(ConfigError, match=r'.tokens. is 17; allowed range.*\[1, 16\]'):
        Planner(Bundle.load(untrained), PlannerConfig(tokens=17))


def test_a_clock_that_goes_back_starts_afresh(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    planner.plan(Frame(100.0, world.picture()), sent())
    assert planner.plan(Frame(1.0, world.picture()), sent()).plan.start_s == 1.0
