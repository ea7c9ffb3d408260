# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination train-rl`: corrects a bundle's policy in the bundle's own imagination."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from rich.console import Console

from sparse_imagination_ros.cli.bars import training_bars
from sparse_imagination_ros.cli.training_options import (
    add_training_options,
    settings_of,
    work_of,
)


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        'train-rl', help='correct a policy by what it tries in imagination; a stopped training '
                         'goes on')
    parser.add_argument(
        '--bundle', type=Path, required=True, help='with a policy, by `train-policy`')
    parser.add_argument(
        '--data', type=Path, nargs='+', required=True, metavar='FOLDER',
        help='recordings that show what is to be done; their actions are not looked at')
    add_training_options(parser, 'the corrected bundle')
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Train, or go on with a training that was stopped."""
    from sparse_imagination_ros.training.episodes import dataset_from_recording
    from sparse_imagination_ros.training.train_rl import train_rl
    from sparse_imagination_ros.world_models.bundle import Bundle
    settings = settings_of(args)
    work = work_of(args)
    with training_bars(Console()) as bars:
        made = train_rl(
            settings.rl, settings.train.seed, Bundle.load(args.bundle),
            [dataset_from_recording(folder) for folder in args.data], work, bars.report)
    made.save(args.out)
    print(f'bundle saved to {args.out}; measure its policy with '
          f'`sparse-imagination evaluate --bundle {args.out} --set mode=policy`')
    return 0
