# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination compile`: finds the fastest engine that imagines as the reference does."""

import argparse
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sparse_imagination_ros.cli.engine_options import engine_names, measured_table, numbers

if TYPE_CHECKING:
    from sparse_imagination_ros.imagination.verdict import Verdict

UNTRIED = ('tensorrt', 'compiled')
NOT_EXECUTED = (
    '{}: written against its documentation and never executed on a GPU by us; please report how '
    'it went, with this output: docs/jetson.md')


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'compile', help='find the fastest engine for a bundle on this machine',
        description='Build the engines of a bundle, hold them against the reference, measure '
                    'them, and keep beside the bundle which is best: what the planner then takes '
                    'with `engine: auto`. Nothing is done again until machine, software or '
                    'weights change.')
    parser.add_argument('bundle', help='name of a bundle in models/, or path of a folder')
    parser.add_argument(
        '--engine', default='auto', metavar='NAME[,NAME...]',
        help='engines to try (all that can be had; `compiled` and `tensorrt` only with a GPU)')
    parser.add_argument(
        '--tokens', type=numbers, metavar='N[,N...]',
        help='numbers of tokens to try (as many as the planner may take, and half, and so on)')
    parser.add_argument('--candidates', type=int, default=64, help='(%(default)s)')
    parser.add_argument(
        '--pictures', type=Path, metavar='FOLDER',
        help="pictures of the robot's camera, one after another, to judge on (the simulator's)")
    parser.add_argument(
        '--threads', type=int, default=1,
        help='processor threads of the network, as for the node (%(default)s)')
    parser.add_argument('--again', action='store_true', help='also if nothing has changed')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Try what can be tried, keep the verdict, and print it."""
    import torch

    from sparse_imagination_ros.evaluation.samples import samples_for
    from sparse_imagination_ros.imagination.compiling import tried
    from sparse_imagination_ros.imagination.engines import variants_of
    from sparse_imagination_ros.imagination.verdict import read_verdict, Size, write_verdict
    from sparse_imagination_ros.planning.budget import halvings
    from sparse_imagination_ros.share import bundle_path
    from sparse_imagination_ros.world_models.bundle import Bundle

    torch.set_num_threads(args.threads)
    console = Console()
    bundle = Bundle.load(bundle_path(args.bundle))
    manifest = bundle.manifest
    names = engine_names(args.engine)
    variants = [variant for name in names for variant in variants_of(name)]
    horizon = manifest.lookahead.steps
    counts = args.tokens or halvings(
        min(64, manifest.total_tokens), max(1, manifest.fewest_tokens))
    sizes = [Size(count, args.candidates, horizon) for count in counts]
    kept = None if args.again else read_verdict(bundle)
    if kept is not None and kept.covers(variants, sizes):
        console.print('Nothing has changed since this was found (--again measures anew):')
        console.print(_table(kept))
        console.print(f'engine: auto takes {kept.best}')
        return 0
    samples = samples_for(bundle, args.pictures)
    console.print(f'Judged on {samples.source}.')
    verdict = tried(
        bundle, variants, sizes, samples.samples, samples.source, console.print)
    path = write_verdict(bundle, verdict)
    console.print(_table(verdict))
    for variant, reason in verdict.refused.items():
        console.print(f'not {variant}: {reason}')
    for name in names:
        if name in UNTRIED:
            console.print(NOT_EXECUTED.format(name))
    console.print(f'engine: auto takes {verdict.best}; this is kept in {path}')
    return 0


def _table(verdict: 'Verdict') -> Table:
    table = measured_table(
        'Engine', 'Precision', 'Tokens', 'Candidates', 'p50 ms', 'p95 ms', 'Ranks agree')
    for row in verdict.rows:
        table.add_row(
            row.engine, row.precision, f'{row.tokens}', f'{row.candidates}', f'{row.ms_p50:.2f}',
            f'{row.ms_p95:.2f}', f'{row.correlation:.4f}')
    return table
