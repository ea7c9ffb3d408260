# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sparse predictor is what the method says, whole and cached."""

import pytest
import torch

from sparse_imagination_ros.imagination.reference import Context, imagine, remember
from sparse_imagination_ros.planning.objective import GoalDistance
from sparse_imagination_ros.tokens.subsets import random_split
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

SHAPE = PredictorShape(token_width=16, action_size=2, width=16, depth=2, heads=4, window=3)
FRAMES, TOKENS = 6, 10


@pytest.fixture
def predictor() -> SparsePredictor:
    torch.manual_seed(0)
    return SparsePredictor(SHAPE).eval().requires_grad_(False)


@pytest.fixture
def clip() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(2, FRAMES, TOKENS, 16, generator=generator),
            torch.randn(2, FRAMES, 2, generator=generator))


def test_a_prediction_never_sees_the_future(predictor, clip):
    tokens, actions = clip
    changed = tokens.clone()
    changed[:, 4:] += 1
    before, after = predictor(tokens, actions), predictor(changed, actions)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_frames_that_left_every_window_do_not_count(predictor, clip):
    tokens, actions = clip
    changed = tokens.clone()
    changed[:, 0] += 1
    # Each of the two blocks looks two frames back.
    reach = SHAPE.depth * (SHAPE.window - 1)
    last = predictor(tokens, actions)[:, reach + 1:]
    torch.testing.assert_close(predictor(changed, actions)[:, reach + 1:], last)


def test_only_differences_of_time_matter(predictor, clip):
    tokens, actions = clip
    early = predictor(tokens[:, :1], actions[:, :1])
    late = predictor(tokens[:, 3:4], actions[:, 3:4])
    again = predictor(tokens[:, 3:], actions[:, 3:])[:, :1]
    torch.testing.assert_close(late, again)
    assert early.shape == late.shape


def test_the_order_of_tokens_means_nothing(predictor, clip):
    tokens, actions = clip
    order = torch.randperm(TOKENS)
    torch.testing.assert_close(
        predictor(tokens[:, :, order], actions), predictor(tokens, actions)[:, :, order])


def test_a_cached_rollout_equals_the_whole_pass(predictor, clip):
    tokens, actions = clip
    whole = predictor(tokens, actions)
    cache = predictor.empty_cache()
    for number in range(FRAMES):
        step, cache = predictor.extend(tokens[:, number], actions[:, number], cache)
        torch.testing.assert_close(step, whole[:, number])


def test_groups_run_apart_equal_masked_attention(predictor, clip):
    tokens, actions = clip
    groups = random_split(TOKENS, torch.Generator().manual_seed(2))
    apart = torch.empty_like(tokens)
    for group in groups:
        apart[:, :, group] = predictor(tokens[:, :, group], actions)
    assert sorted(torch.cat(groups).tolist()) == list(range(TOKENS))
    # The same with attention over all tokens and the pairs across groups masked out.
    member = torch.zeros(TOKENS, dtype=torch.long)
    member[groups[0]] = 1
    for block in predictor.blocks:
        block.attention.forward = masked(block.attention, member)
    torch.testing.assert_close(predictor(tokens, actions), apart)


def masked(attention, member):
    def forward(x):
        _, frames, count, _ = x.shape
        q, k, v = attention._project(x.flatten(1, 2))
        number = torch.arange(frames).repeat_interleave(count)
        group = member.repeat(frames)
        age = number[:, None] - number[None]
        bias = attention.age_bias[:, age.clamp(0, attention.window - 1)]
        seen = (age >= 0) & (age < attention.window) & (group[:, None] == group[None])
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias
        y = scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v
        return attention.out(y.transpose(1, 2).reshape(x.shape))
    return forward


def test_shared_context_gives_each_candidate_its_own_future(predictor, clip):
    tokens, actions = clip
    context = Context(tokens[0, :3], actions[0, :2])
    goal, candidates = tokens[1, 0], torch.randn(5, 4, 2)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    memory = remember(predictor, context)
    subset, objective = torch.arange(len(goal)), GoalDistance(predictor, tuple(weights.tolist()))
    costs = imagine(predictor, memory, goal, subset, candidates, objective)
    for number, candidate in enumerate(candidates):
        alone = imagine(predictor, memory, goal, subset, candidate[None], objective)
        torch.testing.assert_close(alone[0], costs[number])
    torch.testing.assert_close(costs[0], by_the_whole_pass(
        predictor, context, goal, candidates[0], weights))


def by_the_whole_pass(predictor, context, goal, candidate, weights):
    tokens, actions, cost = context.tokens[None], context.actions[None], 0.0
    for step, action in enumerate(candidate):
        actions = torch.cat([actions, action[None, None]], 1)
        following = predictor(tokens, actions)[:, -1:]
        cost += weights[step] * (following[0, 0] - goal).square().mean()
        tokens = torch.cat([tokens, following], 1)
    return cost
