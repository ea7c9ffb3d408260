# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The RLA family: chunks, shared scenes, common noise, and the same planner as for the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rla_maker import lively, rla_bundle, SHAPE
import torch
from torch import Tensor

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import BundleError, ConfigError
from sparse_imagination_ros.evaluation.closed_loop import evaluate, LoopConfig
from sparse_imagination_ros.imagination.reference import (
    Context,
    imagine,
    imagine_steps,
    looked_at,
    remember,
    remember_all,
)
from sparse_imagination_ros.planning.objective import GoalDistance, judged, step_weights
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.planning.search import replay
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import TOKENS

CONFIG = PlannerConfig(tokens=4, candidates=8, iterations=2, steps=4)


@pytest.fixture
def predictor() -> RlaPredictor:
    return lively()


def seen(predictor: RlaPredictor, *shape: int) -> Tensor:
    """Return random frames as they are observed, [..., P, D + E]."""
    tokens = torch.randn(*shape, 16, 32, generator=torch.Generator().manual_seed(1))
    flat = predictor.observe(tokens.flatten(0, len(shape) - 1), torch.zeros(0))
    return flat.unflatten(0, shape)


def actions(*shape: int) -> Tensor:
    return torch.randn(*shape, 2, generator=torch.Generator().manual_seed(2))


def test_a_chunk_is_one_call_and_longer_plans_are_several(predictor, monkeypatch):
    taken = []
    extend = predictor.extend

    def counted(state, some, cache):
        taken.append(some.shape[1] // 2)
        return extend(state, some, cache)

    monkeypatch.setattr(predictor, 'extend', counted)
    frame = seen(predictor, 1)
    memory = remember(predictor, Context(frame, actions(0)))
    for steps in (3, 4, 9):
        objective = GoalDistance(predictor, tuple(step_weights(steps, 2.0, 4, 3).tolist()))
        costs = imagine(predictor, memory, frame[0], torch.arange(16), actions(5, steps),
                        objective)
        assert costs.shape == (5,) and costs.unique().numel() == 5
    assert taken == [1, 3, 1, 2, 4, 1, 2, 4, 1, 2, 4, 1]


def test_the_scene_is_read_once_for_all_candidates(predictor, monkeypatch):
    read, reading = [], predictor.courses.read

    def counted(tokens):
        read.append(len(tokens))
        return reading(tokens)

    monkeypatch.setattr(predictor.courses, 'read', counted)
    memory = remember(predictor, Context(seen(predictor, 1), actions(0)))
    for _ in range(2):
        predictor.extend(memory.state, actions(6, 4).flatten(1), memory.cache)
    assert read == [1]


def test_each_candidate_has_its_own_future_whoever_is_beside_it(predictor):
    frame, candidates = seen(predictor, 1), actions(5, 6)
    memory = remember(predictor, Context(frame, actions(0)))
    objective = GoalDistance(predictor, tuple(step_weights(6, 2.0, 4, 3).tolist()))
    goal, subset = seen(predictor, 2)[1], torch.arange(16)
    costs = imagine(predictor, memory, goal, subset, candidates, objective)
    for number, candidate in enumerate(candidates):
        alone = imagine(predictor, memory, goal, subset, candidate[None], objective)
        torch.testing.assert_close(alone[0], costs[number])


def test_one_scene_for_all_is_as_good_as_one_for_each(predictor):
    frame, some = seen(predictor, 1), actions(5, 4).flatten(1)
    shared, _ = predictor.extend(predictor.start(frame), some, None)
    each, _ = predictor.extend(predictor.start(frame.expand(5, -1, -1)), some, None)
    torch.testing.assert_close(shared.latents, each.latents)
    torch.testing.assert_close(predictor.tokens(shared), predictor.tokens(each))


def test_every_step_can_be_looked_at_and_the_last_is_what_is_planned_with(predictor):
    frames, taken = seen(predictor, 3, 1), actions(3, 6)
    memory = remember_all(predictor, Context(frames, actions(3, 0)))
    steps = [predictor.tokens(state) for state in imagine_steps(predictor, memory, taken)]
    assert len(steps) == 6
    first, _ = predictor.extend(memory.state, taken[:, :4].flatten(1), None)
    second, _ = predictor.extend(first, taken[:, 4:].flatten(1), None)
    torch.testing.assert_close(steps[3], predictor.tokens(first))
    torch.testing.assert_close(steps[5], predictor.tokens(second))


def test_candidates_share_their_noise_so_that_only_what_is_done_differs(predictor):
    start = predictor.start(seen(predictor, 1), 3)
    same = actions(1, 4).expand(4, -1, -1).repeat_interleave(3, 0).flatten(1)
    once, _ = predictor.extend(start, same, None)
    latents = once.latents.reshape(4, 3, -1)
    torch.testing.assert_close(latents, latents[:1].expand_as(latents))
    assert (latents[0, 0] - latents[0, 1]).abs().max() > 0.01
    again, _ = predictor.extend(start, same, None)
    assert torch.equal(again.latents, once.latents)
    later, _ = predictor.extend(once, same, None)
    assert not torch.equal(predictor._noise(12, later.start), predictor._noise(12, start))


def test_what_knows_only_the_mean_has_one_future(untrained):
    mean_only = rla_bundle(untrained, replace(SHAPE, generative=False))
    assert mean_only.predictor.futures == 1
    with pytest.raises(ConfigError, match=r'`draws` is 2; bundle `untrained` imagines 1 at most'):
        Planner(mean_only, replace(CONFIG, draws=2))


def test_an_untrained_decoder_says_that_nothing_changes():
    predictor = RlaPredictor(SHAPE)
    frame = seen(predictor, 2)
    latents = torch.randn(2, SHAPE.latent_size)
    assert torch.equal(predictor.decode(frame, latents), frame)


def test_latents_know_where_something_changed(predictor):
    start = seen(predictor, 1)
    here, there = start.clone(), start.clone()
    here[0, 3, :32] += 1
    there[0, 9, :32] += 1
    assert (predictor.encode(start, here) - predictor.encode(start, there)).abs().max() > 0.01


def test_the_order_of_the_subset_does_not_matter(predictor):
    frame, later = seen(predictor, 2).unbind(0)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    latents = predictor.encode(frame[None], later[None])
    torch.testing.assert_close(predictor.encode(frame[None, order], later[None, order]), latents)
    decoded = predictor.decode(frame[None], latents)
    torch.testing.assert_close(predictor.decode(frame[None, order], latents), decoded[:, order])


def test_the_goal_is_as_near_as_what_leads_to_it(predictor):
    frame, goal = seen(predictor, 2).unbind(0)
    start = predictor.start(frame[None])
    there = replace(predictor.extend(start, actions(1, 4).flatten(1), None)[0],
                    latents=predictor.encode(frame[None], goal[None]))
    for near in (there, predictor.start(goal[None])):
        assert predictor.distance(near, goal).item() == pytest.approx(0, abs=1e-6)
    assert predictor.distance(start, goal).item() > 0.1


def test_with_decoded_tokens_the_distance_is_that_of_tokens():
    predictor = lively(replace(SHAPE, distance=TOKENS))
    frame, goal = seen(predictor, 2).unbind(0)
    reached, _ = predictor.extend(predictor.start(frame[None]), actions(3, 4).flatten(1), None)
    expected = (predictor.tokens(reached) - goal)[..., :32].square().mean((1, 2))
    torch.testing.assert_close(predictor.distance(reached, goal), expected)


def test_places_count_although_the_distance_is_of_latents(predictor):
    frame, goal = seen(predictor, 2).unbind(0)
    reached, _ = predictor.extend(predictor.start(frame[None]), actions(3, 4).flatten(1), None)
    counts = torch.zeros(16)
    counts[5] = 1
    expected = (predictor.tokens(reached) - goal)[:, 5, :32].square().mean(-1)
    torch.testing.assert_close(predictor.distance(reached, goal, counts), expected)


def test_a_step_that_is_looked_at_counts_for_those_before_it():
    assert looked_at(range(8, 16), 3) == [9, 11, 15]
    assert looked_at(range(3), 3) == [0, 2]
    assert step_weights(8, 1.0, 8, 3).tolist() == [0, 0.25, 0, 0.25, 0, 0, 0, 0.5]
    assert step_weights(4, 1.0, 4).tolist() == [0, 0, 0, 1]
    torch.testing.assert_close(step_weights(5, 1.0, 2), torch.tensor([0, 0.4, 0, 0.4, 0.2]))


def test_a_candidate_is_judged_by_the_mean_of_its_worst_futures():
    costs = torch.tensor([[1.0, 2, 3, 10], [4, 4, 4, 4]])
    assert judged(costs, 1.0).tolist() == [4, 4]
    assert judged(costs, 0.25).tolist() == [10, 4]
    assert judged(costs, 0.5).tolist() == [6.5, 4]
    assert judged(costs, 0.001).tolist() == [10, 4]


@pytest.mark.parametrize('draws', [1, 3])
def test_the_planner_plans_and_repeats_itself_bit_for_bit(untrained, draws):
    bundle, world = rla_bundle(untrained), Rooms('omnidirectional')
    planner = Planner(bundle, replace(CONFIG, draws=draws, worst_share=0.5))
    planner.set_goal(world.picture_at(world.goal))
    cycle = planner.plan(Frame(1.0, world.picture()), CommandHistory(2, 5.0))
    assert cycle.imagined == 16 and cycle.plan.actions.any()
    again = replay(bundle.predictor, planner.method, cycle.record)
    assert np.array_equal(again.actions * planner._scale, cycle.plan.actions)


def test_costs_of_a_bundle_agree_with_its_planner(untrained):
    bundle = rla_bundle(untrained)
    frames = bundle.encode(np.random.default_rng(0).integers(
        0, 256, (2, 224, 224, 3), np.uint8))
    costs = bundle.costs(Context(frames[:1], actions(0)), frames[1], actions(6, 8))
    assert costs.shape == (6,) and costs.isfinite().all() and costs.unique().numel() == 6


def test_it_drives_in_closed_loop(untrained):
    score = evaluate(rla_bundle(untrained), CONFIG, [9000], LoopConfig(time_limit_s=1.0),
                     charge_ms=50.0)
    assert score.episodes == 1 and score.cycles > 5


def test_a_bundle_comes_back_and_says_what_it_is(untrained, tmp_path, capsys):
    bundle = rla_bundle(untrained)
    bundle.save(tmp_path / 'bundle')
    again = Bundle.load(tmp_path / 'bundle')
    assert again.manifest == bundle.manifest and again.manifest.family == 'rla'
    for name, value in bundle.predictor.state_dict().items():
        assert torch.equal(again.predictor.state_dict()[name], value)
    assert main(['inspect', str(tmp_path / 'bundle')]) == 0
    out = capsys.readouterr().out
    assert 'up to 4 model steps at once, as 8 numbers' in out and 'several futures' in out


@pytest.mark.parametrize(('wrong', 'message'), [
    ({'grid': 8}, r'the encoder makes a grid of 4 x 4 .* takes one of 8 x 8'),
    ({'distance': 'miles'}, r"`distance` is 'miles'; allowed: latent, tokens"),
    ({'action_size': 3}, r'takes 3 numbers in a model step'),
])
def test_parts_that_do_not_go_together_are_refused(untrained, tmp_path, wrong, message):
    bundle = rla_bundle(untrained)
    shape = replace(SHAPE, **wrong)
    replace(bundle, manifest=replace(bundle.manifest, predictor=shape)).save(
        Path(tmp_path / 'bundle'))
    with pytest.raises(BundleError, match=message):
        Bundle.load(tmp_path / 'bundle')
