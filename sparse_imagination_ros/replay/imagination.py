# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How well the model imagines a recorded drive: from the commands that were given, step by step.

Segments are imagined many at a time. What is said of the numbers is decided in `quality.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from sparse_imagination_ros.imagination.reference import (
    Context,
    imagine,
    imagine_steps,
    remember,
    remember_all,
)
from sparse_imagination_ros.planning.planner import method_of, PlannerConfig
from sparse_imagination_ros.planning.proposals import Bounds, Proposals
from sparse_imagination_ros.replay.segments import evenly, Segments
from sparse_imagination_ros.replay.tape import Tape
from sparse_imagination_ros.tokens.subsets import SUBSETS
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.predictor import Predictor

# So many segments are imagined together.
TOGETHER = 64

Report = Callable[[float], None]


@dataclass(frozen=True)
class Imagined:
    """
    What was imagined from S segments with K of P tokens, beside what was seen.

    model, still, change: [S, T], mean squared error of a token's numbers, of the model and of two
    guesses: nothing changes, and what changes is the mean change. NaN where nothing was seen.
    model_at, still_at: [T, P], the mean error at each place of the picture; NaN where none fell.
    near: [S, 2, T + 1], distances to the last picture of a segment, really and as imagined, from
    the beginning on; NaN for segments that are not of full length.
    rank: [R], the share of candidates that the model holds for better than what was commanded.
    ranked: [R], which segments these are.
    """

    tokens: int
    model: NDArray[np.float64]
    still: NDArray[np.float64]
    change: NDArray[np.float64]
    model_at: NDArray[np.float64]
    still_at: NDArray[np.float64]
    near: NDArray[np.float64]
    rank: NDArray[np.float64]
    ranked: NDArray[np.int64]


@torch.inference_mode()
def imagine_segments(
    tape: Tape, segments: Segments, bundle: Bundle, tokens: int, planning: PlannerConfig,
    ranked: int, report: Report = lambda share: None,
) -> Imagined:
    """Imagine every segment with a number of tokens, drawn anew for each."""
    predictor: Predictor = bundle.predictor
    count, places = len(segments), bundle.manifest.total_tokens
    horizon = segments.pictures.shape[1] - segments.context
    subsets = draw_subsets(count, places, tokens, planning)
    change = mean_change(tape, segments)
    errors = np.full((3, count, horizon), np.nan)
    sums, hits = np.zeros((2, horizon, places)), np.zeros((horizon, places))
    near = np.full((count, 2, horizon + 1), np.nan)
    for part in _parts(count):
        real = some_tokens(tape, segments.pictures[part], subsets[part])
        start, future = real[:, segments.context - 1], real[:, segments.context:]
        guessed = roll_out(bundle, real[:, :segments.context], segments.actions[part])
        drifted = start[:, None] + _at(change, subsets[part])
        seen = np.arange(horizon) < segments.ahead[part, None]
        squares = [(guess - future).square().mean(-1).double().numpy()
                   for guess in (guessed, start[:, None].expand_as(future), drifted)]
        for number, square in enumerate(squares):
            errors[number, part] = np.where(seen, square.mean(-1), np.nan)
        for b, s in enumerate(range(part.start, part.stop)):
            rows = seen[b].nonzero()[0][:, None]
            for number in range(2):
                sums[number][rows, subsets[s]] += squares[number][b][seen[b]]
            hits[rows, subsets[s]] += 1
            if seen[b].all():
                way = (real[b, segments.context - 1:],
                       torch.cat([start[b][None], guessed[b]]))
                near[s] = [predictor.distance(
                    predictor.start(tokens), future[b, -1]) for tokens in way]
        report(part.stop / count / (2 if ranked else 1))
    full = np.flatnonzero(segments.ahead == horizon)
    chosen = full[evenly(len(full), ranked)] if len(full) else full
    rank = np.zeros(len(chosen))
    for number, s in enumerate(chosen):
        rank[number] = rank_of(tape, segments, int(s), subsets[s], bundle, planning)
        report(0.5 + 0.5 * (number + 1) / len(chosen))
    with np.errstate(invalid='ignore'):
        at = sums / hits
    model, still, drift = errors
    model_at, still_at = at
    return Imagined(tokens, model, still, drift, model_at, still_at, near, rank, chosen)


def draw_subsets(
    count: int, places: int, tokens: int, planning: PlannerConfig,
) -> NDArray[np.int64]:
    """Draw which tokens are imagined in each of S segments, [S, K]."""
    generator = torch.Generator().manual_seed(planning.seed)
    # There is no goal here, from which some would differ more.
    alike = torch.ones(places)
    drawn = [SUBSETS[planning.subset](alike, tokens, generator).numpy() for _ in range(count)]
    return np.array(drawn, np.int64).reshape(count, tokens)


def some_tokens(
    tape: Tape, pictures: NDArray[np.int64], subsets: NDArray[np.int64],
) -> Tensor:
    """Return tokens [B, F, K, D] of pictures [B, F] at positions [B, K]."""
    return torch.from_numpy(np.asarray(tape.tokens[pictures[:, :, None], subsets[:, None]]))


def roll_out(bundle: Bundle, context: Tensor, actions: NDArray[np.float32]) -> Tensor:
    """
    Imagine what follows, step by step from what was imagined, [B, T, K, D].

    context: [B, H, K, D]; actions: [B, H + T - 1, A].
    """
    predictor: Predictor = bundle.predictor
    given, before = torch.from_numpy(actions), context.shape[1] - 1
    memory = remember_all(predictor, Context(context, given[:, :before]))
    return torch.stack([predictor.tokens(state) for state in imagine_steps(
        predictor, memory, given[:, before:])], 1)


def mean_change(tape: Tape, segments: Segments) -> Tensor:
    """Return how much each token changes on average in 1 .. T steps, [T, P, D]."""
    horizon = segments.pictures.shape[1] - segments.context
    total = np.zeros((horizon, *tape.tokens.shape[1:]))
    for row, ahead in zip(segments.pictures, segments.ahead, strict=True):
        future = row[segments.context:segments.context + ahead]
        total[:ahead] += tape.tokens[future] - tape.tokens[row[segments.context - 1]]
    counts = (segments.ahead[:, None] > np.arange(horizon)).sum(0)
    return torch.from_numpy(total / np.maximum(1, counts)[:, None, None]).float()


def rank_of(
    tape: Tape, segments: Segments, number: int, subset: NDArray[np.int64], bundle: Bundle,
    planning: PlannerConfig,
) -> float:
    """
    Return which share of a planner's candidates it holds for better than what was commanded.

    The goal is the last picture of the segment, and the candidates those of a first iteration.
    """
    row, actions = segments.pictures[number], segments.actions[number]
    real = some_tokens(tape, row[None], subset[None])[0]
    before = segments.context - 1
    recorded, size = actions[before:], len(bundle.manifest.actions.names)
    still = np.zeros((1, recorded.size // size, size), np.float32)
    # It was told this last, or nothing.
    last = np.concatenate([still[0, :1], actions[:before].reshape(-1, size)])[-1]
    method = method_of(bundle, planning)
    draw = Proposals(
        (planning.candidates, *still.shape[1:]), method.spread,
        Bounds(method.low, method.high, method.rate, last),
        np.random.default_rng(planning.seed + number))
    drawn = draw(still[0], planning.sigma, still[:0])
    candidates = np.concatenate([recorded[None], drawn.reshape(len(drawn), *recorded.shape)])
    memory = remember(bundle.predictor, Context(
        real[:segments.context], torch.from_numpy(actions[:before])))
    costs = imagine(
        bundle.predictor, memory, real[-1], torch.from_numpy(subset),
        torch.from_numpy(candidates), method.objective)
    return float((costs[1:] < costs[0]).double().mean())


def _at(change: Tensor, subsets: NDArray[np.int64]) -> Tensor:
    """Pick [T, P, D] at positions [B, K]: [B, T, K, D]."""
    return change[:, torch.from_numpy(subsets)].movedim(1, 0)


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, TOGETHER):
        yield slice(first, min(first + TOGETHER, count))
