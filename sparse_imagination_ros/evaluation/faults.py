# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of a robot under one fault after another, as a table. It causes no fault."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

# Letters of what was read that a table for people shows.
READ = 160


@dataclass(frozen=True)
class FaultRow:
    """
    One fault, and what came of it.

    does: what the robot does; told: whether it drove on and rested only when it was told to,
    through the service ~/enable, while the fault was there; rest_ms: from the cause, or from the
    telling, until it stood for good; reads: what the operator read, on /diagnostics, in the log or
    in an answer; missed: what was wanted and did not happen; person: what a person had to do.
    """

    name: str
    cause: str
    does: str
    commands: int
    unsafe_commands: int
    told: bool
    rest_ms: float
    limit_ms: float
    recovered: bool
    person: str
    reads: str
    missed: str = ''

    @property
    def is_well(self) -> bool:
        """Tell whether all is as promised."""
        return (self.unsafe_commands == 0 and self.rest_ms <= self.limit_ms and self.recovered
                and not self.missed)


def table_json(rows: Sequence[FaultRow]) -> dict[str, Any]:
    """Return the table for scripts."""
    return {
        'rows': [{**asdict(row), 'well': row.is_well} for row in rows],
        'well': all(row.is_well for row in rows), 'commands': sum(row.commands for row in rows),
        'unsafe_commands': sum(row.unsafe_commands for row in rows)}


def table_markdown(rows: Sequence[FaultRow]) -> str:
    """Return the table for docs/safety.md; how long it took depends on the machine."""
    lines = [
        '| fault | what the robot does | at rest within | then | the operator reads |',
        '|---|---|---|---|---|']
    for row in rows:
        rest = f'{row.limit_ms:.0f} ms' + (' when told' if row.told else '')
        cells = (
            f'`{row.name}`: {row.cause}', row.does, rest, _after(row),
            shorten(row.reads, READ, placeholder=' ...'))
        lines.append(f'| {" | ".join(cell.replace("|", "&#124;") for cell in cells)} |')
    return '\n'.join(lines) + '\n'


def _after(row: FaultRow) -> str:
    if not row.recovered:
        return 'does not drive again'
    return f'drives again when a person has {row.person}' if row.person else 'drives by itself'
