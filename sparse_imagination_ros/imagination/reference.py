# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The imagination in plain torch. It defines what is right; every other engine is held to it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from sparse_imagination_ros.world_models.predictor import Cache, Predictor, Stepper


@dataclass(frozen=True)
class Context:
    """
    What was seen last, on the subset.

    tokens: [H, K, D], of frames one model step apart, as the predictor observes them;
    actions: [H - 1, A], taken between them.
    """

    tokens: Tensor
    actions: Tensor


@dataclass(frozen=True)
class Memory:
    """A context made ready once for all candidates: the last frame, and what came before it."""

    tokens: Tensor
    cache: Cache


@dataclass(frozen=True)
class Moment:
    """
    One imagined step of all candidates, as an objective sees it.

    tokens: [N, K, D], predicted after the step; goal: [K, D]; subset: [K], the positions of both
    in the picture; candidates: [N, T, A], the actions of all model steps; step: from 0.
    """

    tokens: Tensor
    goal: Tensor
    subset: Tensor
    candidates: Tensor
    step: int


# What a step adds to each candidate's cost, [N].
Objective = Callable[[Moment], Tensor]
# What an engine is: the function `imagine` below, however it is computed.
Imagine = Callable[[Predictor, Memory, Tensor, Tensor, Tensor, Objective], Tensor]


def remember(predictor: Predictor, context: Context) -> Memory:
    """Run the frames before the last one through the predictor, with a batch of one."""
    cache = predictor.empty_cache()
    last = len(context.tokens) - 1
    for number in range(last):
        _, cache = predictor.extend(
            context.tokens[None, number], context.actions[None, number], cache)
    return Memory(context.tokens[last], cache)


def imagine(
    predictor: Stepper, memory: Memory, goal: Tensor, subset: Tensor, candidates: Tensor,
    objective: Objective,
) -> Tensor:
    """
    Roll every candidate out and return its cost, [N].

    goal: [K, D]; subset: [K]; candidates: [N, T, A].
    """
    tokens = memory.tokens.expand(len(candidates), -1, -1)
    cache = memory.cache
    costs = candidates.new_zeros(len(candidates))
    for step in range(candidates.shape[1]):
        tokens, cache = predictor.extend(tokens, candidates[:, step], cache)
        costs = costs + objective(Moment(tokens, goal, subset, candidates, step))
    return costs
