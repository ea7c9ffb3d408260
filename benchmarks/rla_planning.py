# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How fast candidates are imagined by whole chunks, and whether their costs rank them rightly.

    python benchmarks/rla_planning.py --sparse models/rooms --rla models/rla --json planning.json

`milliseconds`: of one iteration of a search, over the same span, by number of tokens; all take
turns. `rank`: Spearman's correlation of costs after the last step with those of what really
happens, when the simulator does what the candidates say: of real tokens, and of metres.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
import json
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import Generator, Tensor

from sparse_imagination_ros.errors import BundleError
from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks, rank_correlation
from sparse_imagination_ros.imagination.reference import Context, imagine, remember
from sparse_imagination_ros.planning.objective import GoalDistance, step_weights
from sparse_imagination_ros.planning.planner import method_of, PlannerConfig
from sparse_imagination_ros.planning.proposals import Bounds, Proposals
from sparse_imagination_ros.sim.world import World
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Picture, shrink
from sparse_imagination_ros.tokens.subsets import differing_subset, random_subset
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import LATENT, TOKENS

COMMAND_S = 0.1


@dataclass(frozen=True)
class Time:
    """Milliseconds of an iteration."""

    arm: str
    tokens: int
    min_ms: float
    median_ms: float


@dataclass(frozen=True)
class Rank:
    """How costs rank candidates, beside what really happens, measured as `truth` says."""

    arm: str
    truth: str
    estimate: Estimate


def by(bundle: Bundle, distance: str) -> Bundle:
    """Return the same RLA bundle with the distance taken of latents, or of decoded tokens."""
    if not isinstance(bundle.predictor, RlaPredictor):
        raise BundleError(f'a bundle is of the family {bundle.manifest.family}, not rla')
    predictor = RlaPredictor(replace(bundle.predictor.shape, distance=distance))
    predictor.load_state_dict(bundle.predictor.state_dict())
    return replace(bundle, predictor=predictor.eval().requires_grad_(False))


@torch.inference_mode()
def times(
    arms: Mapping[str, Bundle], counts: Sequence[int], candidates: int, steps: int, rounds: int,
) -> list[Time]:
    """Let all arms imagine as many candidates, in turns."""
    rows = []
    for tokens in counts:
        calls = {name: _iteration(bundle, tokens, candidates, steps)
                 for name, bundle in arms.items()}
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(rounds + 1):
            for name, call in calls.items():
                began_s = perf_counter()
                call()
                if number:
                    taken[name].append(1000 * (perf_counter() - began_s))
        rows += [Time(name, tokens, min(ms), median(ms)) for name, ms in taken.items()]
    return rows


def _iteration(
    bundle: Bundle, tokens: int, candidates: int, steps: int,
) -> Callable[[], Tensor]:
    predictor, generator = bundle.predictor, Generator().manual_seed(0)
    total, width = bundle.manifest.total_tokens, bundle.manifest.encoder.width
    frames = predictor.observe(torch.randn(2, total, width, generator=generator),
                               torch.zeros(2, 0))
    subset = random_subset(total, tokens, generator)
    size = bundle.manifest.predictor.action_size
    drawn = torch.randn(candidates, steps, size, generator=generator)
    memory = remember(predictor, Context(frames[:1, subset], drawn[0, :0]))
    weights = step_weights(steps, bundle.manifest.lookahead.growth, predictor.stride,
                           predictor.looks)
    objective = GoalDistance(predictor, tuple(weights.tolist()))
    return lambda: imagine(predictor, memory, frames[1, subset], subset, drawn, objective)


@torch.inference_mode()
def ranks(
    arms: Mapping[str, Bundle], questions: int, candidates: int, tokens: int, steps: int,
    seed: int,
) -> list[Rank]:
    """Ask from drawn places what candidates lead to; then let them happen."""
    found: dict[tuple[str, str], list[float]] = {}
    bundle = next(iter(arms.values()))
    world = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
    for number in range(seed, seed + questions):
        world.reset(number, 'held_out')
        rng, generator = np.random.default_rng(number), Generator().manual_seed(number)
        _wander(world, number, rng)
        goal = world.draw_place(rng)
        drawn = _candidates(bundle, candidates, steps, rng)
        ends = [_ended(world, bundle, one) for one in drawn]
        encoded = _tokens(bundle, [world.picture(), world.picture_at(goal)])
        reached = _tokens(bundle, [end.picture() for end in ends])
        subset = differing_subset(
            (encoded[0] - encoded[1]).square().mean(-1), tokens, generator)
        truths = {
            'tokens': (reached - encoded[1]).square().mean((1, 2)).double().numpy(),
            'metres': np.array([end.away(goal) for end in ends])}
        for name, arm in arms.items():
            frames = arm.predictor.observe(encoded, torch.zeros(2, 0))
            costs = arm.costs(Context(frames[:1], torch.zeros(0, drawn.shape[2])), frames[1],
                              drawn, subset, inf).double().numpy()
            for truth, values in truths.items():
                found.setdefault((name, truth), []).append(rank_correlation(costs, values))
    return [Rank(*key, over_blocks(
        np.array(values), np.ones(len(values)), np.arange(len(values)), 0))
        for key, values in found.items()]


def _tokens(bundle: Bundle, pictures: Sequence[Picture]) -> Tensor:
    size = bundle.manifest.encoder.image_size
    tokens: Tensor = bundle.encoder(
        torch.from_numpy(np.stack([shrink(picture, size) for picture in pictures])))
    return tokens


def _wander(world: World, seed: int, rng: np.random.Generator) -> None:
    explorer = world.explorer(seed)
    for _ in range(int(rng.integers(10, 60))):
        world.send(explorer.command())
        world.advance(COMMAND_S)


def _candidates(
    bundle: Bundle, count: int, steps: int, rng: np.random.Generator,
) -> Tensor:
    method, size = method_of(bundle, PlannerConfig()), len(bundle.manifest.actions.names)
    still = np.zeros((1, steps, size), np.float32)
    draw = Proposals((count, steps, size), method.spread, Bounds(
        method.low, method.high, method.rate, still[0, 0]), rng)
    return torch.from_numpy(draw(still[0], PlannerConfig().sigma, still[:0]))


def _ended(world: World, bundle: Bundle, actions: Tensor) -> World:
    """Return the world as it is after a candidate's actions [T, A]."""
    ended = deepcopy(world)
    high = np.array(bundle.manifest.actions.high)
    for action in actions.numpy() * high:
        for _ in range(round(bundle.manifest.step_s / COMMAND_S)):
            ended.send(action)
            ended.advance(COMMAND_S)
    return ended


def main() -> None:
    """Measure, and print tables."""
    parser = ArgumentParser(description='Imagination by chunks beside that by steps.')
    parser.add_argument('--sparse', type=Path, default=Path('models/rooms'), help='a bundle')
    parser.add_argument('--rla', type=Path, required=True, help='a bundle of the family rla')
    parser.add_argument('--tokens', type=int, nargs='+', default=(64, 16, 8),
                        help='of each frame (%(default)s)')
    parser.add_argument('--candidates', type=int, default=256, help='(%(default)s)')
    parser.add_argument('--steps', type=int, default=8, help='model steps ahead (%(default)s)')
    parser.add_argument('--rounds', type=int, default=20, help='of timing (%(default)s)')
    parser.add_argument('--questions', type=int, default=60, help='to rank (%(default)s)')
    parser.add_argument('--seed', type=int, default=100, help='of the layouts (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rla = Bundle.load(args.rla)
    arms = {'sparse': Bundle.load(args.sparse), 'rla, latents': by(rla, LATENT),
            'rla, decoded': by(rla, TOKENS)}
    taken = times(arms, tuple(args.tokens), args.candidates, args.steps, args.rounds)
    for row in taken:
        print(f'{row.arm:14} {row.tokens:3} tokens  min {row.min_ms:8.2f} ms  '
              f'median {row.median_ms:8.2f}')
    found = ranks(arms, args.questions, 32, args.tokens[-1], args.steps, args.seed)
    for rank in found:
        value = rank.estimate
        print(f'{rank.arm:14} against {rank.truth}: {value.value:.3f} '
              f'({value.low:.3f} to {value.high:.3f})')
    if args.json:
        args.json.write_text(json.dumps(
            {'milliseconds': [asdict(row) for row in taken],
             'rank': [asdict(rank) for rank in found]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
