# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One planning iteration beside the official Sparse Imagination release, in the same run.

    python benchmarks/official.py --checkout PATH_OF_THE_OFFICIAL_REPOSITORY

The official predictor has random weights of the published size; the same weights are read through
our importer and run by our engines, and so are predictors of our own. All imagine the same
candidates from the same tokens. The release encodes the picture anew for each candidate, which
counts, too: `speedup` is of the iteration with it, `speedup_rollout` of the rollouts alone.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
import json
from pathlib import Path
from statistics import median
import sys
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import torch
from torch import nn, Tensor

from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.imagination.compiling import rank_correlation
from sparse_imagination_ros.imagination.engines import maker_of, possible, REFERENCE, variants_of
from sparse_imagination_ros.imagination.graphs import GraphedEncoder
from sparse_imagination_ros.imagination.reference import Context, Imagine, imagine, remember
from sparse_imagination_ros.imagination.stepwise import Stepwise
from sparse_imagination_ros.imagination.verdict import Variant
from sparse_imagination_ros.machine import facts
from sparse_imagination_ros.planning.objective import GoalDistance
from sparse_imagination_ros.tokens.dino import dino_shape, DinoEncoder, import_timm, WIDTH
from sparse_imagination_ros.world_models.official import OfficialPredictor, read_official
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

# The official sizes: frames in the window, numbers in an action with its frames skipped, sensed.
WINDOW, ACTION, SENSED, EMBEDDED, HORIZON = 3, 10, 4, 10, 5
OFFICIAL, IMPORTED, OURS, LARGER = (
    'official release', 'its weights here', 'ours, as wide', 'ours, as many weights')
# 404 is no multiple of what processors like; as in benchmarks/training.py.
OURS_SHAPES = {OURS: PredictorShape(WIDTH, ACTION, width=384, depth=6, heads=16),
               LARGER: PredictorShape(WIDTH, ACTION, width=512, depth=6, heads=8)}

Model = OfficialPredictor | SparsePredictor


@dataclass(frozen=True)
class Task:
    """What all imagine. tokens, goal: [K, D]; sensed, goal_sensed: [Q]; candidates: [N, T, A]."""

    tokens: Tensor
    goal: Tensor
    sensed: Tensor
    goal_sensed: Tensor
    candidates: Tensor


@dataclass(frozen=True)
class Row:
    """
    What was measured of one contender with so many tokens.

    cost_rel_error, rank_correlation: against the release, or, of predictors of our own, against
    the reference.
    """

    what: str
    engine: str
    precision: str
    tokens: int
    rollout_s: float
    processor_s: float
    speedup: float
    speedup_rollout: float
    cost_rel_error: float
    rank_correlation: float


@dataclass(frozen=True)
class _Contender:
    what: str
    variant: Variant
    run: Callable[[], Tensor]


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='A planning iteration beside the official release.')
    parser.add_argument('--checkout', type=Path, required=True,
                        help='clone of the official Sparse Imagination release')
    parser.add_argument('--tokens', type=int, nargs='+', default=[20, 98], help='(20 98)')
    parser.add_argument('--candidates', type=int, default=32, help='(%(default)s)')
    parser.add_argument('--engine', default='auto', metavar='NAME[,NAME...]',
                        help='engines (all that can be had)')
    parser.add_argument('--rounds', type=int, default=3, help='of each (%(default)s)')
    parser.add_argument('--threads', type=int, default=2, help='(%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    names = possible() if args.engine == 'auto' else args.engine.split(',')
    variants = [Variant(REFERENCE), *(v for name in names for v in variants_of(name))]
    encode_s = _encode_s(variants)
    print('encoding a picture: ' + ', '.join(
        f'{variant} {1000 * seconds:.0f} ms' for variant, seconds in encode_s.items()))
    rows: list[Row] = []
    for tokens in args.tokens:
        task = _task(tokens, args.candidates)
        for contenders in _groups(args.checkout, task, variants):
            rows += _measured(contenders, args.rounds, tokens, args.candidates, encode_s)
    if args.json:
        args.json.write_text(json.dumps(
            {'rows': [asdict(row) for row in rows], 'machine': facts()}, indent=2) + '\n')


def _measured(
    contenders: list[_Contender], rounds: int, tokens: int, candidates: int,
    encode_s: dict[Variant, float],
) -> list[Row]:
    """Let contenders, the first of them the release, imagine in turns."""
    taken: list[list[tuple[float, float]]] = [[] for _ in contenders]
    costs = [contender.run() for contender in contenders]
    for _ in range(rounds):
        for contender, times in zip(contenders, taken, strict=True):
            began = perf_counter(), process_time()
            contender.run()
            times.append((perf_counter() - began[0], process_time() - began[1]))
    return _rows(contenders, taken, costs, tokens, candidates, encode_s)


def _rows(
    contenders: list[_Contender], taken: list[list[tuple[float, float]]], costs: list[Tensor],
    tokens: int, candidates: int, encode_s: dict[Variant, float],
) -> list[Row]:
    official_s = median(wall for wall, _ in taken[0])
    official_all_s = official_s + candidates * encode_s[Variant(REFERENCE)]
    right = {OFFICIAL: costs[0], IMPORTED: costs[0]}
    rows = []
    for contender, times, found in zip(contenders, taken, costs, strict=True):
        wall_s = median(wall for wall, _ in times)
        all_s = official_all_s if contender.what == OFFICIAL else (
            wall_s + encode_s.get(contender.variant, encode_s[Variant(REFERENCE)]))
        # Of our own predictors the plain engine is the first.
        reference = right.setdefault(contender.what, found)
        rows.append(Row(
            contender.what, contender.variant.engine, contender.variant.precision, tokens, wall_s,
            median(spent for _, spent in times), official_all_s / all_s, official_s / wall_s,
            float(((found - reference) / reference).abs().max()),
            rank_correlation(found, reference)))
        row = rows[-1]
        print(f'{tokens:4} tokens  {row.what:22} {contender.variant!s:20} '
              f'{row.rollout_s:7.2f} s ({row.processor_s:7.2f} s of processors)  '
              f'{row.speedup:6.2f} x, rollouts alone {row.speedup_rollout:6.2f} x  '
              f'cost error {row.cost_rel_error:.1e}, ranks {row.rank_correlation:.4f}')
    return rows


def _task(tokens: int, candidates: int) -> Task:
    generator = torch.Generator().manual_seed(tokens)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Task(draw(tokens, WIDTH), draw(tokens, WIDTH), draw(SENSED), draw(SENSED),
                draw(candidates, HORIZON, ACTION))


def _groups(
    checkout: Path, task: Task, variants: list[Variant],
) -> Iterator[list[_Contender]]:
    """Yield the release with one model in all engines after the other: all need gigabytes."""
    theirs, imported = _official(checkout, task)
    models: dict[str, Model] = {IMPORTED: imported}
    for what, shape in OURS_SHAPES.items():
        torch.manual_seed(0)
        predictor = SparsePredictor(shape)
        # An untrained one says that nothing changes.
        nn.init.normal_(predictor.token_out.weight, 0, 0.02)
        models[what] = predictor.eval().requires_grad_(False)
    for what, model in models.items():
        found = [_Contender(OFFICIAL, Variant(REFERENCE), theirs)]
        for variant in variants:
            try:
                found.append(_Contender(what, variant, _imagination(model, task, variant)))
            except EngineError as error:
                print(f'not {variant}: {error}')
        yield found


def _imagination(model: Model, task: Task, variant: Variant) -> Callable[[], Tensor]:
    seen = model.observe(task.tokens, task.sensed)
    goal = model.observe(task.goal, task.goal_sensed)
    engine: Imagine = imagine
    if variant.engine != REFERENCE:
        made = Stepwise(maker_of(variant, torch.get_num_threads()), model)
        made.prepare(seen.expand(len(task.candidates), -1, -1).contiguous(),
                     task.candidates[:, 0])
        engine = made
    # Only the last step counts, as in the release.
    objective = GoalDistance(model, (0.0,) * (HORIZON - 1) + (1.0,))
    subset = torch.arange(len(seen))

    @torch.inference_mode()
    def run() -> Tensor:
        memory = remember(model, Context(seen[None], torch.zeros(0, ACTION)))
        return engine(model, memory, goal, subset, task.candidates, objective)

    return run


def _official(checkout: Path, task: Task) -> tuple[Callable[[], Tensor], OfficialPredictor]:
    """Set the official world model up as its configuration does, with tokens for pictures."""
    # It imports torchvision, which this makes possible beside any PyTorch.
    import_timm()
    sys.path.insert(0, str(checkout))
    proprio, world_model, vit, objectives = (
        import_module(name) for name in (
            'models.proprio', 'models.visual_world_model', 'models.vit', 'planning.objectives'))
    torch.manual_seed(0)
    predictor = vit.ViTPredictorWithoutPE(
        num_patches=len(task.tokens), num_frames=WINDOW, dim=WIDTH + 2 * EMBEDDED, depth=6,
        heads=16, mlp_dim=2048, dropout=0.1)
    told, sensed = (
        proprio.ProprioceptiveEmbedding(num_frames=WINDOW, tubelet_size=1, in_chans=size,
                                        emb_dim=EMBEDDED, use_3d_pos=False)
        for size in (ACTION, SENSED))
    model = world_model.VWorldModel(
        image_size=224, num_hist=WINDOW, num_pred=1, encoder=_Given(task.tokens),
        proprio_encoder=sensed, action_encoder=told, decoder=None, predictor=predictor,
        proprio_dim=EMBEDDED, action_dim=EMBEDDED, concat_dim=1, num_action_repeat=1,
        num_proprio_repeat=1, train_encoder=False, train_predictor=False, train_decoder=False)
    model.eval()
    count = len(task.candidates)
    start = {'visual': torch.zeros(count, 1, 3, 1, 1),
             'proprio': task.sensed.expand(count, 1, -1)}
    objective = objectives.create_objective_fn(alpha=1, alpha_vis=1, base=2, mode='last')

    @torch.no_grad()
    def run() -> Tensor:
        goal = {'visual': task.goal.expand(count, 1, -1, -1),
                'proprio': model.encode_proprio(task.goal_sensed.expand(count, 1, -1))}
        imagined, _ = model.rollout(obs_0=start, act=task.candidates)
        costs: Tensor = objective(imagined, goal)
        return costs

    with TemporaryDirectory() as folder:
        path = Path(folder) / 'model.pth'
        torch.save(
            {'predictor': predictor, 'action_encoder': told, 'proprio_encoder': sensed}, path)
        return run, read_official(path)


class _Given(nn.Module):
    """In place of an encoder: tokens that are there already."""

    name, emb_dim, patch_size = 'given', WIDTH, 16

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self._tokens = tokens

    def forward(self, pictures: Tensor) -> Tensor:
        return self._tokens.expand(len(pictures), -1, -1)


def _encode_s(variants: list[Variant]) -> dict[Variant, float]:
    """Return how long each engine encodes one picture, with weights at random."""
    shape = dino_shape('dinov2_vits14')
    torch.manual_seed(0)
    plain = DinoEncoder(shape).eval().requires_grad_(False)
    picture = torch.randint(256, (1, shape.image_size, shape.image_size, 3), dtype=torch.uint8)
    taken = {}
    for variant in variants:
        encoder: Any = plain
        if variant.engine != REFERENCE:
            try:
                encoder = GraphedEncoder(plain, maker_of(variant, torch.get_num_threads()))
            except EngineError as error:
                print(f'not {variant} for the encoder: {error}')
                continue
        times = []
        with torch.inference_mode():
            for _ in range(4):
                began_s = perf_counter()
                encoder(picture)
                times.append(perf_counter() - began_s)
        taken[variant] = median(times[1:])
    return taken


if __name__ == '__main__':
    main()
