# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One search: a question with all that its answer depends on, so that it can be asked again.

What is drawn and averaged are arrays; here they meet the tensors of what imagines them. Where a
question comes from, and what is done with the answer, is the matter of `planner.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from safetensors import safe_open, SafetensorError
from safetensors.torch import save_file
import torch
from torch import Tensor

from sparse_imagination_ros.errors import PlanningError
from sparse_imagination_ros.imagination.reference import (
    Context,
    Imagine,
    imagine,
    Objective,
    remember,
)
from sparse_imagination_ros.planning.cem import elite_weights
from sparse_imagination_ros.planning.mppi import (
    Grant,
    optimise,
    Optimum,
    Refinement,
    softmax_weights,
    Weigh,
)
from sparse_imagination_ros.planning.objective import action_cost, judged
from sparse_imagination_ros.planning.plan import Array
from sparse_imagination_ros.planning.proposals import Bounds, Proposals, Spread
from sparse_imagination_ros.world_models.predictor import Predictor

OPTIMISERS: dict[str, Weigh] = {'mppi': softmax_weights, 'cem': elite_weights}
SEED, CANDIDATES, GRANTED = 'seed', 'candidates', 'granted'


@dataclass(frozen=True)
class Question:
    """
    What a search starts from, in units of the action limits.

    tokens: [H, K, D] and actions: [H - 1, F * A] of the context; goal: [K, D]; subset: [K];
    nominal: [T, A], the last plan; elites: [E, T, A] of it; priors: [M, T, A], proposed by others;
    committed: [T, A], what the robot is told until the plan can be ready, and known: [T, 1], for
    what share of each action; last: [A], what it was told last.
    """

    tokens: Tensor
    actions: Tensor
    goal: Tensor
    subset: Tensor
    nominal: Array
    elites: Array
    priors: Array
    committed: Array
    known: Array
    last: Array
    candidates: int
    seed: int


@dataclass(frozen=True)
class Method:
    """
    How a search is done; bounds: [A] each, `rate` being that of one command to the next.

    draws: how many futures of each candidate are imagined; worst_share: by which of them it is
    judged.
    """

    objective: Objective
    spread: Spread
    low: Array
    high: Array
    rate: Array
    frameskip: int
    refinement: Refinement
    optimiser: str
    effort_cost: float
    change_cost: float
    imagine: Imagine = imagine
    draws: int = 1
    worst_share: float = 1.0


def search(
    predictor: Predictor, method: Method, question: Question, iterations: int, grant: Grant,
    remembered: Callable[[], None] = lambda: None,
) -> Optimum:
    """
    Answer a question.

    `remembered` is called when the context is ready for candidates. The method's objective may
    break off what was granted (`OutOfTimeError`).
    """
    memory = remember(predictor, Context(question.tokens, question.actions), method.draws)
    remembered()
    last = torch.from_numpy(question.last)
    given = torch.from_numpy(question.known * question.committed)
    free = torch.from_numpy(1 - question.known)
    proposals = Proposals(
        (question.candidates, *question.nominal.shape), method.spread,
        Bounds(method.low, method.high, method.rate, question.last),
        np.random.default_rng(question.seed))

    def draw(nominal: Array, sigma: float, elites: Array) -> Array:
        return proposals(nominal, sigma, np.concatenate([question.priors, elites]))

    def costs_of(candidates: Array) -> Array:
        # Until this plan can be ready the robot goes on with what it is told.
        commands = given + free * torch.from_numpy(candidates)
        actions = commands.reshape(len(commands), -1, len(last) * method.frameskip)
        # The futures of a candidate lie together, so that each can be told from its place.
        costs = method.imagine(
            predictor, memory, question.goal, question.subset,
            actions.repeat_interleave(method.draws, 0), method.objective)
        if method.draws > 1:
            costs = judged(costs.reshape(-1, method.draws), method.worst_share)
        if method.effort_cost or method.change_cost:
            costs = costs + action_cost(commands, last, method.effort_cost, method.change_cost)
        return costs.numpy()

    return optimise(
        question.nominal, question.elites, costs_of, draw, OPTIMISERS[method.optimiser],
        method.refinement, iterations, grant)


@dataclass(frozen=True)
class Record:
    """A search that was done: the question, and what was granted to it."""

    question: Question
    granted: tuple[tuple[int, ...], ...]


@torch.inference_mode()
def replay(predictor: Predictor, method: Method, record: Record) -> Optimum:
    """Search again as it was done: on the same engine the answer is the same, bit for bit."""
    return search(predictor, method, record.question, len(record.granted),
                  _granted_again(record))


def write_record(path: Path, record: Record) -> None:
    """Keep a search in one file."""
    question = record.question
    tensors = {field.name: torch.as_tensor(getattr(question, field.name)).contiguous()
               for field in fields(Question) if field.type is not int}
    save_file(tensors, path, {
        SEED: str(question.seed), CANDIDATES: str(question.candidates),
        GRANTED: ' '.join(','.join(map(str, chunks)) for chunks in record.granted)})


def read_record(path: Path) -> Record:
    """Read a search that was kept."""
    try:
        with safe_open(path, 'pt') as file:
            facts = file.metadata()
            # Copies lie in memory as the originals did: products depend on that, by a last bit.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        granted = tuple(tuple(map(int, chunks.split(','))) for chunks in facts[GRANTED].split())
        arrays = {field.name: tensors.pop(field.name).numpy()
                  for field in fields(Question) if field.type == Array}
        return Record(Question(
            **tensors, **arrays, candidates=int(facts[CANDIDATES]), seed=int(facts[SEED])),
            granted)
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise PlanningError(f'{path} does not hold a recorded search ({error})') from error


def _granted_again(record: Record) -> Grant:
    def counts() -> Iterator[int]:
        for chunks in record.granted:
            yield from chunks
            # An iteration that was cut short asked once more.
            if sum(chunks) < record.question.candidates:
                yield 0

    again = counts()
    return lambda left: next(again)
