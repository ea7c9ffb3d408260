# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objectives say what a good future is, and can be put together."""

from importlib.metadata import EntryPoint
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.imagination.reference import Moment
from sparse_imagination_ros.planning import objective
from sparse_imagination_ros.planning.objective import (
    action_cost,
    added_objectives,
    GoalDistance,
    region_weights,
    step_weights,
    Sum,
)
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

PREDICTOR = SparsePredictor(PredictorShape(token_width=4, action_size=2, width=8, heads=2))


def moment(step: int = 0, subset: Tensor | None = None) -> Moment:
    tokens = torch.zeros(3, 2, 4)
    tokens[1, 0], tokens[2, 1] = 1, 2
    return Moment(PREDICTOR, tokens, torch.zeros(2, 4),
                  torch.arange(2) if subset is None else subset,
                  torch.rand(3, 5, 2), step)


def right_of_the_goal() -> object:
    return lambda moment: moment.tokens[:, 0, 0]


def test_later_steps_count_more() -> None:
    torch.testing.assert_close(step_weights(4, 2.0), torch.tensor([1.0, 2, 4, 8]) / 15)


def test_only_the_last_step_counts_if_growth_is_infinite() -> None:
    assert step_weights(3, float('inf')).tolist() == [0, 0, 1]
    assert step_weights(1, float('inf')).tolist() == [1]
    assert step_weights(100, 1e30)[-1] == 1


def test_the_distance_counts_as_its_step_does() -> None:
    distance = GoalDistance(PREDICTOR, (0.0, 1.0, 2.0))
    assert distance(moment(0)).tolist() == [0, 0, 0]
    assert distance(moment(1)).tolist() == [0, 0.5, 2]
    assert distance(moment(2)).tolist() == [0, 1, 4]


def test_a_predictor_with_a_reader_measures_what_tokens_tell() -> None:
    predictor = SparsePredictor(PredictorShape(4, 2, width=8, heads=2, told=(1.0, 0.1)))
    state, goal = torch.randn(3, 5, 4), torch.randn(5, 4)
    apart = predictor.reader(state) - predictor.reader(goal)
    expected = (apart[:, 0]**2 + 0.1 * apart[:, 1]**2).sqrt()
    torch.testing.assert_close(predictor.distance(state, goal), expected)
    by_tokens = predictor.distance(state, goal, torch.ones(5))
    torch.testing.assert_close(by_tokens, (state - goal).square().mean((1, 2)))


def test_regions_count_as_the_mask_says(tmp_path: Path) -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[:50, :50] = 255
    cv2.imwrite(str(tmp_path / 'mask.png'), mask)
    regions = region_weights(tmp_path / 'mask.png', 2)
    assert regions.tolist() == [1, 0, 0, 0]
    distance = GoalDistance(PREDICTOR, (1.0,), regions)
    torch.testing.assert_close(distance(moment()), torch.tensor([0.0, 1, 0]))
    elsewhere = distance(moment(subset=torch.tensor([2, 3])))
    torch.testing.assert_close(elsewhere, torch.tensor([0.0, 0.5, 2]))


def test_a_mask_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'black.png'), np.zeros((8, 8), np.uint8))
    for name, words in (('none.png', 'not an image'), ('black.png', 'no token would count')):
        with pytest.raises(ConfigError, match=words):
            region_weights(tmp_path / name, 2)


def test_actions_cost_by_their_size_and_by_their_changes() -> None:
    commands = torch.tensor([[[1.0], [1.0]], [[0.0], [1.0]]])
    assert action_cost(commands, torch.zeros(1), 2.0, 0.0).tolist() == [2, 1]
    assert action_cost(commands, torch.zeros(1), 0.0, 2.0).tolist() == [1, 1]
    assert action_cost(commands, torch.ones(1), 0.0, 2.0).tolist() == [0, 2]


def test_parts_are_added_up() -> None:
    part = GoalDistance(PREDICTOR, (1.0,))
    assert Sum([(1.0, part), (3.0, part)])(moment()).tolist() == [0, 2, 8]


def test_another_package_can_add_an_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    announced = EntryPoint('right', f'{__name__}:right_of_the_goal', objective.ENTRY_POINTS)
    monkeypatch.setattr(objective, 'entry_points', lambda group: [announced])
    (weight, part), = added_objectives('right=0.5')
    assert weight == 0.5 and part(moment()).tolist() == [0, 1, 0]
    with pytest.raises(ConfigError, match=r'no installed package announces .left.*right'):
        added_objectives('right=1 left=1')
    with pytest.raises(ConfigError, match=r'expected words like right=0.5'):
        added_objectives('right=much')
