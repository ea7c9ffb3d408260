# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The imagination in plain torch. It defines what is right; every other engine is held to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from sparse_imagination_ros.world_models.predictor import Cache, Predictor, State


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

    state: State
    cache: Cache


@dataclass(frozen=True)
class Moment:
    """
    What all candidates have come to after some step, as an objective sees it.

    state: of the predictor, N frames; goal: [K, D]; subset: [K], the positions in the picture of
    its tokens and the goal's; candidates: [N, T, A], the actions of all model steps; step: the
    last that was imagined, from 0. A predictor that takes several at once shows some of them.
    """

    predictor: Predictor
    state: State
    goal: Tensor
    subset: Tensor
    candidates: Tensor
    step: int

    @property
    def tokens(self) -> Tensor:
        """The tokens [N, K, D] that were predicted; some predictors must decode them first."""
        return self.predictor.tokens(self.state)


# What a moment adds to each candidate's cost, [N].
Objective = Callable[[Moment], Tensor]
# What the `extend` of a predictor does.
Extend = Callable[[State, Tensor, Cache], tuple[State, Cache]]
# What an engine is: the function `imagine` below, however it is computed.
Imagine = Callable[[Predictor, Memory, Tensor, Tensor, Tensor, Objective], Tensor]


def remember(predictor: Predictor, context: Context, draws: int = 1) -> Memory:
    """
    Run the frames before the last one through the predictor, with a batch of one.

    draws: how many futures of each candidate will be asked for, one after another.
    """
    return remember_all(
        predictor, Context(context.tokens[None], context.actions[None]), draws)


def remember_all(predictor: Predictor, contexts: Context, draws: int = 1) -> Memory:
    """Make several contexts ready, each for candidates of its own: [B, H, K, D], [B, H - 1, A]."""
    cache = predictor.empty_cache()
    for tokens, actions in zip(
            contexts.tokens[:, :-1].unbind(1), contexts.actions.unbind(1), strict=True):
        _, cache = predictor.extend(predictor.start(tokens), actions, cache)
    return Memory(predictor.start(contexts.tokens[:, -1], draws), cache)


def imagine(
    predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor, candidates: Tensor,
    objective: Objective,
) -> Tensor:
    """
    Roll every candidate out and return its cost, [N].

    goal: [K, D]; subset: [K]; candidates: [N, T, A].
    """
    return imagine_by(predictor.extend, predictor, memory, goal, subset, candidates, objective)


def imagine_by(
    extend: Extend, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
    candidates: Tensor, objective: Objective,
) -> Tensor:
    """Imagine with another way to do what the predictor's `extend` does."""
    state, cache = memory.state, memory.cache
    costs = candidates.new_zeros(len(candidates))
    for steps in strides(candidates.shape[1], predictor.stride):
        for last in looked_at(steps, predictor.looks):
            taken = candidates[:, steps.start:last + 1].flatten(1)
            reached, grown = extend(state, taken, cache)
            costs = costs + objective(
                Moment(predictor, reached, goal, subset, candidates, last))
        state, cache = reached, grown
    return costs


def imagine_steps(predictor: Predictor, memory: Memory, actions: Tensor) -> Iterator[State]:
    """
    Yield what actions [N, T, A] have come to after every step, also within a stride.

    That is for people and their pages: it takes longer than `imagine`, which agrees with it.
    """
    state, cache = memory.state, memory.cache
    for steps in strides(actions.shape[1], predictor.stride):
        for last in steps:
            taken = actions[:, steps.start:last + 1].flatten(1)
            reached, grown = predictor.extend(state, taken, cache)
            yield reached
        state, cache = reached, grown


def looked_at(steps: range, looks: int) -> list[int]:
    """Return after which steps of a stride it is looked at: the last, that half way there, ..."""
    counts = {len(steps) >> number for number in range(looks)} - {0}
    return [steps[count - 1] for count in sorted(counts)]


def strides(steps: int, stride: int) -> list[range]:
    """Return which of so many model steps are taken together."""
    return [range(first, min(first + stride, steps)) for first in range(0, steps, stride)]
