# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of a long measurement, kept as they come: who is interrupted goes on, and loses little."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

# Options that say where results go, and, of all benchmarks, which parts there are.
ASIDE = ('kept', 'json', 'seeds', 'chances', 'shares')


class Kept:
    """
    What was measured, in a file of lines (of the option --kept), or only in memory.

    A file of other settings is refused; more parts may be asked of it than it has.
    """

    def __init__(self, args: Namespace) -> None:
        self._path: Path | None = args.kept
        self._found: dict[str, Any] = {}
        if self._path is None:
            return
        settings = {name: value for name, value in vars(args).items() if name not in ASIDE}
        first = json.dumps(settings, default=str)
        # A line that was not written to its end is measured again.
        lines = self._path.read_text().split('\n')[:-1] if self._path.exists() else []
        if lines and lines[0] != first:
            raise SystemExit(
                f'{self._path} holds what was measured with {lines[0]}, not {first}; name '
                'another file')
        for line in map(json.loads, lines[1:]):
            self._found[line['part']] = line['found']
        self._path.write_text(''.join(f'{line}\n' for line in lines or [first]))

    def of(self, part: str, measure: Callable[[], Any]) -> Any:
        """Return what was found of a part, as JSON says it; measure it if it is not there."""
        if part not in self._found:
            line = json.dumps({'part': part, 'found': measure()})
            self._found[part] = json.loads(line)['found']
            if self._path:
                with self._path.open('a') as file:
                    file.write(f'{line}\n')
        return self._found[part]


def add_kept(parser: ArgumentParser) -> None:
    """Add the option that says where parts are kept."""
    parser.add_argument('--kept', type=Path, metavar='FILE',
                        help='keep here what is found meanwhile, and go on from it')
