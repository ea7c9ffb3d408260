# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the few numbers of a residual latent action hold, on episodes that were not learned from.

    python benchmarks/rla_foresight.py --bundle models/rla --data data/unseen --fixed models/fixed

Errors are shares of the error of foreseeing no change: 0 is perfect, 1 as good as nothing.
`predictive`: decoded from the latent, and from what should not serve. `imagined`: from actions,
after so many steps. `progression`: on the way from noise to a latent, do the frames come in the
order of time? `--fixed` is a bundle whose autoencoder saw one gap only (rla.shortest_gap).
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import torch
from torch import Generator, Tensor

from sparse_imagination_ros.errors import BundleError
from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks, rank_correlation
from sparse_imagination_ros.imagination.reference import Context, imagine_steps, remember_all
from sparse_imagination_ros.tokens.subsets import random_subset
from sparse_imagination_ros.training.dataset import Dataset, tokens_of
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.rla import draw_pairs
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor

# How far along the way from noise to the latent, how often with other noise, of how many clips.
WAY, NOISES, CLIPS = tuple(number / 8 for number in range(9)), 8, 128
TOGETHER = 64


@dataclass(frozen=True)
class Row:
    """One thing that was measured. tokens: imagined of each frame; what: of which arm or step."""

    part: str
    tokens: int
    what: str
    estimate: Estimate


class Bench:
    """A bundle, and frames that it did not learn from."""

    def __init__(self, folder: Path, dataset: Dataset, seed: int) -> None:
        bundle = Bundle.load(folder)
        if not isinstance(bundle.predictor, RlaPredictor):
            raise BundleError(f'{folder} is of the family {bundle.manifest.family}, not rla')
        self.predictor, self.dataset, self.seed = bundle.predictor, dataset, seed
        self.tokens = tokens_of(dataset, bundle.encoder, lambda done, total: None)
        self.generator = Generator().manual_seed(seed)

    def frames(self, steps: Tensor) -> Tensor:
        """Return frames of steps [B, F] as they are observed, [B, F, P, D + E]."""
        tokens = self.tokens[self.dataset.shown[steps]].float()
        observed = self.predictor.observe(tokens.flatten(0, 1), tokens[:0])
        return observed.reshape(*steps.shape, *observed.shape[1:])

    def estimate(self, above: Tensor, below: Tensor, steps: Tensor) -> Estimate:
        """Return the sum of one over that of the other, drawing whole episodes anew."""
        return over_blocks(above.double().numpy(), below.double().numpy(),
                           self.dataset.ends(steps).numpy(), self.seed)


@torch.inference_mode()
def predictive(bench: Bench, gap: int, count: int, counts: tuple[int, ...]) -> list[Row]:
    """Decode pairs of frames from their latents, from none, and from another pair's."""
    alike = torch.ones(len(bench.dataset.shown))
    pairs = draw_pairs(bench.dataset, alike, count, range(1, gap + 1), bench.generator)
    predictor, rows = bench.predictor, []
    arms: dict[str, Callable[[Tensor], Tensor]] = {
        'latent': lambda latents: latents, 'no latent': torch.zeros_like,
        'latent of another pair': lambda latents: latents.roll(1, 0)}
    for tokens in counts:
        wrong: dict[str, list[Tensor]] = {name: [] for name in arms}
        change = []
        for part in torch.split(pairs, TOGETHER):
            subset = random_subset(bench.tokens.shape[1], tokens, bench.generator)
            start, later = bench.frames(part)[:, :, subset].unbind(1)
            latents = predictor.encode(start, later)
            for name, arm in arms.items():
                decoded = predictor.decode(start, arm(latents))
                wrong[name].append((decoded - later).square().sum((1, 2)))
            change.append((start - later).square().sum((1, 2)))
        rows += [Row('predictive', tokens, name, bench.estimate(
            torch.cat(parts), torch.cat(change), pairs[:, 0])) for name, parts in wrong.items()]
    return [*rows, _principal(bench, pairs)]


@torch.inference_mode()
def imagined(bench: Bench, count: int, counts: tuple[int, ...]) -> list[Row]:
    """Imagine clips from their first frame and their actions."""
    predictor, steps = bench.predictor, bench.predictor.shape.chunk
    clips, rows = bench.dataset.draw(count, steps + 1, bench.generator), []
    for tokens in counts:
        wrong, told, change = [], [], []
        for part in torch.split(clips, TOGETHER):
            subset = random_subset(bench.tokens.shape[1], tokens, bench.generator)
            frames, actions = bench.frames(part)[:, :, subset], bench.dataset.actions[part]
            start = frames[:, :1]
            memory = remember_all(predictor, Context(start, actions[:, :0]))
            foreseen = torch.stack([predictor.tokens(state) for state in imagine_steps(
                predictor, memory, actions[:, :-1])], 1)
            later = frames[:, 1:]
            many = start.expand_as(later).flatten(0, 1)
            known = predictor.decode(
                many, predictor.encode(many, later.flatten(0, 1))).reshape(later.shape)
            wrong.append((foreseen - later).square().sum((2, 3)))
            told.append((known - later).square().sum((2, 3)))
            change.append((start - later).square().sum((2, 3)))
        for step in range(steps):
            for name, parts in (('from actions', wrong), ('from the true latent', told)):
                rows.append(Row('imagined', tokens, f'{name}, step {step + 1}', bench.estimate(
                    torch.cat(parts)[:, step], torch.cat(change)[:, step], clips[:, 0])))
    return rows


@torch.inference_mode()
def progression(bench: Bench, name: str, steps: int) -> list[Row]:
    """Go from noise to latents, and tell whether the nearest frames come in the order of time."""
    predictor = bench.predictor
    clips = bench.dataset.draw(4 * CLIPS, steps + 1, bench.generator)
    # There is no order in time where hardly anything moves.
    moved = torch.cat([(frames[:, -1] - frames[:, 0]).square().mean((1, 2)) for frames in map(
        bench.frames, torch.split(clips, TOGETHER))])
    clips = clips[moved.topk(CLIPS).indices]
    ways: dict[str, list[float]] = {'from noise': [], 'from rest': [], 'between tokens': []}
    for clip in clips:
        frames = bench.frames(clip[None])[0]
        start, end = frames[:1], frames[-1:]
        latent, rest = predictor.encode(start, end), predictor.encode(start, start)
        along = torch.tensor(WAY).repeat_interleave(NOISES)[:, None]
        noise = torch.randn(len(along), latent.shape[1], generator=bench.generator)
        many = start.expand(len(along), -1, -1)
        passed = {
            'from noise': predictor.decode(many, torch.lerp(noise, latent, along)),
            'from rest': predictor.decode(many, torch.lerp(rest, latent, along)),
            'between tokens': torch.lerp(start, end, along[:, None])}
        for way, shown in passed.items():
            nearest = (shown[:, None] - frames).square().mean((2, 3)).argmin(1)
            ways[way].append(rank_correlation(
                along[:, 0].double().numpy(), nearest.double().numpy()))
    rows = []
    for way, found in ways.items():
        # Where always the same frame is the nearest, there is no order at all.
        ordered = torch.tensor(found, dtype=torch.float64).nan_to_num(0.0)
        rows.append(Row('progression', bench.tokens.shape[1], f'{name}, {way}', bench.estimate(
            ordered, torch.ones_like(ordered), clips[:, 0])))
    return rows


def _principal(bench: Bench, pairs: Tensor) -> Row:
    """Tell changes by as many principal components: of half of the pairs, judged on the others."""
    width = bench.predictor.shape.token_width
    change = torch.cat([(frames[:, 1] - frames[:, 0])[..., :width].flatten(1) for frames in map(
        bench.frames, torch.split(pairs, TOGETHER))])
    first = bench.dataset.ends(pairs[:, 0])
    learned = first < first.double().median()
    mean = change[learned].mean(0)
    torch.manual_seed(bench.seed)
    _, _, axes = torch.pca_lowrank(change[learned], bench.predictor.shape.latent_size)
    judged = change[~learned]
    told = mean + (judged - mean) @ axes @ axes.T
    estimate = bench.estimate((told - judged).square().sum(1), judged.square().sum(1),
                              pairs[~learned, 0])
    return Row('predictive', bench.tokens.shape[1], 'as many principal components', estimate)


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='What residual latent actions hold.')
    parser.add_argument('--bundle', type=Path, required=True, help='of the family rla')
    parser.add_argument('--data', type=Path, required=True, help='recording of the simulator')
    parser.add_argument('--fixed', type=Path, help='a bundle that learned one gap only')
    parser.add_argument('--gap', type=int, default=16, help='most steps of a pair (%(default)s)')
    parser.add_argument('--pairs', type=int, default=1024, help='and clips (%(default)s)')
    parser.add_argument('--tokens', type=int, nargs='+', default=(64, 16, 8),
                        help='of each frame (%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='(%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    dataset, counts = dataset_from_recording(args.data), tuple(args.tokens)
    bench = Bench(args.bundle, dataset, args.seed)
    rows = [*predictive(bench, args.gap, args.pairs, counts),
            *imagined(bench, args.pairs, counts),
            *progression(bench, 'all gaps', bench.predictor.shape.chunk)]
    if args.fixed:
        rows += progression(Bench(args.fixed, dataset, args.seed), 'one gap',
                            bench.predictor.shape.chunk)
    for row in rows:
        found = row.estimate
        print(f'{row.part:12} {row.tokens:3} tokens  {row.what:32} {found.value:6.3f} '
              f'({found.low:.3f} to {found.high:.3f})')
    if args.json:
        args.json.write_text(json.dumps({
            'bundle': str(args.bundle), 'latent_size': bench.predictor.shape.latent_size,
            'seed': args.seed, 'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
