# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a bundle's tokens know of the robot's state: told from one random token, an eighth, or all.

    python benchmarks/knowledge.py --bundle models/rooms --data data/rooms

A small network gives each token's opinion of the state and how sure it is; those of the subset are
averaged. It learns on four fifths of the episodes, and is judged on the rest.
"""

from argparse import ArgumentParser
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.tokens.subsets import random_subset
from sparse_imagination_ros.training.dataset import tokens_of
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.world_models.bundle import Bundle

STEPS, BATCH, JUDGED = 1500, 256, 4096
RATE = 0.002


@dataclass(frozen=True)
class Row:
    """What some tokens know of each number, a share of its variance (R2), if it ever changes."""

    tokens: int
    explained: dict[str, float]


class Teller(nn.Module):
    """Tells numbers from any subset of tokens."""

    def __init__(self, token_width: int, numbers: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(token_width, 256), nn.GELU(), nn.Linear(256, 2 * numbers))

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn tokens [B, K, D] into numbers [B, S]."""
        opinion, sureness = self.net(tokens).chunk(2, -1)
        told: Tensor = (sureness.softmax(1) * opinion).sum(1)
        return told


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='What tokens know of the state of the robot.')
    parser.add_argument('--bundle', type=Path, required=True, help='folder of the bundle')
    parser.add_argument('--data', type=Path, required=True, help='recording of the simulator')
    parser.add_argument('--seed', type=int, default=0, help='(%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    generator = Generator().manual_seed(args.seed)
    bundle, dataset = Bundle.load(args.bundle), dataset_from_recording(args.data)
    tokens = tokens_of(dataset, bundle.encoder, lambda done, total: None)
    # Angles, the last of what is sensed, are told as directions.
    places, angle = dataset.sensed[:, :-1], dataset.sensed[:, -1:]
    state = torch.cat([places, angle.cos(), angle.sin()], 1)
    state = (state - state.mean(0)) / state.std(0).clamp(min=1e-6)
    names = dataset.facts.senses
    first_judged = int(dataset.starts[len(dataset.starts) * 4 // 5])
    total, width = bundle.manifest.total_tokens, bundle.manifest.encoder.width
    rows = []
    for count in (total, total // 2, total // 4, total // 8, 1):
        teller = Teller(width, state.shape[1])
        optimiser = torch.optim.AdamW(teller.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for _ in range(STEPS):
            steps = torch.randint(first_judged, (BATCH,), generator=generator)
            subset = random_subset(total, count, generator)
            told = teller(tokens[dataset.shown[steps]][:, subset].float())
            loss = (told - state[steps]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        shares = _judge(teller, tokens, dataset.shown, state, first_judged, count, generator)
        shares = [*shares[:-2], (shares[-2] + shares[-1]) / 2]
        rows.append(Row(count, {
            name: share for name, share in zip(names, shares, strict=True) if share == share}))
        print(f'{count:4} tokens explain ' + ', '.join(
            f'{share:.3f} of {name}' for name, share in rows[-1].explained.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps({'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


@torch.inference_mode()
def _judge(
    teller: Teller, tokens: Tensor, shown: Tensor, state: Tensor, first: int, count: int,
    generator: Generator,
) -> list[float]:
    """Return how much of each number is explained; of one that never changes, no number."""
    wrong, spread = torch.zeros(state.shape[1]), torch.zeros(state.shape[1])
    for steps in torch.randint(first, len(state), (JUDGED // 16, 16), generator=generator):
        # Another subset for every few frames: this is about random ones, not about a lucky one.
        subset = random_subset(tokens.shape[1], count, generator)
        told = teller(tokens[shown[steps]][:, subset].float())
        wrong += (told - state[steps]).square().sum(0)
        spread += state[steps].square().sum(0)
    explained: list[float] = torch.where(spread > 0, 1 - wrong / spread, torch.nan).tolist()
    return explained


if __name__ == '__main__':
    main()
