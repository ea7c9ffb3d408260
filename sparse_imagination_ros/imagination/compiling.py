# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Tries engines with a bundle: whether they order candidates as the reference does, and how fast.

What is found is kept by `verdict.py`; where the samples come from is decided by who asks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean, median, quantiles
from time import perf_counter

import torch
from torch import Tensor

from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.imagination.engines import ready_engine, REFERENCE
from sparse_imagination_ros.imagination.reference import (
    Context,
    Imagine,
    Moment,
    Objective,
    remember,
)
from sparse_imagination_ros.imagination.sparing import is_of_memory
from sparse_imagination_ros.imagination.verdict import facts_of, Row, Size, Variant, Verdict
from sparse_imagination_ros.world_models.bundle import Bundle

# The ranks of candidates must agree so well with the reference's.
GATE = 0.99
# Each is timed until it took so long, and at least and at most so many times.
TIMED_S, FEWEST_TIMES, MOST_TIMES = 2.0, 5, 200


@dataclass(frozen=True)
class Sample:
    """
    Something to imagine: tokens [H, P, D], actions [H - 1, A] and goal [P, D].

    order: [P], the tokens in the order in which they are taken.
    """

    tokens: Tensor
    actions: Tensor
    goal: Tensor
    order: Tensor


def tried(
    bundle: Bundle, variants: Sequence[Variant], sizes: Sequence[Size], samples: Sequence[Sample],
    judged_on: str, progress: Callable[[str], None] = lambda what: None,
) -> Verdict:
    """Try variants of engines; the reference is always among them."""
    everyone = [Variant(REFERENCE), *(v for v in variants if v.engine != REFERENCE)]
    rows: list[Row] = []
    refused: dict[str, str] = {}
    for size in sizes:
        engines: dict[Variant, Imagine] = {}
        correlations: dict[Variant, float] = {}
        right = [torch.empty(0)] * len(samples)
        for variant in everyone:
            if str(variant) in refused:
                continue
            progress(f'{variant}: {size.tokens} tokens x {size.candidates} candidates')
            try:
                engine = ready_engine(variant, bundle, [(size.tokens, size.candidates)])
                costs = [imagined(bundle, engine, size, sample)() for sample in samples]
                if variant.engine == REFERENCE:
                    right = costs
                correlations[variant] = min(map(rank_correlation, costs, right))
                if not correlations[variant] >= GATE:
                    raise EngineError(
                        f'it orders {size.candidates} candidates of {size.tokens} tokens '
                        f'otherwise than the reference: rank correlation '
                        f'{correlations[variant]:.4f}, needed is {GATE}')
                engines[variant] = engine
            except EngineError as error:
                refused[str(variant)] = str(error)
            except (MemoryError, RuntimeError) as error:
                if not is_of_memory(error):
                    raise
                reason = (f'memory does not suffice for {size.candidates} candidates of '
                          f'{size.tokens} tokens')
                if variant.engine == REFERENCE:
                    raise EngineError(f'{reason}: ask for fewer') from error
                refused[str(variant)] = reason
        times = in_turns({
            variant: imagined(bundle, engine, size, samples[0])
            for variant, engine in engines.items()})
        for variant, taken_ms in times.items():
            rows.append(Row(
                variant.engine, variant.precision, size.tokens, size.candidates, size.horizon,
                median(taken_ms), quantiles(taken_ms, n=20)[-1], correlations[variant]))
    standing = [variant for variant in everyone if str(variant) not in refused]
    best = min(standing, key=lambda variant: _mean_ms(rows, variant))
    return Verdict(facts_of(bundle), best, tuple(rows), refused, judged_on)


def imagined(
    bundle: Bundle, engine: Imagine, size: Size, sample: Sample,
) -> Callable[[], Tensor]:
    """Return what imagines a sample with so much effort, and returns the costs [N]."""
    generator = torch.Generator().manual_seed(size.tokens)
    action_size = bundle.manifest.predictor.action_size
    candidates = 2 * torch.rand(
        size.candidates, size.horizon, action_size, generator=generator) - 1
    subset = sample.order[:size.tokens]
    goal = sample.goal[subset]
    context = Context(sample.tokens[:, subset], sample.actions)
    objective = _distance(bundle)

    @torch.inference_mode()
    def run() -> Tensor:
        return engine(bundle.predictor, remember(bundle.predictor, context), goal, subset,
                      candidates, objective)

    return run


def rank_correlation(costs: Tensor, right: Tensor) -> float:
    """Return by how much two costs [N] of the same candidates agree on their order, at most 1."""
    if not costs.isfinite().all():
        return 0.0
    if len(costs) < 2 or torch.equal(costs, right):
        return 1.0
    ranks = torch.stack([costs, right]).argsort(1).argsort(1).double()
    return float(torch.corrcoef(ranks)[0, 1])


def in_turns(runs: Mapping[Variant, Callable[[], object]]) -> dict[Variant, list[float]]:
    """Time several things, milliseconds: in turns, so that a disturbance meets all of them."""
    taken_ms: dict[Variant, list[float]] = {variant: [] for variant in runs}
    for run in runs.values():
        run()
    while True:
        left = [variant for variant, ms in taken_ms.items() if len(ms) < FEWEST_TIMES or (
            sum(ms) < 1000 * TIMED_S and len(ms) < MOST_TIMES)]
        if not left:
            return taken_ms
        for variant in left:
            began_s = perf_counter()
            runs[variant]()
            taken_ms[variant].append(1000 * (perf_counter() - began_s))


def _distance(bundle: Bundle) -> Objective:
    def distance(moment: Moment) -> Tensor:
        return bundle.predictor.distance(moment.state, moment.goal)
    return distance


def _mean_ms(rows: Sequence[Row], variant: Variant) -> float:
    """Return the geometric mean over all sizes: each counts the same, the large and the small."""
    return exp(fmean(log(row.ms_p50) for row in rows
                     if Variant(row.engine, row.precision) == variant))
