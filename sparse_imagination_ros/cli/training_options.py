# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all commands that train are told: where things go, and their settings."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparse_imagination_ros.training.settings import Settings


def add_training_options(parser: ArgumentParser, made: str) -> None:
    """Add the options; `made` says what will be in the folder that comes of it."""
    parser.add_argument('--out', type=Path, required=True, help=f'folder of {made}')
    parser.add_argument(
        '--work', type=Path, help='folder of the checkpoints (default: OUT with .work behind)')
    parser.add_argument(
        '--config', type=Path, help='settings, as in config/train.yaml (which explains them)')
    parser.add_argument('--seed', type=int, help='the same as --set train.seed=SEED')
    parser.add_argument(
        '--set', action='append', default=[], metavar='PART.NAME=VALUE',
        help='one setting, such as train.seed=1; it wins over the file')


def settings_of(args: Namespace) -> 'Settings':
    """Return the settings, from the file and the single ones."""
    # Not before: the list of commands must not wait for torch.
    from sparse_imagination_ros.training.settings import read_settings

    words = args.set if args.seed is None else [*args.set, f'train.seed={args.seed}']
    return read_settings(args.config, words)


def work_of(args: Namespace) -> Path:
    """Return the folder of the checkpoints."""
    work: Path = args.work or args.out.with_name(args.out.name + '.work')
    return work
