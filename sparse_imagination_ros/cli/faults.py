# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination faults`: what a planner does when something goes wrong, as a table."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console

from sparse_imagination_ros.cli.domains import isolated, own_domain


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'faults', help='cause one fault after another to a planner that drives',
        description='Start the planner as a ROS 2 node, play its camera, goals, odometry and '
                    'clock, cause one fault after another, and watch its commands from outside: '
                    'whether one was beyond the limits, how long until the robot was at rest, '
                    'whether it drove again, and what was to be read.')
    parser.add_argument(
        '--bundle', default='rooms',
        help='the model: name of one in models/, or path of a folder (%(default)s)')
    parser.add_argument('--only', default='', metavar='NAME,...', help='only these faults')
    parser.add_argument('--list', action='store_true', help='tell which there are, and end')
    parser.add_argument('--out', type=Path, default=Path('out/faults'), metavar='FOLDER',
                        help='where the logs of the nodes go (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the table here, too')
    parser.add_argument('--markdown', type=Path, metavar='FILE',
                        help='and here, as in docs/safety.md')
    parser.add_argument('--load', type=int, default=0, metavar='N',
                        help='how many processes compute beside it (%(default)s)')
    parser.add_argument('--domain', type=int, metavar='N',
                        help='ROS domain to use (one that no other run uses)')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Cause the faults; return 1 if not all went as promised."""
    import torch

    from sparse_imagination_ros.evaluation.faults import FaultRow, table_json, table_markdown
    from sparse_imagination_ros.evaluation.loads import Load
    from sparse_imagination_ros.graph import profile_environment
    from sparse_imagination_ros.nodes.faults.table import chosen, try_all
    from sparse_imagination_ros.share import bundle_path

    console = Console(highlight=False)
    faults = chosen([name for name in args.only.split(',') if name])
    if args.list:
        for fault in faults:
            console.print(f'{fault.name:24} {fault.cause}')
        return 0

    def show(row: FaultRow) -> None:
        mark = '[green]well[/]' if row.is_well else '[red]not well[/]'
        console.print(
            f'{row.name:24} {mark}  at rest after {row.rest_ms:4.0f} ms of {row.limit_ms:.0f}'
            f'{" when told" if row.told else ""}, unsafe commands {row.unsafe_commands} of '
            f'{row.commands}, {"drives again" if row.recovered else "does not drive again"}',
            soft_wrap=True)
        for text in filter(None, (row.missed, row.reads)):
            console.print(f'{"":24} {text}', markup=False, soft_wrap=True)

    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    with own_domain(args.domain) as domain, Load((args.load,), step_s=1.0) as load:
        os.environ.update(isolated(domain), ROS_LOG_DIR=str((args.out / 'logs/ros').resolve()),
                          **dict(profile_environment()))
        console.print(f'{len(faults)} faults, beside {load.level} processes that compute')
        rows = try_all(faults, domain, bundle_path(args.bundle), args.out.resolve(), show)
    for path, text in (
            (args.json, json.dumps(table_json(rows), indent=2) + '\n'),
            (args.markdown, table_markdown(rows))):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
    well = sum(row.is_well for row in rows)
    console.print(f'{well} of {len(rows)} faults went as promised.')
    return 0 if well == len(rows) else 1
