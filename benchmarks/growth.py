# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How time and memory grow with tokens and candidates, up to all 196 tokens of a DINO encoder.

    python benchmarks/growth.py --plot growth.svg

The bundle has random weights and the sizes that `train --encoder dinov2_vits14` would give it.
The memory is the most that a process ever held in which a planner ran a cycle of so much effort,
PyTorch and the encoder included. Nothing else should run on the machine.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
import json
from multiprocessing import get_context
from pathlib import Path
import resource

import numpy as np
import torch
from torch import nn

from sparse_imagination_ros.evaluation.benchmark import benchmark, BenchmarkRow
from sparse_imagination_ros.evaluation.benchmark_plot import write_plot
from sparse_imagination_ros.evaluation.samples import samples_for
from sparse_imagination_ros.imagination.engines import possible, REFERENCE, variants_of
from sparse_imagination_ros.imagination.verdict import Size
from sparse_imagination_ros.machine import facts
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.sim.robots import robot
from sparse_imagination_ros.tokens.dino import dino_shape, DinoEncoder, WIDTH
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Actions, Manifest
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

# The effort of which the memory is told.
TOKENS, CANDIDATES = 196, 300
# After so many model steps the window of past frames is full, and more take no more memory.
STEPS = 3


def untrained() -> Bundle:
    """Return a bundle of a DINO encoder that was never trained."""
    base = robot('omnidirectional')
    torch.manual_seed(0)
    encoder, shape = dino_shape('dinov2_vits14'), PredictorShape(WIDTH, len(base.limit))
    predictor = SparsePredictor(shape)
    # An untrained one says that nothing changes.
    nn.init.normal_(predictor.token_out.weight, 0, 0.02)
    actions = Actions(
        base.action_names, tuple(-most for most in base.limit), base.limit, base.acceleration)
    manifest = Manifest(
        'untrained', base.name, 0.2, (224, 224), actions, encoder, shape, None)
    return Bundle(manifest, DinoEncoder(encoder).eval().requires_grad_(False),
                  predictor.eval().requires_grad_(False))


def held_gb(engine: str) -> float:
    """Run a cycle, and return the most memory that this process ever held, GB."""
    torch.set_num_threads(1)
    config = PlannerConfig(
        engine=engine, tokens=TOKENS, candidates=CANDIDATES, iterations=1, steps=STEPS)
    planner = Planner(untrained(), config)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    planner.set_goal(pictures[0])
    cycle = planner.plan(Frame(0.0, pictures[1]), CommandHistory(2, 1.0))
    if cycle.imagined != CANDIDATES:
        raise SystemExit(f'only {cycle.imagined} of {CANDIDATES} candidates were imagined')
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def steepest(rows: Sequence[BenchmarkRow], along: str) -> float:
    """Return by what power of tokens or candidates the time grows, where it grows fastest."""
    lines: dict[tuple[str, str, int], list[tuple[int, float]]] = {}
    for row in rows:
        other = row.candidates if along == 'tokens' else row.tokens
        lines.setdefault((row.engine, row.precision, other), []).append(
            (getattr(row, along), row.ms_p50))
    return max(float(np.log(later[1] / now[1]) / np.log(later[0] / now[0]))
               for line in lines.values()
               for now, later in zip(sorted(line)[:-1], sorted(line)[1:], strict=True))


def main() -> None:
    """Measure, and print tables."""
    parser = ArgumentParser(description='How time and memory grow with tokens and candidates.')
    parser.add_argument('--tokens', type=int, nargs='+', default=[8, 16, 32, 64, 128, TOKENS],
                        help='with the most candidates (%(default)s)')
    parser.add_argument('--candidates', type=int, nargs='+', default=[16, 64, 256, 512],
                        help='with the most tokens (%(default)s)')
    parser.add_argument('--horizon', type=int, default=5, help='model steps (%(default)s)')
    parser.add_argument('--engine', default='auto', metavar='NAME[,NAME...]',
                        help='engines (all that can be had)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw the times here, as SVG')
    args = parser.parse_args()
    names = [REFERENCE, *possible()] if args.engine == 'auto' else args.engine.split(',')
    memory_gb: dict[str, float] = {}
    for name in names:
        with ProcessPoolExecutor(1, get_context('spawn')) as process:
            memory_gb[name] = process.submit(held_gb, name).result()
        print(f'{TOKENS} tokens x {CANDIDATES} candidates, {name}: {memory_gb[name]:.2f} GB',
              flush=True)
    torch.set_num_threads(1)
    bundle = untrained()
    widest, most = max(args.tokens), max(args.candidates)
    sizes = [Size(*size, args.horizon) for size in sorted(
        {(tokens, most) for tokens in args.tokens} | {(widest, n) for n in args.candidates})]
    result = benchmark(
        bundle, [variant for name in names for variant in variants_of(name)], sizes,
        samples_for(bundle).samples[0], lambda what: print(what, flush=True))
    for row in result.rows:
        print(f'{row.engine:10} {row.precision:8} {row.tokens:4} x {row.candidates:4} '
              f'{row.ms_p50:9.1f} ms, {100 * row.peak_fraction:3.0f} % of the peak')
    growth = {along: steepest(result.rows, along) for along in ('tokens', 'candidates')}
    print('grows at most by the power of ' + ', '.join(
        f'{power:.2f} of {along}' for along, power in growth.items()))
    if args.json:
        args.json.write_text(json.dumps(
            {'memory_gb': memory_gb, 'growth': growth, **asdict(result), 'machine': facts()},
            indent=2) + '\n')
    if args.plot:
        write_plot(result, args.plot)


if __name__ == '__main__':
    main()
