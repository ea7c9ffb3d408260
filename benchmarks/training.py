# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Time and memory of a training step, beside the official Sparse Imagination release in the same run.

    python benchmarks/training.py --checkout PATH_OF_THE_OFFICIAL_REPOSITORY

All learn from the same tokens, so that no encoder is timed. Each contender has a process of its
own, for its memory; they take turns, so that a disturbance of the machine meets all of them.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
import json
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from resource import getrusage, RUSAGE_SELF
from statistics import median
import sys
from time import perf_counter

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.tokens.dino import import_timm, WIDTH
from sparse_imagination_ros.training.sparse import Foresight, foresight
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

# The official sizes: frames in a clip, numbers in an action with its frames skipped, and sensed.
FRAMES, ACTION, SENSED, EMBEDDED = 4, 10, 4, 10
OFFICIAL, OURS = 'official release', 'this package'

Step = Callable[[int], Tensor]


@dataclass(frozen=True)
class Batch:
    """What a step learns from. tokens: [B, F, P, D]; sensed: [B, F, Q]; actions: [B, F, A]."""

    tokens: Tensor
    sensed: Tensor
    actions: Tensor


@dataclass(frozen=True)
class Row:
    """What was measured of one contender; nothing if its process died, as for want of memory."""

    what: str
    parameters: int
    tokens: int
    batch: int
    step_s: float | None
    peak_mib: float | None
    speedup: float | None


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='Time and memory of a training step.')
    parser.add_argument('--checkout', type=Path, required=True,
                        help='clone of the official Sparse Imagination release')
    parser.add_argument('--tokens', type=int, default=196, help='tokens of a frame (%(default)s)')
    parser.add_argument('--batch', type=int, default=32, help='clips in a step (%(default)s)')
    parser.add_argument('--steps', type=int, default=5, help='steps of each (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    sizes = (args.checkout, args.tokens, args.batch)
    spawn = get_context('spawn')
    runs = []
    for what in (OFFICIAL, OURS):
        mine, theirs = spawn.Pipe()
        process = spawn.Process(target=_contend, args=(what, *sizes, theirs), daemon=True)
        process.start()
        runs.append((what, mine, mine.recv()))
    taken: dict[str, list[float]] = {OFFICIAL: [], OURS: []}
    died = set()
    # The first step of each warms up.
    for number in range(args.steps + 1):
        for what, pipe, _ in runs:
            if what in died:
                continue
            try:
                pipe.send(number)
                seconds = pipe.recv()
            except (EOFError, OSError):
                died.add(what)
                continue
            if number:
                taken[what].append(seconds)
    rows = []
    for what, pipe, parameters in runs:
        if what in died:
            rows.append(Row(what, parameters, args.tokens, args.batch, None, None, None))
            print(f'{what:18} died: did the machine run out of memory? Try a smaller --batch')
            continue
        pipe.send(None)
        step_s, peak_mib = median(taken[what]), pipe.recv()
        speedup = None if OFFICIAL in died else median(taken[OFFICIAL]) / step_s
        rows.append(Row(what, parameters, args.tokens, args.batch, step_s, peak_mib, speedup))
        print(f'{what:18} {parameters / 1e6:6.1f} M parameters  {step_s:7.2f} s a step  '
              f'{peak_mib:7.0f} MiB more than idle'
              + (f'  {speedup:5.2f} x' if speedup else ''))
    if args.json:
        args.json.write_text(json.dumps({'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


def _contend(what: str, checkout: Path, tokens: int, batch: int, pipe: Connection) -> None:
    """Do steps when told to."""
    torch.manual_seed(0)
    data = Batch(torch.randn(batch, FRAMES, tokens, WIDTH), torch.randn(batch, FRAMES, SENSED),
                 torch.randn(batch, FRAMES, ACTION))
    loss_of, modules = (_official(checkout, data) if what == OFFICIAL else _ours(data))
    modules.train()
    optimiser = torch.optim.AdamW(modules.parameters(), 5e-4)
    idle = getrusage(RUSAGE_SELF).ru_maxrss
    pipe.send(sum(p.numel() for p in modules.parameters()))
    while (number := pipe.recv()) is not None:
        start = perf_counter()
        optimiser.zero_grad()
        loss_of(number).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        pipe.send(perf_counter() - start)
    pipe.send((getrusage(RUSAGE_SELF).ru_maxrss - idle) / 1024)


def _ours(data: Batch) -> tuple[Step, nn.Module]:
    # About as many parameters as the official predictor has.
    predictor = SparsePredictor(PredictorShape(WIDTH, ACTION, width=512, depth=6, heads=8))
    as_published = Foresight(rollout=False, predicted_tokens=0, grouped=True)

    def loss_of(number: int) -> Tensor:
        generator = Generator().manual_seed(number)
        share = foresight(predictor, data.tokens, data.actions, as_published, generator)
        return share.wrong / share.change

    return loss_of, predictor


def _official(checkout: Path, data: Batch) -> tuple[Step, nn.Module]:
    """Set the official world model up as its configuration does, with tokens for pictures."""
    # It imports torchvision, which this makes possible beside any PyTorch.
    import_timm()
    sys.path.insert(0, str(checkout))
    proprio, world_model, vit = (
        import_module(f'models.{name}') for name in ('proprio', 'visual_world_model', 'vit'))
    window, tokens = FRAMES - 1, data.tokens.shape[2]
    predictor = vit.ViTPredictorWithoutPE(
        num_patches=tokens, num_frames=window, dim=WIDTH + 2 * EMBEDDED, depth=6, heads=16,
        mlp_dim=2048, dropout=0.1)
    told, sensed = (
        proprio.ProprioceptiveEmbedding(num_frames=window, tubelet_size=1, in_chans=size,
                                        emb_dim=EMBEDDED, use_3d_pos=False)
        for size in (ACTION, SENSED))
    encoder = _Given(data.tokens)
    model = world_model.VWorldModel(
        image_size=224, num_hist=window, num_pred=1, encoder=encoder, proprio_encoder=sensed,
        action_encoder=told, decoder=None, predictor=predictor, proprio_dim=EMBEDDED,
        action_dim=EMBEDDED, concat_dim=1, num_action_repeat=1, num_proprio_repeat=1,
        train_encoder=False, train_predictor=True, train_decoder=False, drop_rate_ub=0.5)
    pictures = torch.zeros(*data.tokens.shape[:2], 3, 1, 1)

    def loss_of(number: int) -> Tensor:
        torch.manual_seed(number)
        loss: Tensor = model({'visual': pictures, 'proprio': data.sensed}, data.actions)[3]
        return loss

    return loss_of, model


class _Given(nn.Module):
    """In place of an encoder: tokens that are there already."""

    name, emb_dim, patch_size = 'given', WIDTH, 16

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self._tokens = tokens.flatten(0, 1)

    def forward(self, _pictures: Tensor) -> Tensor:
        return self._tokens


if __name__ == '__main__':
    main()
