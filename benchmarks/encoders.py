# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What each encoder costs in training: encoding a picture, and a step by the number of tokens.

    python benchmarks/encoders.py

Weights are random, which costs the same. Each row has a process of its own, for its memory.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
from multiprocessing import get_context
from pathlib import Path
from resource import getrusage, RUSAGE_SELF
from statistics import median
from time import perf_counter

import torch
from torch import Generator

from sparse_imagination_ros.tokens.dino import DINO, dino_shape
from sparse_imagination_ros.tokens.encoders import EncoderShape, make_encoder, SMALL
from sparse_imagination_ros.training.sparse import Foresight, foresight
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

# As `train` does by default: frames in a clip, numbers in an action, pictures encoded together.
FRAMES, ACTION, PICTURES = 9, 2, 64


@dataclass(frozen=True)
class Row:
    """What was measured. peak_mib: more than the process had when all was ready."""

    encoder: str
    tokens: int
    pictures_per_s: float
    clips_per_s: float
    peak_mib: float


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='What each encoder costs in training.')
    parser.add_argument('--encoders', nargs='+', default=[SMALL, *DINO], help='(all)')
    parser.add_argument('--batch', type=int, default=8, help='clips in a step (%(default)s)')
    parser.add_argument('--steps', type=int, default=3, help='steps of each (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    rows = []
    for name in args.encoders:
        total = _shape(name).grid**2
        for tokens in (total, total // 2, total // 4, total // 8):
            # One after another, each in a fresh process.
            with get_context('spawn').Pool(1) as pool:
                row = pool.apply(_measure, (name, tokens, args.batch, args.steps))
            rows.append(row)
            print(f'{name:18} {tokens:4} tokens  {row.pictures_per_s:8.1f} pictures/s encoded  '
                  f'{row.clips_per_s:7.2f} clips/s learned  {row.peak_mib:7.0f} MiB')
    if args.json:
        args.json.write_text(json.dumps({'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


def _measure(name: str, tokens: int, batch: int, steps: int) -> Row:
    shape = _shape(name)
    encoder = make_encoder(shape).eval().requires_grad_(False)
    pictures = torch.zeros(
        PICTURES, shape.image_size, shape.image_size, 3, dtype=torch.uint8)
    seen = torch.randn(batch, FRAMES, shape.grid**2, shape.width)
    actions = torch.randn(batch, FRAMES, ACTION)
    predictor = SparsePredictor(PredictorShape(shape.width, ACTION))
    optimiser = torch.optim.AdamW(predictor.parameters())
    learned = Foresight(predicted_tokens=tokens)

    def learn() -> None:
        share = foresight(predictor, seen, actions, learned, Generator().manual_seed(0))
        optimiser.zero_grad()
        (share.wrong / share.change).backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    idle = getrusage(RUSAGE_SELF).ru_maxrss
    learn_s = _median_s(learn, steps)
    peak_mib = (getrusage(RUSAGE_SELF).ru_maxrss - idle) / 1024
    encode_s = _median_s(lambda: encoder(pictures), steps)
    return Row(name, tokens, PICTURES / encode_s, batch / learn_s, peak_mib)


def _median_s(act: Callable[[], object], times: int) -> float:
    """Return how long it takes; the first time warms up."""
    taken = []
    for _ in range(times + 1):
        start = perf_counter()
        act()
        taken.append(perf_counter() - start)
    return median(taken[1:])


def _shape(name: str) -> EncoderShape:
    return EncoderShape() if name == SMALL else dino_shape(name)


if __name__ == '__main__':
    main()
