# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How well bundles foresee episodes that they did not learn from, by the number of tokens.

    python benchmarks/foresight.py --bundles models/sparse models/dense --data data/unseen

The error after so many steps is a share of the error of foreseeing no change: 0 is perfect, 1 is
as good as nothing. All bundles imagine the same clips, from the same random subsets.
"""

from argparse import ArgumentParser
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import torch
from torch import Generator, Tensor

from sparse_imagination_ros.errors import BundleError
from sparse_imagination_ros.tokens.subsets import random_subset
from sparse_imagination_ros.training.dataset import tokens_of
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.sparse import SparsePredictor

# Steps ahead, of which those are reported; clips imagined together.
STEPS, REPORTED, TOGETHER = 8, (1, 2, 4, 8), 16


@dataclass(frozen=True)
class Row:
    """errors: after each of the reported steps."""

    bundle: str
    tokens: int
    errors: tuple[float, ...]


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='How well bundles foresee what they have not seen.')
    parser.add_argument('--bundles', type=Path, nargs='+', required=True, help='their folders')
    parser.add_argument('--data', type=Path, required=True, help='recording of the simulator')
    parser.add_argument('--clips', type=int, default=512, help='(%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='(%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    dataset = dataset_from_recording(args.data)
    print('steps ahead' + 26 * ' ' + ''.join(f'{step:8}' for step in REPORTED))
    rows = []
    for folder in args.bundles:
        bundle = Bundle.load(folder)
        predictor = bundle.predictor
        if not isinstance(predictor, SparsePredictor):
            raise BundleError(f'{folder} was imported; only bundles of `train` are compared')
        tokens = tokens_of(dataset, bundle.encoder, lambda done, total: None)
        total, window = bundle.manifest.total_tokens, predictor.shape.window
        generator = Generator().manual_seed(args.seed)
        clips = dataset.draw(args.clips, window + STEPS, generator)
        for count in (total, total // 2, total // 4, total // 8, 1):
            wrong, change = torch.zeros(STEPS), torch.zeros(STEPS)
            for first in range(0, len(clips), TOGETHER):
                batch = clips[first:first + TOGETHER]
                subset = random_subset(total, count, generator)
                seen = tokens[dataset.shown[batch]][:, :, subset].float()
                imagined = _imagined(predictor, seen, dataset.actions[batch])
                real, last = seen[:, window:], seen[:, window - 1:window]
                wrong += (imagined - real).square().sum((0, 2, 3))
                change += (last - real).square().sum((0, 2, 3))
            share = wrong / change
            rows.append(Row(str(folder), count, tuple(float(share[s - 1]) for s in REPORTED)))
            print(f'{folder!s:25} {count:4} tokens ' + ''.join(
                f'{error:8.3f}' for error in rows[-1].errors), flush=True)
    if args.json:
        args.json.write_text(json.dumps({'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


@torch.inference_mode()
def _imagined(predictor: SparsePredictor, seen: Tensor, actions: Tensor) -> Tensor:
    """Roll out from the first frames of clips [B, F, K, D] with their actions [B, F, A]."""
    last, cache = predictor.shape.window - 1, predictor.empty_cache()
    for number in range(last):
        _, cache = predictor.extend(seen[:, number], actions[:, number], cache)
    tokens, frames = seen[:, last], []
    for number in range(last, seen.shape[1] - 1):
        tokens, cache = predictor.extend(tokens, actions[:, number], cache)
        frames.append(tokens)
    return torch.stack(frames, 1)


if __name__ == '__main__':
    main()
