# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination quality`: tells a bundle how well it does with how many tokens."""

import argparse
from dataclasses import replace
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparse_imagination_ros.errors import DataError


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'quality', help='store in a bundle what was measured by number of tokens',
        description='Store the success by number of tokens in the manifest of a bundle, as '
                    '`sparse-imagination evaluate --tokens 64,16,4,1 --json FILE` measured it. '
                    'The planner chooses its tokens by it when time is short.')
    parser.add_argument('bundle', type=Path, help='folder of the bundle')
    parser.add_argument('measured', type=Path, help='file that `evaluate --json` wrote')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Store the table, and print it."""
    from sparse_imagination_ros.world_models.manifest import (
        check_fit,
        MANIFEST,
        Quality,
        read_manifest,
        write_manifest,
    )

    manifest, checksums = read_manifest(args.bundle)
    try:
        report = json.loads(args.measured.read_text(encoding='utf-8'))
        name = report['bundle']
        rows = sorted((int(row['tokens']), float(row['success'])) for row in report['rows'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{args.measured} is not what `evaluate --json` writes ({error})') from error
    if name != manifest.name:
        raise DataError(f'{args.measured} is of bundle `{name}`, not of `{manifest.name}`')
    quality = Quality(tuple(tokens for tokens, _ in rows), tuple(success for _, success in rows))
    manifest = replace(manifest, quality=quality)
    check_fit(manifest, str(args.bundle))
    with TemporaryDirectory(prefix='.unfinished-', dir=args.bundle) as unfinished:
        write_manifest(manifest, checksums, Path(unfinished))
        (Path(unfinished) / MANIFEST).replace(args.bundle / MANIFEST)
    for tokens, success in rows:
        print(f'{tokens:6} tokens: {100 * success:.0f} %')
    return 0
