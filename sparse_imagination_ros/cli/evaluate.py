# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination evaluate`: success and latency of a bundle, in closed loop without ROS."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
import json
from math import inf
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sparse_imagination_ros.errors import WorldError

if TYPE_CHECKING:
    from sparse_imagination_ros.evaluation.closed_loop import Episode, Score

# Where there is no terminal, so many episodes are worth a line.
LOGGED = 10
# Words for numbers of tokens, as shares of all.
SHARES = {'all': 1.0, 'half': 0.5, 'quarter': 0.25, 'eighth': 0.125}


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'evaluate', help='drive many simulated episodes without ROS',
        description='Drive a bundle through layouts that training never saw. Planning is charged '
                    'with the time that it takes on this machine (keep it quiet), or with a time '
                    'that you say (the result is then the same on every machine).')
    parser.add_argument('--bundle', type=Path, required=True, help='folder of the bundle')
    parser.add_argument('--episodes', type=_positive, default=100, help='how many (%(default)s)')
    parser.add_argument(
        '--seed', type=_not_negative, default=9000, help='seed of the first layout (%(default)s)')
    parser.add_argument(
        '--tokens', type=_counts, metavar='N[,N...]',
        help='numbers of tokens to compare on the same episodes, also as all, half, quarter, '
             'eighth of those that there are (the default of the planner)')
    parser.add_argument(
        '--subset', help='how the tokens are chosen: random, stratified, latin, fixed or '
                         'differing (the default of the planner)')
    parser.add_argument('--engine', help='what imagines (the default of the planner)')
    parser.add_argument(
        '--set', action='append', default=[], metavar='NAME=VALUE',
        help='one of the other parameters of the planner, such as candidates=128')
    parser.add_argument(
        '--time-limit', type=float, metavar='SECONDS',
        help='how long an episode may take (the default of the closed loop)')
    parser.add_argument(
        '--charge', type=_milliseconds, metavar='MS',
        help='let every cycle take so long in the simulation, whatever it takes on this machine')
    parser.add_argument(
        '--threads', type=_positive, default=1,
        help='processor threads of the network, as for the node (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print a table."""
    # Not before: the list of commands must not wait for torch.
    import torch

    from sparse_imagination_ros.config import build, read_word
    from sparse_imagination_ros.evaluation.closed_loop import evaluate, LoopConfig, SPLIT
    from sparse_imagination_ros.evaluation.versions import versions
    from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
    from sparse_imagination_ros.sim.worlds import STATES
    from sparse_imagination_ros.world_models.bundle import Bundle

    torch.set_num_threads(args.threads)
    console = Console()
    bundle = Bundle.load(args.bundle)
    if bundle.manifest.robot not in STATES:
        raise WorldError(
            f'bundle `{bundle.manifest.name}` drives the robot `{bundle.manifest.robot}`, which '
            f'the simulator does not have; it has {", ".join(STATES)}')
    seeds = range(args.seed, args.seed + args.episodes)
    limits = {} if args.time_limit is None else {'time_limit_s': args.time_limit}
    loop = build(LoopConfig, limits, '--time-limit')
    total = bundle.manifest.total_tokens
    counts = [count if isinstance(count, int) else round(SHARES[count] * total)
              for count in args.tokens or (PlannerConfig().tokens,)]
    named = {name: value for name in ('subset', 'engine') if (value := getattr(args, name))}
    chosen = dict(map(read_word, args.set)) | named
    plannings = [build(PlannerConfig, {**chosen, 'tokens': tokens}, 'command line')
                 for tokens in counts]
    # A count that the bundle refuses is refused before minutes are spent on another.
    for note in filter(None, {Planner(bundle, planning).engine.note for planning in plannings}):
        console.print(note)
    scores: list[Score] = []
    rows: list[dict[str, Any]] = []
    # Each row has its own number of tokens.
    shared = {k: v for k, v in asdict(plannings[0]).items() if k != 'tokens'}
    report = {
        'bundle': bundle.manifest.name,
        'robot': bundle.manifest.robot,
        'split': SPLIT,
        'seed': args.seed,
        'settings': {
            'planner': shared, 'loop': asdict(loop), 'charge_ms': args.charge,
            'threads': args.threads},
        'versions': versions(),
        'rows': rows,
    }
    with _progress(console) as progress:
        for planning in plannings:
            tally = _Tally(progress, planning.tokens, len(seeds))
            score = evaluate(bundle, planning, seeds, loop, tally.add, args.charge)
            scores.append(score)
            rows.append({**asdict(score), 'cycle_ms': score.cycle_ms.as_dict()})
            # After each of them: who gives up waiting keeps those that are done.
            if args.json:
                args.json.parent.mkdir(parents=True, exist_ok=True)
                args.json.write_text(json.dumps(report, indent=2) + '\n', encoding='utf-8')
    console.print(_table(scores))
    return 0


class _Tally:
    """Shows how many episodes were driven, and how many arrived; in a log by lines."""

    def __init__(self, progress: Progress, tokens: int, total: int) -> None:
        self._progress, self._tokens, self._total = progress, tokens, total
        self._driven = self._reached = 0
        self._task = progress.add_task(f'{tokens} tokens', total=total, reached=0)

    def add(self, episode: 'Episode') -> None:
        self._driven += 1
        self._reached += episode.success
        self._progress.update(self._task, advance=1, reached=self._reached)
        console = self._progress.console
        if not console.is_terminal and self._driven % LOGGED == 0:
            console.print(f'{self._tokens} tokens: {self._driven} of {self._total} driven, '
                          f'{self._reached} at the goal')


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn('{task.description:>12}'), BarColumn(), MofNCompleteColumn(),
        TextColumn('{task.fields[reached]} at the goal'), TimeRemainingColumn(), console=console)


def _table(scores: 'Sequence[Score]') -> Table:
    # Narrow enough for a terminal of 80 columns.
    table = Table('Tokens', 'Success %, 95 % interval', 'Goal s', 'p50 ms', 'p95', 'p99', 'max',
                  'Misses', box=SIMPLE_HEAD, padding=0)
    for column in table.columns:
        column.justify, column.no_wrap = 'right', True
    for score in scores:
        times = (f'{ms:.1f}' if ms < 100 else f'{ms:.0f}'
                 for ms in score.cycle_ms.as_dict().values())
        table.add_row(
            f'{score.tokens}',
            f'{100 * score.success:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})',
            f'{score.median_s:.1f}', *times,
            f'{score.deadline_misses}/{score.cycles}')
    return table


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is not 1 or more')
    return number


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f'{text} is not 0 or more')
    return number


def _milliseconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < inf:
        raise argparse.ArgumentTypeError(f'{text} is not 0 or more')
    return number


def _counts(text: str) -> tuple[int | str, ...]:
    try:
        return tuple(part if part in SHARES else int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a list of numbers or shares such as all,half,8,1') from None
