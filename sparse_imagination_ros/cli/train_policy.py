# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination train-policy`: a policy for a bundle, from drives and from videos."""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.console import Console

from sparse_imagination_ros.cli.bars import Bars, training_bars
from sparse_imagination_ros.cli.training_options import (
    add_training_options,
    settings_of,
    work_of,
)
from sparse_imagination_ros.errors import ConfigError

if TYPE_CHECKING:
    from sparse_imagination_ros.training.dataset import Dataset
    from sparse_imagination_ros.training.settings import Settings
    from sparse_imagination_ros.world_models.bundle import Bundle


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        'train-policy', help='train what decides without a search, from drives and from videos; '
                             'a stopped training goes on')
    parser.add_argument(
        '--bundle', type=Path, required=True, help='of the family rla: its latents are told')
    parser.add_argument(
        '--data', type=Path, nargs='+', default=[], metavar='FOLDER',
        help='recordings, made by `sparse-imagination record`')
    parser.add_argument(
        '--bags', type=Path, nargs='+', default=[], help='bags with commands, or their folders')
    parser.add_argument(
        '--videos', type=Path, nargs='+', default=[], metavar='FOLDER',
        help='recordings of which only the pictures are looked at')
    parser.add_argument(
        '--video-bags', type=Path, nargs='+', default=[],
        help='bags of which only the pictures are looked at; they need no commands')
    add_training_options(parser, 'the bundle with the policy')
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Train, or go on with a training that was stopped."""
    from sparse_imagination_ros.training.loop import Team
    from sparse_imagination_ros.training.train_policy import train_policy
    from sparse_imagination_ros.world_models.bundle import Bundle
    if not args.data and not args.bags:
        raise ConfigError('name drives to learn actions from, with --data or --bags')
    team = Team.joined()
    settings = settings_of(args)
    work = work_of(args)
    bundle = Bundle.load(args.bundle)
    with training_bars(Console(quiet=team.rank > 0)) as bars:
        read = partial(_datasets, settings, bundle, work, bars)
        drives = team.first_alone(lambda: read(args.data, args.bags, True))
        videos = team.first_alone(lambda: read(args.videos, args.video_bags, False))
        made = train_policy(
            settings.train, settings.policy, bundle, drives, videos, work, bars.report)
    if team.rank == 0:
        made.save(args.out)
        print(f'bundle saved to {args.out}; measure its policy with '
              f'`sparse-imagination evaluate --bundle {args.out} --set mode=policy`')
    return 0


def _datasets(
    settings: 'Settings', bundle: 'Bundle', work: Path, bars: Bars, recordings: list[Path],
    bags: list[Path], commanded: bool,
) -> 'list[Dataset]':
    from sparse_imagination_ros.training.episodes import dataset_from_recording
    datasets = [dataset_from_recording(folder) for folder in recordings]
    if bags:
        from sparse_imagination_ros.bags.opening import find_bags
        from sparse_imagination_ros.training.from_bags import dataset_from_bags
        name = 'drives' if commanded else 'videos'
        dataset, _ = dataset_from_bags(
            find_bags(bags), settings.bags, bundle.manifest.encoder.image_size, work / name,
            partial(bars.show, name), commanded)
        datasets.append(dataset)
    return datasets
