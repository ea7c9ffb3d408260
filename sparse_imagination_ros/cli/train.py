# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination train`: turns a recording into a bundle, or refines one."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from sparse_imagination_ros.cli.settings import add_settings, read_settings
from sparse_imagination_ros.errors import ConfigError


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    from sparse_imagination_ros.training.train import TrainConfig
    parser: ArgumentParser = subparsers.add_parser(
        'train', help='train a bundle from a recording; a stopped training goes on')
    parser.add_argument(
        '--data', type=Path, required=True, nargs='+', metavar='FOLDER',
        help='the recording; with --refine several, which count the same')
    parser.add_argument(
        '--refine', type=Path, metavar='BUNDLE',
        help='train the predictor of this bundle on; its encoder stays as it is')
    parser.add_argument('--out', type=Path, required=True, help='folder of the bundle')
    parser.add_argument(
        '--work', type=Path, help='folder of the checkpoints (default: OUT with .work behind)')
    add_settings(parser, TrainConfig)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Train, or go on with a training that was stopped."""
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sparse_imagination_ros.training import train as training
    from sparse_imagination_ros.training.episodes import load_episodes, load_recording
    from sparse_imagination_ros.world_models.bundle import Bundle
    config = read_settings(args, training.TrainConfig)
    if len(args.data) > 1 and not args.refine:
        raise ConfigError('--data names several recordings, which only --refine can take')
    first = Bundle.load(args.refine) if args.refine else None
    recorded = [training.Recorded(load_recording(folder), load_episodes(folder))
                for folder in args.data]
    work = args.work or args.out.with_name(args.out.name + '.work')
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn('loss {task.fields[loss]:.4f}'))
    with Progress(*columns) as bar:
        tasks: dict[str, Any] = {}

        def report(progress: training.Progress) -> None:
            if progress.part not in tasks:
                tasks[progress.part] = bar.add_task(
                    progress.part, total=progress.steps, loss=progress.loss)
            bar.update(tasks[progress.part], total=progress.steps, completed=progress.step,
                       loss=progress.loss)

        if first is None:
            bundle = training.train(config, recorded[0], work, report)
        else:
            bundle = training.refine(config, first, recorded, work, report)
    bundle.save(args.out)
    print(f'bundle saved to {args.out}; measure it with '
          f'`sparse-imagination evaluate --bundle {args.out}`')
    return 0
