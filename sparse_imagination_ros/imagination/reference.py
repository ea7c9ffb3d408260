# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The imagination in plain torch. It defines what is right; every other engine is held to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sparse_imagination_ros.world_models.sparse import Cache, SparsePredictor


@dataclass(frozen=True)
class Context:
    """
    What was seen last, on the subset.

    tokens: [H, K, D], of frames one model step apart; actions: [H - 1, A], taken between them.
    """

    tokens: Tensor
    actions: Tensor


@dataclass(frozen=True)
class Memory:
    """
    A context made ready once for all candidates.

    tokens: [K, D], the last frame; caches: what came before it, as each predictor knows it.
    """

    tokens: Tensor
    caches: tuple[Cache, ...]


def remember(predictors: Sequence[SparsePredictor], context: Context) -> Memory:
    """Run the frames before the last one through each predictor, with a batch of one."""
    return Memory(
        context.tokens[-1], tuple(_remember(predictor, context) for predictor in predictors))


def imagine(
    predictors: Sequence[SparsePredictor], memory: Memory, goal: Tensor, candidates: Tensor,
    weights: Tensor,
) -> Tensor:
    """
    Roll every candidate out and return its cost, [N]: the highest that any predictor foresees.

    A search finds the futures that a predictor is wrong about, such as ways through a wall.
    Predictors that were trained apart are seldom wrong alike, so the one that warns is believed.

    goal: [K, D]; candidates: [N, T, A]; weights: [T], what the distance after each step counts.
    """
    costs = [_roll_out(predictor, memory.tokens, cache, goal, candidates, weights)
             for predictor, cache in zip(predictors, memory.caches, strict=True)]
    return torch.stack(costs).amax(0)


def _remember(predictor: SparsePredictor, context: Context) -> Cache:
    cache = predictor.empty_cache()
    for tokens, action in zip(context.tokens[:-1], context.actions, strict=True):
        _, cache = predictor.extend(tokens[None], action[None], cache)
    return cache


def _roll_out(
    predictor: SparsePredictor, last: Tensor, cache: Cache, goal: Tensor, candidates: Tensor,
    weights: Tensor,
) -> Tensor:
    tokens = last.expand(len(candidates), -1, -1)
    costs = candidates.new_zeros(len(candidates))
    for step in range(candidates.shape[1]):
        tokens, cache = predictor.extend(tokens, candidates[:, step], cache)
        costs = costs + weights[step] * (tokens - goal).square().mean((-1, -2))
    return costs
