# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
An engine that does each model step by a graph, which was made for the shapes of that step.

The loop over the steps and the objective stay those of the reference, so that an imagination can
be watched, and broken off, between steps. What makes graphs lives in the files of the engines.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import nn, Tensor

from sparse_imagination_ros.imagination.graphs import Graph, Maker
from sparse_imagination_ros.imagination.reference import imagine_by, Memory, Objective
from sparse_imagination_ros.world_models.predictor import Cache, Predictor

Shapes = tuple[torch.Size, ...]


class Step(nn.Module):
    """
    One model step on tensors alone, so that a graph can be made of it.

    wanted: which tensors of the cache that it makes are new.
    """

    def __init__(self, predictor: Predictor, places: Any, wanted: tuple[int, ...]) -> None:
        super().__init__()
        self.predictor, self.places, self.wanted = predictor, places, wanted

    def forward(self, tokens: Tensor, actions: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Return the prediction [N, K, D], and what is new in the cache."""
        predicted, cache = self.predictor.extend(tokens, actions, _filled(self.places, past))
        kept = list(_leaves(cache))
        return (predicted, *(kept[number] for number in self.wanted))


@dataclass(frozen=True)
class _Part:
    """A graph; cache: the cache after it, with numbers of its inputs and outputs for tensors."""

    graph: Graph
    cache: Any


class Stepwise:
    """
    Imagines as the reference does, with graphs for the steps of the sizes that were prepared.

    Nothing is made while it imagines: a step of another size is done by the reference.
    """

    def __init__(self, maker: Maker, predictor: Predictor) -> None:
        self._maker, self._predictor = maker, predictor
        self._steps: dict[str, Step] = {}
        self._parts: dict[Shapes, _Part] = {}

    def __call__(
        self, predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
        candidates: Tensor, objective: Objective,
    ) -> Tensor:
        """Roll every candidate out and return its cost, [N]."""
        assert predictor is self._predictor, 'its graphs are of another predictor'
        return imagine_by(
            self._extend, predictor, memory, goal, subset, candidates, objective)

    @torch.no_grad()
    def prepare(self, tokens: Tensor, actions: Tensor) -> None:
        """
        Make and check the graphs for all lengths of the context.

        tokens: [N, K, D] and actions: [N, A], such as there may be.
        """
        for frames in count():
            cache, known = self._predictor.empty_cache(), len(self._parts)
            for _ in range(frames):
                # What was seen is the same for all candidates.
                _, cache = self._predictor.extend(tokens[:1], actions[:1], cache)
            state = tokens[:1]
            while (shapes := _shapes(state, actions, cache)) not in self._parts:
                self._parts[shapes], state, cache = self._make(state, actions, cache)
            if len(self._parts) == known:
                return

    def _extend(self, tokens: Tensor, actions: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        part = self._parts.get(_shapes(tokens, actions, cache))
        if part is None:
            return self._predictor.extend(tokens, actions, cache)
        inputs = [tokens, actions, *_leaves(cache)]
        outputs = part.graph(inputs)
        return outputs[0], _filled(part.cache, [*inputs, *outputs])

    def _make(
        self, tokens: Tensor, actions: Tensor, cache: Cache,
    ) -> tuple[_Part, Tensor, Cache]:
        inputs = [tokens, actions, *_leaves(cache)]
        predicted, grown = self._predictor.extend(tokens, actions, cache)
        places = {id(tensor): place for place, tensor in enumerate(inputs)}
        expected, wanted = [predicted], []
        for number, leaf in enumerate(_leaves(grown)):
            if id(leaf) not in places:
                places[id(leaf)] = len(inputs) + len(expected)
                expected.append(leaf)
                wanted.append(number)
        past = count()
        form = _mapped(cache, lambda _: next(past))
        # Of other sizes, but with the same inputs shared by all candidates, it is the same step.
        shared = [len(leaf) < len(actions) for leaf in inputs]
        step = self._steps.setdefault(
            repr((form, wanted, shared)), Step(self._predictor, form, tuple(wanted)).eval())
        graph = self._maker(
            step, inputs, expected,
            f'a step of {tokens.shape[1]} tokens x {len(actions)} candidates')
        return _Part(graph, _mapped(grown, lambda leaf: places[id(leaf)])), predicted, grown


def _shapes(tokens: Tensor, actions: Tensor, cache: Cache) -> Shapes:
    return (tokens.shape, actions.shape, *(leaf.shape for leaf in _leaves(cache)))


def _leaves(tree: Any) -> Iterator[Tensor]:
    """List the tensors of nested lists and tuples."""
    if isinstance(tree, Tensor):
        yield tree
    else:
        for branch in tree:
            yield from _leaves(branch)


def _mapped(tree: Any, change: Callable[[Tensor], int]) -> Any:
    """Return nested lists and tuples with other things for their tensors."""
    if isinstance(tree, Tensor):
        return change(tree)
    return type(tree)(_mapped(branch, change) for branch in tree)


def _filled(tree: Any, tensors: Sequence[Tensor]) -> Any:
    """Return nested lists and tuples with tensors for their numbers."""
    if isinstance(tree, int):
        return tensors[tree]
    return type(tree)(_filled(branch, tensors) for branch in tree)
