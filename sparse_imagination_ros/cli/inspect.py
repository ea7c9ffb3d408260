# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination inspect`: shows what a bundle is and holds."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        'inspect', help='show what a bundle is and holds')
    parser.add_argument('bundle', type=Path, help='folder of the bundle')
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Verify the bundle and print what it says of itself."""
    from torch import nn

    from sparse_imagination_ros.world_models.bundle import Bundle
    bundle = Bundle.load(args.bundle)
    manifest = bundle.manifest

    def parameters(module: nn.Module) -> str:
        return f'{sum(p.numel() for p in module.parameters()):,} parameters'

    lines = [('bundle', f'{manifest.name} ({args.bundle}; checksums are right)'),
             ('robot', manifest.robot),
             ('camera', '{} x {} pixels'.format(*manifest.picture_size)),
             ('tokens', f'{manifest.total_tokens} of width {manifest.encoder.width}, '
                        f'{manifest.encoder.grid} x {manifest.encoder.grid}'),
             ('model step', f'{manifest.step_s} s, context of {manifest.predictor.window} frames'),
             ('encoder', f'{manifest.encoder.name}, {parameters(bundle.encoder)}'),
             ('predictor', parameters(bundle.predictor))]
    for name, low, high, acceleration in zip(*vars(manifest.actions).values(), strict=True):
        lines.append((name, f'{low} .. {high}, at most {acceleration} per second of change'))
    for name, value in lines:
        print(f'{name:12} {value}')
    return 0
