# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What videos without actions are worth to a policy, and whether latents of RLA make it so.

    python benchmarks/rla_videos.py --bundle models/rla --data data/rooms --json videos.json

Of the first episodes of a recording the actions are known; the others are videos. Policies of
about one size learn for as long, from the same frames: actions alone; or with a head that tells
of drives and videos alike what will have changed, as latents of the bundle, as the mean of the
tokens that are then seen, or as latents of an autoencoder that was never trained. Each policy
then drives the same episodes. `gain`: in success, over actions alone.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from kept import add_kept, Kept
import numpy as np
import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.evaluation.closed_loop import evaluate, LoopConfig
from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks
from sparse_imagination_ros.planning.planner import PlannerConfig, POLICY
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.loop import Course, run, Team
from sparse_imagination_ros.training.policy import draw_ways, PolicyConfig, Teller
from sparse_imagination_ros.training.rla import some_tokens
from sparse_imagination_ros.training.train_policy import Clips, mixed_loss, rla_of, TOKENS
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.policy import Policy, PolicyShape
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor

# Of so many pairs of frames the scale of what a head tells is taken.
SCALED_BY = 1024
RATE = 0.002
# What each cycle of a policy is charged with, milliseconds.
CYCLE_MS = 30.0
ALONE = 'actions alone'


@dataclass(frozen=True)
class Head:
    """What a policy tells beside its actions: how many numbers, and what they count."""

    tell: Teller
    size: int
    weight: float


@dataclass(frozen=True)
class Row:
    """How policies of one kind drive: over all episodes and seeds, and of each seed by itself."""

    arm: str
    labelled: float
    success: Estimate
    gain: Estimate
    seeds: tuple[float, ...]


def heads_of(bundle: Bundle, clips: Clips) -> dict[str, Head]:
    """Return what is compared; all that is told has zero mean and unit variance."""
    trained, generator = rla_of(bundle), Generator().manual_seed(0)
    shape, told = trained.shape, PolicyConfig().told
    way = draw_ways(clips.dataset, clips.weights, SCALED_BY, PolicyConfig().ahead, shape.chunk,
                    generator)
    frames = torch.stack([clips.frames(way.now), clips.frames(way.later)], 1)
    now, later = some_tokens(trained, frames, TOKENS, generator).unbind(1)
    torch.manual_seed(0)
    untrained = RlaPredictor(shape).requires_grad_(False)
    latents = untrained.encode(now, later)
    untrained.latent_mean.copy_(latents.mean(0))
    untrained.latent_std.copy_(latents.std(0).clamp(min=1e-6))

    def seen(tokens: Tensor) -> Tensor:
        return tokens[..., :shape.token_width].mean(1)

    mean, std = seen(later).mean(0), seen(later).std(0)
    return {
        ALONE: Head(trained.encode, shape.latent_size, 0.0),
        'latents of rla': Head(trained.encode, shape.latent_size, told),
        'tokens of the future': Head(
            lambda now, later: (seen(later) - mean) / std, shape.token_width, told),
        'untrained latents': Head(untrained.encode, shape.latent_size, told)}


def learned(
    bundle: Bundle, head: Head, drives: Clips, videos: Sequence[Clips], steps: int, seed: int,
) -> Bundle:
    """Return the bundle with a policy that learned with this head."""
    predictor, config = rla_of(bundle), replace(PolicyConfig(), told=head.weight)
    torch.manual_seed(seed)
    policy = Policy(PolicyShape(
        predictor.shape.token_width, predictor.shape.action_size, head.size,
        predictor.shape.chunk, config.width, config.depth))
    loss_of = partial(mixed_loss, policy, config, [drives], videos, predictor, head.tell,
                      Team.alone())
    with TemporaryDirectory() as work:
        run(Course('policy', steps, RATE, seed, 0.0), nn.ModuleList([policy]), loss_of,
            Path(work), lambda progress: None, Team.alone())
    policy.eval().requires_grad_(False)
    return replace(bundle, policy=policy,
                   manifest=replace(bundle.manifest, policy=policy.shape))


def driven(bundle: Bundle, seeds: range) -> list[bool]:
    """Return which goals the policy of a bundle reaches."""
    reached: list[bool] = []
    evaluate(bundle, replace(PlannerConfig(), mode=POLICY), seeds, LoopConfig(time_limit_s=15.0),
             lambda episode: reached.append(episode.success), CYCLE_MS)
    return reached


def compare(
    bundle: Bundle, data: Dataset, share: float, steps: int, seeds: range, episodes: range,
    kept: Kept,
) -> list[Row]:
    """Let all arms learn from one share of labelled episodes, once for each seed, and drive."""
    total = len(data.starts) - 1
    count = max(1, round(share * total))

    def clips(part: Dataset) -> Clips:
        return Clips(part, bundle, Team.alone(), lambda progress: None)

    drives = clips(data.part(0, count))
    videos = [clips(data.part(count, total))] if count < total else []

    def drive(head: Head, seed: int) -> list[bool]:
        return driven(learned(bundle, head, drives, videos, steps, seed), episodes)

    found: dict[str, list[list[bool]]] = {}
    for name, head in heads_of(bundle, clips(data)).items():
        for seed in seeds:
            part = f'{100 * share:g} % labelled, {name}, seed {seed}'
            reached = kept.of(part, partial(drive, head, seed))
            found.setdefault(name, []).append(reached)
            print(f'{part}: {sum(reached)} of {len(reached)}', flush=True)
    rows = []
    # The same episodes were driven with every seed.
    block = np.tile(np.arange(len(episodes)), len(seeds))
    alone = np.array(found[ALONE], float)
    for name, reached_by_seed in found.items():
        reached_all = np.array(reached_by_seed, float)
        success, gain = (over_blocks(values.ravel(), np.ones(values.size), block, 0)
                         for values in (reached_all, reached_all - alone))
        rows.append(Row(name, share, success, gain, tuple(reached_all.mean(1).tolist())))
    return rows


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='Policies that learn from videos without actions, too.')
    parser.add_argument('--bundle', type=Path, required=True, help='of the family rla')
    parser.add_argument('--data', type=Path, required=True, help='recording of the simulator')
    parser.add_argument('--shares', type=float, nargs='+', default=(0.01, 0.05, 0.2),
                        help='of the episodes whose actions are known (%(default)s)')
    parser.add_argument('--steps', type=int, default=1500, help='of each training (%(default)s)')
    parser.add_argument('--seeds', type=int, default=5, help='(%(default)s)')
    parser.add_argument('--episodes', type=int, default=60, help='of each (%(default)s)')
    parser.add_argument('--seed', type=int, default=9000, help='of the first (%(default)s)')
    add_kept(parser)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    bundle, data = Bundle.load(args.bundle), dataset_from_recording(args.data)
    episodes = range(args.seed, args.seed + args.episodes)
    kept = Kept(args)
    rows = [row for share in args.shares for row in compare(
        bundle, data, share, args.steps, range(args.seeds), episodes, kept)]
    for row in rows:
        success, gain = row.success, row.gain
        print(f'{100 * row.labelled:3.0f} %  {row.arm:20} {100 * success.value:5.1f} % '
              f'({100 * success.low:.0f} to {100 * success.high:.0f})  gain '
              f'{100 * gain.value:+5.1f} ({100 * gain.low:+.0f} to {100 * gain.high:+.0f})')
    if args.json:
        args.json.write_text(json.dumps({
            'bundle': str(args.bundle), 'recorded': len(data.starts) - 1, 'steps': args.steps,
            'episodes': args.episodes, 'seed': args.seed,
            'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
