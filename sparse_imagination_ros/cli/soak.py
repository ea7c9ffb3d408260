# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination soak`: drives for long over ROS 2, and shows that nothing grows."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
import json
import os
from pathlib import Path
import tempfile
import time
from typing import Any, TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sparse_imagination_ros.cli.domains import isolated, own_domain
from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.errors import SparseImaginationError

if TYPE_CHECKING:
    from sparse_imagination_ros.evaluation.soak import Sample, Soak
    from sparse_imagination_ros.nodes.watcher import Watcher

RATE_HZ = 10.0
# The robot gets another goal after so long.
EPISODE_S = 20.0
SAMPLE_PERIOD_S = 1.0
# So often a line is printed.
TOLD_PERIOD_S = 60.0
# The exit code if a verdict does not hold.
DOES_NOT_HOLD = 1


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'soak', help='drive for long, and show that nothing grows or is lost',
        description='Start a simulated robot with a camera of 10 Hz and the planner as ROS 2 '
                    'nodes, drive from goal to goal, and watch the memory, file handles, threads '
                    'and times of the planner; count every frame and every command. The exit code '
                    'is 1 if a verdict does not hold.')
    parser.add_argument('--minutes', type=float, default=60.0, help='how long (%(default)s)')
    parser.add_argument('--robot', choices=('omnidirectional', 'differential'),
                        default='omnidirectional', help='how the base moves (%(default)s)')
    parser.add_argument('--bundle', default='', help='the model: name of one in models/, or path '
                                                     'of a folder (the one for this robot)')
    parser.add_argument('--budget-ms', type=float, default=80.0, help='(%(default)s)')
    parser.add_argument('--seed', type=int, default=9000, help='of the first goal (%(default)s)')
    parser.add_argument('--domain', type=int, metavar='N',
                        help='ROS domain to use (one that no other run uses)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')


def run(args: argparse.Namespace) -> int:
    """Drive, print a table, and return whether all is well."""
    from sparse_imagination_ros.evaluation.versions import versions

    if not args.minutes > 0 or args.seed < 0:
        raise SparseImaginationError(
            f'--minutes {args.minutes} --seed {args.seed}: more than 0 and at least 0 are needed')
    console = Console(highlight=False)
    with own_domain(args.domain) as domain, tempfile.TemporaryDirectory() as folder:
        soak = _drive(args, domain, Path(folder), console)
    summary = {**soak.summary(), 'versions': versions(), 'load_after': os.getloadavg()}
    console.print(_table(summary))
    for verdict, holds in summary['verdicts'].items():
        console.print(f'{"yes" if holds else "NO ":3}  {verdict}')
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
    return 0 if summary['passed'] else DOES_NOT_HOLD


def _drive(args: argparse.Namespace, domain: int, folder: Path, console: Console) -> Soak:
    """Run the nodes, and watch them."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from sparse_imagination_ros.evaluation.soak import Soak
    from sparse_imagination_ros.graph import demo_graph, profile_environment
    from sparse_imagination_ros.nodes.referee_node import PLANNER, SIM
    from sparse_imagination_ros.nodes.watcher import Watcher
    from sparse_imagination_ros.sim.robots import robot

    sim, planner = demo_graph(
        args.robot, str(args.seed), args.bundle, budget_ms=str(args.budget_ms), autostart='false')
    # The camera is switched on when all who count its pictures are there.
    sim = replace(sim, parameters=(
        *sim.parameters, ('camera_enabled', False), ('camera_rate_hz', RATE_HZ)))
    os.environ.update(
        isolated(domain), ROS_LOG_DIR=str(folder / 'ros'), **dict(profile_environment()))
    # Ctrl-C is ours, so that the nodes are ended in order.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        with Processes(folder, isolated(domain)) as processes:
            watcher = Watcher(robot(args.robot), processes.check)
            try:
                processes.start(sim)
                process = processes.start(planner)
                watcher.begin()
                samples = _watch(args, watcher, process, console)
                frames = watcher.rest()
                # The commander goes first; what both say last is still heard.
                codes = {name: processes.end(name, lambda: watcher.listen(0.05))
                         for name in (PLANNER, SIM)}
                watcher.listen(0.5)
                return Soak(
                    args.budget_ms, tuple(samples), tuple(watcher.cycles), frames,
                    int(watcher.reading(f'{PLANNER}: planning', f'sent /{PLANNER}/cycle')),
                    int(watcher.reading(f'{PLANNER}: planning', 'sent /cmd_vel')),
                    watcher.audit.commands, watcher.audit.outside, codes)
            finally:
                watcher.close()
    finally:
        rclpy.try_shutdown()


def _watch(
    args: argparse.Namespace, watcher: Watcher, process: int, console: Console,
) -> list[Sample]:
    """Let it drive from goal to goal until the time is over, or Ctrl-C."""
    from sparse_imagination_ros.evaluation.footprint import footprint
    from sparse_imagination_ros.evaluation.soak import Sample
    from sparse_imagination_ros.nodes.referee_node import PLANNER

    began_s = time.monotonic()
    samples: list[Sample] = []
    episode = told = 0
    # What was seen until then is shown, too.
    with suppress(KeyboardInterrupt):
        while (passed_s := time.monotonic() - began_s) < 60 * args.minutes:
            if passed_s >= episode * EPISODE_S:
                watcher.drive_anew(args.seed + episode)
                episode += 1
            holds = footprint(process)
            blocks = int(watcher.reading(f'{PLANNER}: machine', 'memory blocks of Python'))
            samples.append(Sample(
                passed_s, holds.memory_kb, blocks, holds.handles, holds.threads))
            if passed_s >= told * TOLD_PERIOD_S:
                console.print(
                    f'{passed_s / 60:5.0f} min  {len(watcher.cycles)} cycles  '
                    f'{holds.memory_kb // 1024} MB  {holds.handles} file handles  '
                    f'{holds.threads} threads')
                told += 1
            watcher.listen(SAMPLE_PERIOD_S)
    return samples


def _table(summary: dict[str, Any]) -> Table:
    table = Table('', 'At first', 'At last', 'Growth per hour', 'Interval',
                  box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = 'right'
    for name, growth in summary['growth_per_hour'].items():
        table.add_row(
            name, *(str(summary[when][name]) if summary[when] else ''
                    for when in ('first', 'last')),
            f'{growth["value"]:.1f}', f'{growth["low"]:.1f} to {growth["high"]:.1f}')
    return table
