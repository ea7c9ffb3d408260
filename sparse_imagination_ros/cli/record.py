# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination record`: records episodes in the simulator."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from sparse_imagination_ros.cli.settings import add_settings, read_settings


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    from sparse_imagination_ros.training.record import RecordConfig
    parser: ArgumentParser = subparsers.add_parser(
        'record', help='record episodes in the simulator, to train on')
    parser.add_argument('--out', type=Path, required=True, help='folder of the recording')
    parser.add_argument(
        '--bundle', type=Path, metavar='FOLDER',
        help='let the planner of this bundle drive (default: an explorer that knows the map)')
    add_settings(parser, RecordConfig)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Record, or complete a recording that was stopped."""
    from rich.progress import Progress

    from sparse_imagination_ros.training.record import record, RecordConfig
    config = read_settings(args, RecordConfig)
    with Progress() as bar:
        task = bar.add_task('episodes', total=config.episodes)
        record(config, args.out, lambda done: bar.update(task, completed=done),
               args.bundle)
    print(f'{config.episodes} episodes of the {config.robot} robot are in {args.out}')
    return 0
