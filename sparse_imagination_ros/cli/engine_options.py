# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the commands that measure engines share: words of their options, and how tables look."""

import argparse

from rich.box import SIMPLE_HEAD
from rich.table import Table


def numbers(text: str) -> tuple[int, ...]:
    """Read an option that lists numbers."""
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not a list of numbers') from None


def engine_names(text: str) -> tuple[str, ...]:
    """Read which engines are asked for; `auto` is all that can be had here."""
    from sparse_imagination_ros.imagination.engines import AUTO, possible
    return possible() if text == AUTO else tuple(text.split(','))


def measured_table(*columns: str) -> Table:
    """Return a table of which the first two columns are words, and the others numbers."""
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[2:]:
        column.justify = 'right'
    return table
