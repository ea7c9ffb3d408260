# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination replay`: what the planner would have done on recorded bags."""

import argparse
from collections.abc import Sequence
import os
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
    parser.add_argument('--engine', type=_words, metavar='NAME[,NAME...]',
                        help='what imagines; several to compare (the one of the planner)')
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
                             'the others, from the first setting')
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

    if args.threads < 1 or args.margin < 0:
        raise ConfigError(f'--threads {args.threads} --margin {args.margin}: at least 1 and 0 '
                          'are needed')
    if args.end <= args.start:
        raise ConfigError(f'--start {args.start:g} is not before --end {args.end:g}')
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
    before = _ready_to_write(args, order.bags)
    interrupted = False
    try:
        _work(replayer, console)
    except KeyboardInterrupt:
        interrupted = True
        console.print('Interrupted: what is finished is kept; the same command goes on from here.')
    worse = _write(args, replayer, before, console)
    return INTERRUPTED if interrupted else WORSE if worse else 0


def _ready_to_write(args: argparse.Namespace, bags: Sequence[Path]) -> dict[str, Any]:
    """Find what would go wrong in the end before hours are spent; return the earlier numbers."""
    from sparse_imagination_ros.replay.outbag import check_target
    from sparse_imagination_ros.replay.results import read_json

    for path in filter(None, (args.json, args.report)):
        if path.is_dir():
            raise ConfigError(f'{path} is a folder; name a file')
        _make_folder(path.parent)
    if args.out_bag:
        if len(bags) > 1:
            raise ConfigError(f'--out-bag copies one bag, not {len(bags)}; name one')
        check_target(args.out_bag, bags[0])
        _make_folder(args.out_bag.parent)
    return read_json(args.against) if args.against else {}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f'the folder {folder} cannot be made ({error.strerror})') from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f'nothing may be written to the folder {folder}')


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
    for name in ('budget_ms', 'seed'):
        if getattr(args, name) is not None:
            values[name] = getattr(args, name)
    planning = build(PlannerConfig, values, 'command line')
    return tuple(
        build(PlannerConfig, {**values, 'tokens': tokens, 'engine': engine}, 'command line')
        for tokens in args.tokens or (planning.tokens,)
        for engine in args.engine or (planning.engine,))


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


def _write(
    args: argparse.Namespace, replayer: 'Replayer', before: dict[str, Any], console: Console,
) -> bool:
    """Show and write what was found out; tell whether it is worse than what it is held against."""
    from sparse_imagination_ros.replay.comparison import differences, verdict
    from sparse_imagination_ros.replay.results import as_json, write_json

    replay = replayer.result()
    for found in replay.bags:
        for fault in found.faults:
            console.print(f'{found.bag}: {fault}', soft_wrap=True, markup=False)
    for skipped in replay.skipped:
        console.print(f'left out: {skipped}', soft_wrap=True, markup=False)
    for table in _tables(replay):
        console.print(table)
    if any(run.clock and run.earlier for run in replay.runs):
        console.print(f'Some times were measured by an earlier call; remove {args.work} to '
                      'measure anew.', soft_wrap=True, markup=False)
    if replay.partial:
        console.print(f'Partial: there is no {replay.partial}.', soft_wrap=True, markup=False)
    if args.json:
        write_json(replay, args.json)
    changes: list[Difference] = []
    try:
        if args.against:
            changes = differences(before, as_json(replay), args.margin)
    finally:
        # Also if there is nothing to hold it against.
        _write_others(args, replayer, changes, console)
    worse = [difference for difference in changes if verdict(difference) == 'worse']
    for difference in worse:
        console.print(
            f'worse: {difference.name} is {difference.now:.4g}, it was {difference.before:.4g}',
            soft_wrap=True, markup=False)
    return bool(worse)


def _write_others(
    args: argparse.Namespace, replayer: 'Replayer', changes: 'Sequence[Difference]',
    console: Console,
) -> None:
    if args.report:
        replayer.write_page(args.report, changes)
        console.print(f'Report: {args.report}', soft_wrap=True, markup=False)
    if args.out_bag and replayer.result().runs:
        written = replayer.write_bag(args.out_bag)
        console.print(f'Bag: {written.folder}', soft_wrap=True, markup=False)
        for topic in written.left_out:
            console.print(f'left out: {topic}, whose type the bag does not explain',
                          soft_wrap=True, markup=False)


def _tables(replay: 'Replay') -> list[Table]:
    from sparse_imagination_ros.replay.results import bag_names, run_names, summary

    names = bag_names([found.bag for found in replay.bags])
    bags = _table('Bag', 'Seconds', 'Pictures', 'Bad', 'Gaps', 'Jumps', 'Out of order', 'Commands')
    for found in replay.bags:
        bags.add_row(
            names[found.bag], f'{found.seconds:.1f}', f'{found.pictures}',
            f'{found.unreadable + found.unfit}', f'{found.gaps}', f'{found.jumps}',
            f'{found.out_of_order}', f'{found.commands}')
    imagination = _table('Tokens', 'Ahead', 'Error', 'Nothing changes', 'Mean change', 'Skill')
    for quality in replay.qualities:
        for horizon in quality.horizons:
            imagination.add_row(
                f'{quality.tokens}', f'{horizon.steps}',
                *(f'{e.value:.4f}' for e in (horizon.model, horizon.still, horizon.change)),
                _interval(horizon.skill))
    # Without a clock nothing takes any time.
    clock = not replay.settings['offline']
    timely = ('Late', 'Dropped', 'p50 ms', 'p95') if clock else ()
    planning = _table('Replay', 'Cycles', *timely, 'Direction', 'Sequence error')
    titles = run_names([(run.bag, run.tokens, run.engine) for run in replay.runs])
    for title, run in zip(titles, replay.runs, strict=True):
        numbers = summary(run, int(replay.settings['planner']['seed']))
        times = (
            f'{numbers["late"]}', f'{numbers["dropped"]}', f'{numbers["ms"]["total"]["p50"]:.1f}',
            f'{numbers["ms"]["total"]["p95"]:.1f}') if clock else ()
        planning.add_row(
            title, f'{len(run.rows)}', *times, f'{numbers["direction"]["value"]:+.2f}',
            f'{numbers["sequence"]["value"]:.2f}')
    return [bags, imagination, planning]


def _table(*names: str) -> Table:
    table = Table(*names, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify, column.no_wrap = 'right', True
    return table


def _interval(estimate: 'Estimate') -> str:
    return f'{estimate.value:+.2f} ({estimate.low:+.2f} to {estimate.high:+.2f})'


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(','))


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a list of numbers such as 64,32,16') from None
