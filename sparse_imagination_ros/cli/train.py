# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination train`: turns recordings, bags or others' data into a bundle."""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sparse_imagination_ros.cli.bars import training_bars
from sparse_imagination_ros.cli.training_options import (
    add_training_options,
    settings_of,
    work_of,
)
from sparse_imagination_ros.errors import ConfigError

if TYPE_CHECKING:
    from sparse_imagination_ros.tokens.encoders import Encoder
    from sparse_imagination_ros.training.dataset import Dataset
    from sparse_imagination_ros.training.from_bags import Findings
    from sparse_imagination_ros.world_models.bundle import Bundle


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        'train', help='train a bundle from recordings, bags or official datasets; a stopped '
                      'training goes on')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--data', type=Path, nargs='+', metavar='FOLDER',
        help='recordings, made by `sparse-imagination record`; the predictor learns from all of '
             'them alike, the encoder from the first')
    source.add_argument(
        '--bags', type=Path, nargs='+', help='bags, or folders with bags somewhere inside')
    source.add_argument(
        '--official', type=Path, metavar='FOLDER',
        help='a dataset of DINO-WM: pusht_noise, point_maze or wall_single')
    parser.add_argument(
        '--family', choices=('sparse', 'rla'), default='sparse',
        help='sparse: a predictor that goes step by step; rla: residual latent actions, a whole '
             'chunk of steps at once (%(default)s)')
    parser.add_argument(
        '--encoder', default='small',
        help='small: train one as well; the folder of a bundle: take its encoder; or one of '
             'dino_vits16, dinov2_vits14, dinov2_vits14_reg, dinov3_vits16 (default: small)')
    parser.add_argument(
        '--refine', type=Path, metavar='BUNDLE',
        help='train the predictor of this bundle on; its encoder stays as it is')
    parser.add_argument(
        '--weights', type=Path, help='file with the weights of a DINO encoder, where neither '
                                     "torch.hub's nor timm's cache has them")
    add_training_options(parser, 'the bundle')
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Train, or go on with a training that was stopped."""
    from sparse_imagination_ros.training.loop import Team
    from sparse_imagination_ros.training.train import encoder_of, train
    from sparse_imagination_ros.training.train_rla import train_rla
    team = Team.joined()
    settings = settings_of(args)
    # Of several processes only the first one talks.
    console = Console(quiet=team.rank > 0)
    work = work_of(args)
    with training_bars(console) as bars:
        start, show, report = _start(args), bars.show, bars.report
        if args.bags:
            dataset, found = team.first_alone(
                lambda: _from_bags(args.bags, settings.bags, start, work, show))
            datasets = [dataset]
            console.print(_findings(found))
        elif args.official:
            datasets = [team.first_alone(
                lambda: _from_official(args.official, settings.official, start, work, show))]
        else:
            from sparse_imagination_ros.training.episodes import dataset_from_recording
            datasets = [team.first_alone(partial(dataset_from_recording, folder))
                        for folder in args.data]
        if args.family == 'rla':
            bundle = train_rla(
                settings.train, settings.rla, settings.joint, settings.foresight, datasets,
                encoder_of(start), work, report, settings.lookahead)
        else:
            bundle = train(settings.train, settings.joint, settings.foresight, datasets, start,
                           work, report, settings.lookahead)
    if team.rank == 0:
        bundle.save(args.out)
        print(f'bundle saved to {args.out}; measure it with '
              f'`sparse-imagination evaluate --bundle {args.out}`')
    return 0


def _start(args: Namespace) -> 'Encoder | Bundle | None':
    """Return what has been trained before."""
    from sparse_imagination_ros.tokens.encoders import SMALL
    from sparse_imagination_ros.world_models.bundle import Bundle
    if args.refine is None:
        return _encoder(args.encoder, args.weights)
    if args.family != 'sparse':
        raise ConfigError('--refine trains sparse predictors on; leave --family out')
    if args.encoder != SMALL or args.weights:
        raise ConfigError('--refine takes the encoder of the bundle, too; leave --encoder out')
    return Bundle.load(args.refine)


def _encoder(name: str, weights: Path | None) -> 'Encoder | None':
    """Return the trained encoder of a name; none for the one that is to be trained."""
    from sparse_imagination_ros.tokens.dino import DINO, dino_shape, pretrained_dino
    from sparse_imagination_ros.tokens.encoders import SMALL
    from sparse_imagination_ros.world_models.bundle import Bundle
    if weights is not None and name not in DINO:
        raise ConfigError(f'--weights are those of a DINO encoder; --encoder is {name}')
    if name == SMALL:
        return None
    if name in DINO:
        return pretrained_dino(dino_shape(name), weights)
    if Path(name).is_dir():
        return Bundle.load(Path(name)).encoder
    raise ConfigError(
        f'--encoder {name} is neither the folder of a bundle nor one of {SMALL}, '
        f'{", ".join(DINO)}')


def _from_bags(
    paths: list[Path], config: Any, start: 'Encoder | Bundle | None', work: Path, show: Any,
) -> 'tuple[Dataset, list[Findings]]':
    from sparse_imagination_ros.bags.opening import find_bags
    from sparse_imagination_ros.training.from_bags import dataset_from_bags
    return dataset_from_bags(
        find_bags(paths), config, _image_size(start), work / 'data', partial(show, 'pictures'))


def _from_official(
    folder: Path, config: Any, start: 'Encoder | Bundle | None', work: Path, show: Any,
) -> 'Dataset':
    from sparse_imagination_ros.training.official_data import dataset_from_official
    return dataset_from_official(
        folder, config, _image_size(start), work / 'data', partial(show, 'pictures'))


def _image_size(start: 'Encoder | Bundle | None') -> int:
    from sparse_imagination_ros.tokens.encoders import EncoderShape
    from sparse_imagination_ros.training.train import encoder_of
    encoder = encoder_of(start)
    return (encoder.shape if encoder else EncoderShape()).image_size


def _findings(found: 'list[Findings]') -> Table:
    # Narrow enough for a terminal of 80 columns.
    table = Table('Bag', 'Pictures', 'Bad', 'Seconds', 'Gaps', 'Clock jumps', 'Scenes', 'Episodes',
                  'Steps', 'Clipped', box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = 'right'
    table.columns[0].no_wrap = True
    for f in found:
        table.add_row(
            Path(f.bag).name, str(f.pictures), str(f.unreadable), f'{f.seconds:.1f}', str(f.gaps),
            str(f.jumps), str(f.scenes), str(f.episodes), str(f.steps), str(f.beyond_limits))
    return table
