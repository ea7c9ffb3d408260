# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination stress`: shows whether deadlines are kept while the machine is loaded."""

import argparse
from dataclasses import asdict
import json
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sparse_imagination_ros.errors import WorldError

if TYPE_CHECKING:
    from sparse_imagination_ros.evaluation.stress import Stress


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'stress', help='keep a deadline while the machine is loaded',
        description='Drive a bundle in closed loop at a fixed budget while other processes load '
                    'and release the processor in steps and the engine is slowed now and then: '
                    'with the controller, and in turns with the fixed effort that fits the '
                    'machine at rest.')
    parser.add_argument('--bundle', type=Path, default=Path('models/rooms'),
                        help='folder of the bundle (%(default)s)')
    parser.add_argument('--cycles', type=int, default=5000, help='of each (%(default)s)')
    parser.add_argument('--seed', type=int, default=100,
                        help='seed of the first layout (%(default)s)')
    parser.add_argument('--budget-ms', type=float, default=150.0, help='(%(default)s)')
    parser.add_argument('--tokens', type=int, help='most tokens (all that there are)')
    parser.add_argument('--candidates', type=int, default=64, help='most (%(default)s)')
    parser.add_argument('--iterations', type=int, default=20, help='most (%(default)s)')
    parser.add_argument('--engine', help='what imagines (the default of the planner)')
    parser.add_argument('--load', type=_levels, default=(0, 1, 2, 4, 0, 4), metavar='N,N,...',
                        help='how many processes compute beside it, in turns (0,1,2,4,0,4)')
    parser.add_argument('--step', type=float, default=20.0, metavar='SECONDS',
                        help='how long each load lasts (%(default)s)')
    parser.add_argument('--spikes', type=float, default=0.01, metavar='SHARE',
                        help='share of the calls of the engine that take 2 to 10 times as long '
                             '(%(default)s)')
    parser.add_argument('--threads', type=int, default=1,
                        help='processor threads of the network (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    parser.add_argument('--report', type=Path, metavar='FILE', help='write a page with plots here')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Drive, and print a table."""
    import torch

    from sparse_imagination_ros.config import build
    from sparse_imagination_ros.evaluation.loads import Load
    from sparse_imagination_ros.evaluation.stress import stress
    from sparse_imagination_ros.evaluation.stress_report import write_stress_report
    from sparse_imagination_ros.evaluation.versions import versions
    from sparse_imagination_ros.imagination.engines import chosen
    from sparse_imagination_ros.planning.planner import PlannerConfig
    from sparse_imagination_ros.sim.worlds import STATES
    from sparse_imagination_ros.world_models.bundle import Bundle

    torch.set_num_threads(args.threads)
    console = Console()
    bundle = Bundle.load(args.bundle)
    if bundle.manifest.robot not in STATES:
        raise WorldError(
            f'bundle `{bundle.manifest.name}` drives the robot `{bundle.manifest.robot}`, which '
            f'the simulator does not have; it has {", ".join(STATES)}')
    most = build(PlannerConfig, {
        'tokens': args.tokens or bundle.manifest.total_tokens, 'candidates': args.candidates,
        'iterations': args.iterations, 'budget_ms': args.budget_ms,
        **({'engine': args.engine} if args.engine else {})}, 'command line')
    if note := chosen(most.engine, bundle).note:
        console.print(note)
    with _progress(console) as progress, Load(args.load, args.step) as load:
        task = progress.add_task('cycles', total=args.cycles)
        result = stress(
            bundle, most, args.cycles, args.seed, load, args.spikes, args.load, args.step,
            progress=lambda done: progress.update(task, completed=done))
    console.print(_table(result))
    if args.json:
        report = {
            **result.summary(), 'bundle': result.bundle, 'budget_ms': result.budget_ms,
            'load': result.levels, 'step_s': result.step_s, 'spikes': result.spikes,
            'seed': args.seed, 'settings': {
                'most': asdict(most), 'fixed': asdict(result.fixed), 'threads': args.threads},
            'versions': versions()}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=2) + '\n', encoding='utf-8')
    if args.report:
        write_stress_report(result, args.report)
    return 0


def _progress(console: Console) -> Progress:
    return Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
                    TimeRemainingColumn(), console=console)


def _table(result: 'Stress') -> Table:
    table = Table('', 'Cycles', 'Misses', 'Stolen', 'Use %', 'p50 ms', 'p99', 'max', 'Tokens',
                  'Success %', box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = 'right'
    for name, numbers in result.summary().items():
        times = numbers['cycle_ms']
        table.add_row(
            name, f'{numbers["cycles"]}', f'{numbers["misses"]}',
            f'{numbers["misses_while_stolen"]}', f'{100 * numbers["use_mean"]:.0f}',
            *(f'{times[key]:.0f}' for key in ('p50', 'p99', 'max')),
            f'{numbers["tokens_mean"]:.1f}', f'{100 * numbers["success"]:.0f}')
    return table


def _levels(text: str) -> tuple[int, ...]:
    try:
        levels = tuple(int(part) for part in text.split(','))
    except ValueError:
        levels = ()
    if not levels or min(levels) < 0:
        raise argparse.ArgumentTypeError(f'{text!r} is not a list of numbers such as 0,1,2')
    return levels
