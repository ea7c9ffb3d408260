# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination replay`: what the planner would have done on recorded bags."""

import argparse
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from sparse_imagination_ros.cli.settings import add_settings, read_settings
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.replay.settings import ReplayConfig

if TYPE_CHECKING:
    from sparse_imagination_ros.evaluation.estimates import Estimate
    from sparse_imagination_ros.planning.planner import PlannerConfig
    from sparse_imagination_ros.replay.comparison import Difference
    from sparse_imagination_ros.replay.replay import Replayer
    from sparse_imagination_ros.replay.results import Replay

INTERRUPTED, WORSE = 130, 1


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'replay', help='what the planner would have done on a recorded bag, and how well it '
                       'imagines',
        description='Replay recorded bags through the planner, which drives nothing. Goals are '
                    'pictures of the bag itself. What was stopped goes on with the same command.')
    parser.add_argument('bags', type=Path, nargs='+', metavar='BAG',
                        help='bags, or folders with bags somewhere inside')
    parser.add_argument('--bundle', required=True,
                        help='the model: name of one in models/, or path of a folder')
    parser.add_argument(
        '--tokens', type=_counts, metavar='N[,N...]',
        help='numbers of tokens to compare (the one of the planner)')
    parser.add_argument('--budget-ms', type=float,
                        help='time that a cycle may take (the one of the planner)')
    parser.add_argument('--seed', type=int, help='of the planner (the one of the planner)')
    parser.add_argument('--engine', help='what imagines (the one of the planner)')
    parser.add_argument(
        '--params-file', type=Path, metavar='FILE',
        help='parameters of planner_node, whose settings of the planner are taken')
    parser.add_argument(
        '--offline', action='store_true',
        help="plan from every picture, as if planning took no time; else the bag's clock runs on")
    parser.add_argument('--threads', type=int, default=1,
                        help='processor threads of the network, as for the node (%(default)s)')
    parser.add_argument('--work', type=Path, default=Path('out/replay.work'), metavar='FOLDER',
                        help='where what is finished is kept (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here')
    parser.add_argument('--report', type=Path, metavar='FILE', help='write a page to look at here')
    parser.add_argument('--out-bag', type=Path, metavar='FOLDER',
                        help='write a copy of the only bag with the topics of the planner beside '
                             'the others, from the first number of tokens')
    parser.add_argument('--against', type=Path, metavar='FILE',
                        help='fail if a metric is worse than in the numbers of an earlier replay')
    parser.add_argument('--margin', type=float, default=0.1,
                        help='by how much worse a metric may be: a share of it, or a difference '
                             'of what is a share itself (%(default)s)')
    add_settings(parser, ReplayConfig)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay, and print tables."""
    # Not before: the list of commands must not wait for torch.
    import torch

    from sparse_imagination_ros.imagination.engines import chosen
    from sparse_imagination_ros.replay.replay import bags_among, Order, Replayer
    from sparse_imagination_ros.share import bundle_path
    from sparse_imagination_ros.world_models.bundle import Bundle

    torch.set_num_threads(args.threads)
    console = Console()
    path = bundle_path(args.bundle)
    bundle = Bundle.load(path)
    order = Order(
        bags_among(args.bags), path, _plannings(args), read_settings(args, ReplayConfig),
        args.offline, args.work)
    if note := chosen(order.plannings[0].engine, bundle).note:
        console.print(note)
    replayer = Replayer(order, bundle)
    if args.out_bag and len(order.bags) > 1:
        raise ConfigError(f'--out-bag copies one bag, not {len(order.bags)}; name one')
    interrupted = False
    try:
        _work(replayer, console)
    except KeyboardInterrupt:
        interrupted = True
        console.print('Interrupted: what is finished is kept; the same command goes on from here.')
    worse = _write(args, replayer, console)
    return INTERRUPTED if interrupted else WORSE if worse else 0


def _plannings(args: argparse.Namespace) -> 'tuple[PlannerConfig, ...]':
    from sparse_imagination_ros.config import build, read_mapping
    from sparse_imagination_ros.planning.planner import PlannerConfig

    values: dict[str, Any] = {}
    if args.params_file:
        try:
            given = read_mapping(args.params_file)['/**']['ros__parameters']
            values = {k: v for k, v in given.items() if hasattr(PlannerConfig(), k)}
        except (AttributeError, KeyError, TypeError):
            raise ConfigError(
                f'{args.params_file} holds no `/**: ros__parameters:`; '
                'start from config/planner.yaml') from None
    for name in ('budget_ms', 'seed', 'engine'):
        if getattr(args, name) is not None:
            values[name] = getattr(args, name)
    planning = build(PlannerConfig, values, 'command line')
    return tuple(
        build(PlannerConfig, {**values, 'tokens': tokens}, 'command line')
        for tokens in args.tokens or (planning.tokens,))


def _work(replayer: 'Replayer', console: Console) -> None:
    with Progress(
            TextColumn('{task.description}'), BarColumn(), TaskProgressColumn(),
            TimeRemainingColumn(), console=console) as progress:
        tasks: dict[str, Any] = {}

        def show(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1.0)
            progress.update(tasks[what], completed=share)

        replayer.work(show)


def _write(args: argparse.Namespace, replayer: 'Replayer', console: Console) -> bool:
    """Show and write what was found out; tell whether it is worse than what it is held against."""
    from sparse_imagination_ros.replay.comparison import differences, verdict
    from sparse_imagination_ros.replay.results import as_json, read_json, write_json

    replay = replayer.result()
    for found in replay.bags:
        for fault in found.faults:
            console.print(f'{found.bag}: {fault}', soft_wrap=True, markup=False)
    for skipped in replay.skipped:
        console.print(f'left out: {skipped}', soft_wrap=True, markup=False)
    for table in _tables(replay):
        console.print(table)
    if replay.partial:
        console.print(f'Partial: there is no {replay.partial}.', soft_wrap=True, markup=False)
    if args.json:
        write_json(replay, args.json)
    changes: list[Difference] = []
    if args.against:
        changes = differences(read_json(args.against), as_json(replay), args.margin)
    if args.report:
        replayer.write_page(args.report, changes)
        console.print(f'Report: {args.report}', soft_wrap=True, markup=False)
    if args.out_bag and replay.runs:
        console.print(f'Bag: {replayer.write_bag(args.out_bag)}', soft_wrap=True, markup=False)
    worse = [difference for difference in changes if verdict(difference) == 'worse']
    for difference in worse:
        console.print(
            f'worse: {difference.name} is {difference.now:.4g}, it was {difference.before:.4g}',
            soft_wrap=True, markup=False)
    return bool(worse)


def _tables(replay: 'Replay') -> list[Table]:
    from sparse_imagination_ros.replay.results import summary

    bags = _table('Bag', 'Seconds', 'Pictures', 'Bad', 'Gaps', 'Jumps', 'Out of order', 'Commands')
    for found in replay.bags:
        bags.add_row(
            Path(found.bag).name, f'{found.seconds:.1f}', f'{found.pictures}',
            f'{found.unreadable + found.unfit}', f'{found.gaps}', f'{found.jumps}',
            f'{found.out_of_order}', f'{found.commands}')
    imagination = _table('Tokens', 'Ahead', 'Error', 'Nothing changes', 'Mean change', 'Skill')
    for quality in replay.qualities:
        for horizon in quality.horizons:
            imagination.add_row(
                f'{quality.tokens}', f'{horizon.steps}',
                *(f'{e.value:.4f}' for e in (horizon.model, horizon.still, horizon.change)),
                _interval(horizon.skill))
    planning = _table('Bag', 'Tokens', 'Cycles', 'Late', 'Dropped', 'p50 ms', 'p95', 'Direction',
                      'Sequence error')
    for run in replay.runs:
        numbers = summary(run, int(replay.settings['planner']['seed']))
        planning.add_row(
            Path(run.bag).name, f'{run.tokens}', f'{len(run.rows)}', f'{numbers["late"]}',
            f'{numbers["dropped"]}', f'{numbers["ms"]["total"]["p50"]:.1f}',
            f'{numbers["ms"]["total"]["p95"]:.1f}', f'{numbers["direction"]["value"]:+.2f}',
            f'{numbers["sequence"]["value"]:.2f}')
    return [bags, imagination, planning]


def _table(*names: str) -> Table:
    table = Table(*names, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify, column.no_wrap = 'right', True
    return table


def _interval(estimate: 'Estimate') -> str:
    return f'{estimate.value:+.2f} ({estimate.low:+.2f} to {estimate.high:+.2f})'


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a list of numbers such as 64,32,16') from None
