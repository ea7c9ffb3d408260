# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is imagined when the same actions may lead to one of two places, and nobody sees which.

    python benchmarks/rla_ambiguity.py --bundle models/rooms --json ambiguity.json

In the rooms the floor is slippery, with some probability that nobody sees: then the robot goes
off at a right angle to what it is told. RLA, a regression of latents, a regression of tokens and
a flow of tokens, all with the tokens of one bundle and networks of about one size, learn from the
same drives. A probe, trained on real tokens, tells where a robot is in an imagined frame.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
import json
from pathlib import Path

from kept import add_kept, Kept
from knowledge import Teller
import numpy as np
from rla_arms import Arm, InLatents, TOKEN_STEPS, TokenFlow, TokenRegression
import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Picture, shrink
from sparse_imagination_ros.tokens.subsets import random_subset
from sparse_imagination_ros.training.rla import reconstruction
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import PLACE_WIDTH, places, RlaShape

# A drive: so many model steps, of so many commands each.
STEPS, STEP_S, COMMANDS = 4, 0.6, 6
TOKENS, BATCH, DRAWS, BEST_OF = 16, 64, 32, 8
# An imagined place that is no farther from a true one counts as it; judged are drives whose two
# ends lie so far apart that no place is near both, metres.
NEAR_M, APART_M = 0.25, 0.6
# A future is covered if it is drawn at least so often as it happens, as a share of that.
COVERED = 0.6
RATE = 0.003


@dataclass(frozen=True)
class Drives:
    """
    Starts with actions [B, T, A], and both ends of each: without a slip and with one.

    start: [B, K, D + E]; ends: [2, B, K, D + E]; places: [2, B, 2], metres, of the ends.
    """

    start: Tensor
    ends: Tensor
    places: Tensor
    actions: Tensor

    def some(self, chosen: Tensor) -> 'Drives':
        """Return some of them."""
        return Drives(self.start[chosen], self.ends[:, chosen], self.places[:, chosen],
                      self.actions[chosen])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.start)


@dataclass(frozen=True)
class Row:
    """How one arm did at one chance of a slip: over all drives, and of each seed by itself."""

    arm: str
    chance: float
    measure: str
    estimate: Estimate
    seeds: tuple[float, ...]


def record(bundle: Bundle, count: int, first_seed: int, subset: Tensor) -> Drives:
    """Drive from drawn starts, each twice, and keep a subset [K] of the tokens."""
    world, size = Rooms('omnidirectional'), bundle.manifest.encoder.image_size
    pictures: list[list[Picture]] = [[], [], []]
    reached: list[list[np.ndarray]] = [[], []]
    actions = []
    for seed in range(first_seed, first_seed + count):
        rng = np.random.default_rng(seed)
        turn, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.0)
        turns = turn + rng.normal(0, 0.3, STEPS)
        told = speed * np.stack([np.cos(turns), np.sin(turns)], 1)
        for slips, commands in enumerate((told, told[:, ::-1] * [-1, 1])):
            world.reset(seed)
            if not slips:
                pictures[0].append(shrink(world.picture(), size))
            for command in commands.repeat(COMMANDS, 0):
                world.send(command)
                world.advance(STEP_S / COMMANDS)
            pictures[1 + slips].append(shrink(world.picture(), size))
            reached[slips].append(world.pose[:2].copy())
        actions.append(told)
    frames = torch.stack([_encoded(bundle, np.stack(each), subset) for each in pictures])
    return Drives(frames[0], frames[1:], torch.from_numpy(np.array(reached)).float(),
                  torch.from_numpy(np.array(actions)).float())


@torch.inference_mode()
def _encoded(bundle: Bundle, pictures: Picture, subset: Tensor) -> Tensor:
    tokens = torch.cat([bundle.encoder(part)[:, subset]
                        for part in torch.split(torch.from_numpy(pictures), 64)])
    where = places(bundle.manifest.encoder.grid)[subset]
    return torch.cat([tokens, where.expand(len(tokens), -1, -1)], -1).clone()


def learn(
    modules: nn.Module, steps: int, seed: int, loss_of: Callable[[Generator], Tensor],
) -> None:
    """Minimise a loss."""
    optimiser = torch.optim.AdamW(modules.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    generator = Generator().manual_seed(seed)
    for _ in range(steps):
        loss = loss_of(generator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def batch_of(drives: Drives, chance: float, generator: Generator) -> tuple[Drives, Tensor]:
    """Draw drives, and how each of them ended, [B, K, D + E]."""
    some = drives.some(torch.randint(len(drives), (BATCH,), generator=generator))
    slips = (torch.rand(BATCH, generator=generator) < chance).long()
    return some, some.ends[slips, torch.arange(BATCH)]


def autoencoder_of(shape: RlaShape, drives: Drives, steps: int, seed: int) -> RlaPredictor:
    """Train an autoencoder on all that may happen."""
    predictor = RlaPredictor(shape)

    def loss_of(generator: Generator) -> Tensor:
        some, later = batch_of(drives, 0.5, generator)
        share = reconstruction(predictor, some.start, later)
        return share.wrong / share.change

    learn(nn.ModuleList([predictor.encoder, predictor.decoder]), steps, seed, loss_of)
    with torch.no_grad():
        latents = torch.cat([predictor.encode(drives.start, end) for end in drives.ends])
        predictor.latent_mean.copy_(latents.mean(0))
        predictor.latent_std.copy_(latents.std(0).clamp(min=1e-3))
    return predictor


def probe_of(drives: Drives, width: int, steps: int, seed: int) -> Teller:
    """Train what tells the robot's place from tokens."""
    probe = Teller(width, 2)

    def loss_of(generator: Generator) -> Tensor:
        chosen = torch.randint(len(drives), (BATCH,), generator=generator)
        slips = torch.randint(2, (BATCH,), generator=generator)
        told: Tensor = probe(drives.ends[slips, chosen][..., :width])
        return (told - drives.places[slips, chosen]).square().mean()

    learn(probe, steps, seed, loss_of)
    return probe


@torch.inference_mode()
def judge(
    arm: Arm, drives: Drives, chance: float, probe: Teller, seed: int,
) -> dict[str, Tensor]:
    """Draw futures of every drive, and return each measure of each, [B]."""
    generator, width = Generator().manual_seed(seed), drives.start.shape[-1] - PLACE_WIDTH
    drawn = torch.cat([
        arm.draw(drives.start[part], drives.actions[part], DRAWS, generator)
        for part in torch.split(torch.arange(len(drives)), 16)])
    told = probe(drawn[..., :width]).reshape(len(drives), DRAWS, 2)
    usual, slipped = drives.places
    away = torch.stack([(told - end[:, None]).norm(dim=-1) for end in (usual, slipped)])
    hits = (away < NEAR_M).float().mean(-1)
    shares = torch.tensor([1 - chance, chance])[:, None]
    covered = (hits >= COVERED * shares).all(0)
    # Between what was drawn and what happens: twice the mean distance, less those within each.
    across = (shares * away.mean(-1)).sum(0)
    within = (told[:, :, None] - told[:, None]).norm(dim=-1).sum((1, 2)) / (
        DRAWS * (DRAWS - 1))
    truly = 2 * chance * (1 - chance) * (usual - slipped).norm(dim=-1)
    slips = torch.rand(len(drives), generator=generator) < chance
    ends = torch.where(slips[:, None, None], drives.ends[1], drives.ends[0])
    happened = torch.where(slips, away[1, :, :BEST_OF].amin(1), away[0, :, :BEST_OF].amin(1))
    tokens = drawn.reshape(len(drives), DRAWS, *drawn.shape[1:])
    scale = (drives.start - ends).square().mean((1, 2))
    return {
        'covered': covered.float(),
        'valid': hits.sum(0).clamp(max=1),
        'energy distance': 2 * across - within - truly,
        f'best of {BEST_OF}, m': happened,
        'error of one draw': (tokens[:, 0] - ends).square().mean((1, 2)) / scale,
        'error of the mean': (tokens.mean(1) - ends).square().mean((1, 2)) / scale}


def arms_of(trained: RlaPredictor, drives: Drives) -> dict[str, Arm]:
    """Return the four, untrained but for the autoencoder of two of them."""
    shape = trained.shape
    change = (drives.ends - drives.start)[..., :shape.token_width]
    return {
        'rla': InLatents(trained, generative=True),
        'regression of latents': InLatents(trained, generative=False),
        'regression of tokens': TokenRegression(shape),
        'flow of tokens': TokenFlow(shape, float(change.std()))}


def of_seed(
    shape: RlaShape, drives: Drives, others: Drives, chances: Sequence[float], steps: int,
    seed: int, kept: Kept,
) -> dict[tuple[str, float], dict[str, list[float]]]:
    """Train and judge all arms at all chances once; return each measure of each drive."""
    @cache
    def ground() -> tuple[RlaPredictor, Teller]:
        torch.manual_seed(seed)
        return (autoencoder_of(shape, drives, steps, seed),
                probe_of(drives, shape.token_width, steps, seed))

    def judged(name: str, chance: float) -> dict[str, list[float]]:
        trained, probe = ground()
        # The same weights to begin with, whatever was trained before or is kept.
        torch.manual_seed(seed)
        arm = arms_of(trained, drives)[name]
        learn(arm.trained, steps, seed, partial(loss_on, arm, drives, chance))
        print(f'seed {seed}, chance {chance}: {name}', flush=True)
        return {measure: values.tolist()
                for measure, values in judge(arm, others, chance, probe, seed).items()}

    return {(name, chance): kept.of(
                f'seed {seed}, chance {chance}: {name}', partial(judged, name, chance))
            for chance in chances for name in arms_of(RlaPredictor(shape), drives)}


def table(found: Sequence[dict[tuple[str, float], dict[str, list[float]]]]) -> list[Row]:
    """Sum up what was found with all seeds."""
    rows = []
    for name, chance in found[0]:
        for measure in found[0][name, chance]:
            every = np.array([each[name, chance][measure] for each in found])
            # The same drives were judged with every seed.
            block = np.tile(np.arange(every.shape[1]), len(found))
            rows.append(Row(
                name, chance, measure, over_blocks(every.ravel(), np.ones(every.size), block, 0),
                tuple(every.mean(1).tolist())))
    return rows


def loss_on(arm: Arm, drives: Drives, chance: float, generator: Generator) -> Tensor:
    """Return an arm's loss on drawn drives."""
    some, later = batch_of(drives, chance, generator)
    return arm.loss(some.start, later, some.actions, generator)


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='Futures that cannot be told from the picture.')
    parser.add_argument('--bundle', type=Path, default=Path('models/rooms'), help='its encoder')
    parser.add_argument('--drives', type=int, default=3000, help='to learn from (%(default)s)')
    parser.add_argument('--judged', type=int, default=300, help='others (%(default)s)')
    parser.add_argument('--chances', type=float, nargs='+', default=(0.0, 0.1, 0.3, 0.5),
                        help='of a slip (%(default)s)')
    parser.add_argument('--steps', type=int, default=4000, help='of each training (%(default)s)')
    parser.add_argument('--seeds', type=int, default=2, help='(%(default)s)')
    add_kept(parser)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    bundle = Bundle.load(args.bundle)
    shape = RlaShape(bundle.manifest.encoder.width, bundle.manifest.encoder.grid, 2, chunk=STEPS,
                     flow_steps=TOKEN_STEPS)
    subset = random_subset(bundle.manifest.total_tokens, TOKENS, Generator().manual_seed(0))
    drives, others = (record(bundle, count, first, subset) for count, first in (
        (args.drives, 10**6), (args.judged, 2 * 10**6)))
    others = others.some(
        ((others.places[0] - others.places[1]).norm(dim=-1) > APART_M).nonzero()[:, 0])
    kept = Kept(args)
    rows = table([of_seed(shape, drives, others, args.chances, args.steps, seed, kept)
                  for seed in range(args.seeds)])
    sizes = {name: sum(p.numel() for p in arm.drawing.parameters())
             for name, arm in arms_of(RlaPredictor(shape), drives).items()}
    for row in rows:
        found = row.estimate
        print(f'{row.arm:22} {row.chance:.1f}  {row.measure:20} {found.value:6.3f} '
              f'({found.low:.3f} to {found.high:.3f})')
    for name, size in sizes.items():
        print(f'{name:22} {size:,} parameters')
    if args.json:
        args.json.write_text(json.dumps({
            'parameters': sizes, 'judged': len(others), 'steps': args.steps,
            'seeds': args.seeds, 'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
