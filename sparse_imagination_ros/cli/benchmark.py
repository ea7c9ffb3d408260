# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination benchmark`: how fast this machine imagines, by engine and size."""

import argparse
from dataclasses import asdict
import json
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sparse_imagination_ros.cli.engine_options import engine_names, measured_table, numbers

if TYPE_CHECKING:
    from sparse_imagination_ros.evaluation.benchmark import Benchmark


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'benchmark', help='how fast this machine imagines, by engine and size',
        description='Measure a whole imagination and the encoding of a picture with each engine '
                    'that can be had here, beside the most that this machine can, and say what '
                    'fits 20, 50 and 100 ms. Keep the machine quiet meanwhile.')
    parser.add_argument('--bundle', default='rooms',
                        help='name of a bundle in models/, or path of a folder (%(default)s)')
    parser.add_argument(
        '--engine', default='auto', metavar='NAME[,NAME...]', help='engines (all that can be had)')
    parser.add_argument('--tokens', type=numbers, default=(8, 16, 32, 64), metavar='N[,N...]',
                        help='(8,16,32,64, as far as there are so many)')
    parser.add_argument('--candidates', type=numbers, default=(16, 64), metavar='N[,N...]',
                        help='(16,64)')
    parser.add_argument('--horizon', type=int, help='model steps (as the bundle says)')
    parser.add_argument('--threads', type=int, default=1,
                        help='processor threads of the network, as for the node (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw them here, as SVG')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, and print tables."""
    import torch

    from sparse_imagination_ros.evaluation.benchmark import benchmark
    from sparse_imagination_ros.evaluation.benchmark_plot import write_plot
    from sparse_imagination_ros.evaluation.samples import samples_for
    from sparse_imagination_ros.imagination.engines import variants_of
    from sparse_imagination_ros.imagination.verdict import Size
    from sparse_imagination_ros.machine import facts
    from sparse_imagination_ros.share import bundle_path
    from sparse_imagination_ros.world_models.bundle import Bundle

    torch.set_num_threads(args.threads)
    console = Console()
    bundle = Bundle.load(bundle_path(args.bundle))
    manifest = bundle.manifest
    names = engine_names(args.engine)
    counts = sorted({min(count, manifest.total_tokens) for count in args.tokens
                     if count >= manifest.fewest_tokens} or {manifest.total_tokens})
    sizes = [Size(tokens, candidates, args.horizon or manifest.lookahead.steps)
             for tokens in counts for candidates in args.candidates]
    result = benchmark(
        bundle, [variant for name in names for variant in variants_of(name)], sizes,
        samples_for(bundle).samples[0], console.print)
    for table in _tables(result):
        console.print(table)
    for variant, reason in result.refused.items():
        console.print(f'not {variant}: {reason}')
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(
            json.dumps({**asdict(result), 'machine': facts()}, indent=2) + '\n', encoding='utf-8')
    if args.plot:
        write_plot(result, args.plot)
    return 0


def _tables(result: 'Benchmark') -> list[Table]:
    rows = measured_table('Engine', 'Precision', 'Tokens', 'Candidates', 'p50 ms', 'p95 ms',
                          'GFLOP/s', 'Of the peak %')
    for row in result.rows:
        rows.add_row(
            row.engine, row.precision, f'{row.tokens}', f'{row.candidates}', f'{row.ms_p50:.2f}',
            f'{row.ms_p95:.2f}', f'{row.gflops:.1f}', f'{100 * row.peak_fraction:.0f}')
    encoder = measured_table('Encoder', 'Precision', 'p50 ms', 'p95 ms')
    for one in result.encoder:
        encoder.add_row(one.engine, one.precision, f'{one.ms_p50:.2f}', f'{one.ms_p95:.2f}')
    fits = measured_table('Fits ms', 'Precision', 'Engine', 'Tokens', 'Candidates', 'p95 ms')
    for fit in result.fits:
        fits.add_row(f'{fit.budget_ms:.0f}', fit.precision, fit.engine, f'{fit.tokens}',
                     f'{fit.candidates}', f'{fit.ms_p95:.2f}')
    peaks = measured_table('Peak', 'Precision', 'GFLOP/s')
    for precision, gflops in result.peaks.items():
        peaks.add_row('one product', precision, f'{gflops:.0f}')
    return [rows, encoder, peaks, fits]
