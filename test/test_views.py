# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What people are shown is what was planned."""

from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch

from sparse_imagination_ros.errors import PlanningError
from sparse_imagination_ros.planning.machine import machine_values
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, Planner, PlannerConfig
from sparse_imagination_ros.planning.worker import Finished
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.views.future import imagined_future
from sparse_imagination_ros.views.overlay import OUTLINE, token_mask
from sparse_imagination_ros.views.plottable import caption, cycle_numbers, NUMBERS
from sparse_imagination_ros.views.rollouts import chosen, colours, planar, poses
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.decoder import Decoder, DecoderShape

GREY = np.full((224, 224, 3), 200, np.uint8)


def test_the_tokens_that_are_imagined_are_clear_and_outlined_and_the_rest_is_dim() -> None:
    shown = token_mask(GREY, 4, [0, 5], ['two of sixteen'])
    side = 448 // 4
    middle = side // 2
    assert shown.shape[1] == 448 and shown.shape[0] > 448, 'there is room for text below'
    assert shown[middle, middle].tolist() == [200, 200, 200], 'place 0: first row and column'
    assert shown[side + middle, side + middle].tolist() == [200, 200, 200], 'place 5'
    assert shown[middle, side + middle].tolist() == [100, 100, 100], 'place 1 is not imagined'
    assert shown[0, middle].tolist() == list(OUTLINE)
    assert shown[448:].max() > 200, 'the text is there'


def test_large_pictures_are_not_enlarged_and_grids_need_not_divide_them() -> None:
    wide = np.full((480, 640, 3), 90, np.uint8)
    shown = token_mask(wide, 14, range(14 * 14), ())
    assert shown.shape[1] == 640 and (shown[5, 5] == 90).all()


def test_a_base_that_drives_straight_goes_straight() -> None:
    actions = np.array([[[1.0, 0.0], [0.5, 0.0]]])
    way = poses(actions, ('linear.x', 'angular.z'), 0.2)[0]
    np.testing.assert_allclose(way, [[0, 0, 0], [0.2, 0, 0], [0.3, 0, 0]])


def test_a_base_that_turns_goes_on_an_arc_and_comes_back() -> None:
    steps = 8
    actions = np.tile([1.0, 2 * pi / (steps * 0.25)], (1, steps, 1))
    way = poses(actions, ('linear.x', 'angular.z'), 0.25)[0]
    np.testing.assert_allclose(way[-1], [0, 0, 2 * pi], atol=1e-9)
    radius = 1.0 / (2 * pi / (steps * 0.25))
    np.testing.assert_allclose(np.hypot(way[:, 0], way[:, 1] - radius), radius)


def test_a_base_that_moves_sideways_moves_to_its_left() -> None:
    way = poses(np.ones((1, 1, 2)), ('linear.x', 'linear.y'), 0.5)[0]
    np.testing.assert_allclose(way[-1], [0.5, 0.5, 0])


def test_only_velocities_on_the_ground_have_a_way() -> None:
    assert planar(('linear.x', 'angular.z')) and not planar(('linear.x', 'linear.z'))


def test_cheap_candidates_are_blue_and_dear_ones_red() -> None:
    shades = colours(np.array([3.0, 1.0, 1000.0]))
    assert shades[1, 2] > shades[1, 0] and shades[2, 0] > shades[2, 2]
    assert colours(np.zeros(0)).shape == (0, 3)


def test_the_elites_are_always_shown_and_the_worst_is_too() -> None:
    costs = np.random.default_rng(0).permutation(100).astype(np.float32)
    some = chosen(costs, 4, 10)
    assert costs[some][:4].tolist() == [0, 1, 2, 3] and costs[some][-1] == 99
    assert len(some) == 10 and (np.diff(costs[some]) > 0).all()
    assert len(chosen(costs[:3], 4, 10)) == 3


@pytest.fixture(scope='module')
def planned(untrained: Path) -> tuple[Bundle, Cycle]:
    bundle = Bundle.load(untrained)
    torch.manual_seed(0)
    shape = DecoderShape(bundle.manifest.encoder.width, bundle.manifest.encoder.grid)
    bundle = replace(bundle, decoder=Decoder(shape).eval(),
                     manifest=replace(bundle.manifest, decoder=shape))
    planner = Planner(bundle, PlannerConfig(tokens=5, candidates=16, elites=3))
    planner.set_goal(GREY // 2)
    return bundle, planner.plan(Frame(0.0, GREY), CommandHistory(2, 5.0))


def test_what_is_imagined_of_a_plan_can_be_seen(planned: tuple[Bundle, Cycle]) -> None:
    bundle, cycle = planned
    assert cycle.record is not None and cycle.optimum is not None
    question = cycle.record.question
    seen = imagined_future(bundle, question, cycle.optimum.actions)
    assert seen.shape == (32, 32, 3)
    other = imagined_future(bundle, question, -cycle.optimum.actions)
    assert not np.array_equal(seen, other), 'it depends on the actions'
    with pytest.raises(PlanningError, match='no decoder'):
        imagined_future(replace(bundle, decoder=None), question, cycle.optimum.actions)


def test_a_search_tells_which_candidates_it_had(planned: tuple[Bundle, Cycle]) -> None:
    optimum = planned[1].optimum
    assert optimum is not None and len(optimum.candidates) == len(optimum.costs) == 16
    best = optimum.candidates[optimum.costs.argsort()[:3]]
    np.testing.assert_array_equal(best, optimum.elites)
    assert PlannerConfig().effective_samples <= optimum.effective + 1e-3 <= 16


def test_the_distance_to_the_goal_is_zero_where_it_is(planned: tuple[Bundle, Cycle]) -> None:
    bundle, cycle = planned
    assert cycle.goal_distance > 0
    planner = Planner(bundle, PlannerConfig(tokens=5, candidates=16))
    planner.set_goal(GREY)
    assert planner.plan(Frame(0.0, GREY), CommandHistory(2, 5.0)).goal_distance == 0.0


def test_every_number_has_a_value_and_a_meaning(planned: tuple[Bundle, Cycle]) -> None:
    finished = Finished(planned[1], Frame(0.0, GREY), 0.0, 33.3, 0.0, 1.5)
    numbers = cycle_numbers(finished, 150.0, 80.0)
    assert numbers.keys() == NUMBERS.keys()
    assert (numbers['cycle_ms'], numbers['wait_ms'], numbers['tokens_used']) == (33.3, 1.5, 5)
    assert '5 of 16 tokens   33 of 150 ms' in caption(finished, 16, 150.0)[0]


def test_a_machine_tells_what_its_files_say(tmp_path: Path) -> None:
    for path, text in {
            'proc/self/status': 'Name:\tx\nVmRSS:\t  204800 kB\n',
            'sys/class/thermal/thermal_zone0/type': 'CPU-therm\n',
            'sys/class/thermal/thermal_zone0/temp': '47500\n',
            'sys/class/thermal/thermal_zone1/type': 'asleep\n',
            'var/lib/nvpmodel/status': 'pmode:0002\n'}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    values = machine_values(tmp_path)
    assert values['memory MB'] == 200 and values['temperature CPU-therm C'] == 47.5
    assert values['power mode'] == 'pmode:0002'
    assert not any('asleep' in name for name in values)


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    assert machine_values(tmp_path).keys() >= {'processor', 'engine', 'threads'}
