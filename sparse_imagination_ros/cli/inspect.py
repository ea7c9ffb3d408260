# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination inspect`: shows what a bundle, or a foreign checkpoint, is and holds."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from sparse_imagination_ros.world_models.official import OfficialShape


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        'inspect', help='show what a bundle, or a checkpoint of an official release, holds')
    parser.add_argument(
        'path', type=Path, help='folder of a bundle, or a checkpoint file of DINO-WM or Sparse '
                                'Imagination (nothing in it is run)')
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Verify what is there and print what it says of itself."""
    lines = _checkpoint(args.path) if args.path.is_file() else _bundle(args.path)
    for name, value in lines:
        print(f'{name:15} {value}')
    return 0


def _bundle(folder: Path) -> list[tuple[str, str]]:
    from sparse_imagination_ros.world_models.bundle import Bundle
    from sparse_imagination_ros.world_models.official import OfficialShape
    from sparse_imagination_ros.world_models.rla.shape import RlaShape
    bundle = Bundle.load(folder)
    manifest = bundle.manifest
    predictor = manifest.predictor
    lines = [('bundle', f'{manifest.name} ({folder}; checksums are right)'),
             ('robot', manifest.robot),
             ('camera', '{} x {} pixels'.format(*manifest.picture_size)),
             ('tokens', f'{manifest.total_tokens} of width {manifest.encoder.width}, '
                        f'{manifest.encoder.grid} x {manifest.encoder.grid}'),
             ('model step', f'{manifest.step_s} s, frameskip {manifest.frameskip}, '
                            f'context of {predictor.window} frames'),
             ('lookahead', f'{manifest.lookahead.steps} model steps, each counting '
                           f'{manifest.lookahead.growth:g} times the one before, by the best '
                           f'{manifest.lookahead.effective_samples:g} candidates'),
             ('encoder', f'{manifest.encoder.name}, {_parameters(bundle.encoder)}'),
             ('predictor', f'{manifest.family}, {_parameters(bundle.predictor)}')]
    if isinstance(predictor, OfficialShape):
        lines += [('release', _release(predictor)),
                  ('proprioception', f'{", ".join(manifest.senses)}; its weight in the cost is '
                                     f'{predictor.proprio_weight}')]
    if isinstance(predictor, RlaShape):
        futures = 'several futures' if predictor.generative else 'the mean future'
        lines.append(('chunk', f'up to {predictor.chunk} model steps at once, as '
                               f'{predictor.latent_size} numbers; it knows {futures}'))
    for name, low, high, acceleration in zip(*vars(manifest.actions).values(), strict=True):
        lines.append((name, f'{low} .. {high}, at most {acceleration} per second of change'))
    return lines


def _checkpoint(path: Path) -> list[tuple[str, str]]:
    from sparse_imagination_ros.world_models.official import read_official
    predictor = read_official(path)
    shape = predictor.shape
    return [('checkpoint', f'{_release(shape)}, read without running anything in it'),
            ('tokens', f'{shape.patches or "any number"} of width {shape.token_width}'),
            ('proprioception', f'{shape.proprio_size} numbers'),
            ('action', f'{shape.action_size} numbers in a model step'),
            ('context', f'{shape.window} frames'),
            ('predictor', f'{_parameters(predictor)}, {shape.depth} blocks of width '
                          f'{shape.width}'),
            ('not in the file', 'the encoder, and how actions and proprioception are normalised; '
                                '`sparse-imagination import` asks for it')]


def _release(shape: 'OfficialShape') -> str:
    return 'DINO-WM (dense)' if shape.patches else 'Sparse Imagination (any subset of tokens)'


def _parameters(module: 'nn.Module') -> str:
    return f'{sum(p.numel() for p in module.parameters()):,} parameters'
