# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What replaying came to: plain records, as they are written to and read from JSON.

Nothing is measured or drawn here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks, percentiles
from sparse_imagination_ros.files import write_whole
from sparse_imagination_ros.replay.quality import Quality
from sparse_imagination_ros.replay.tape import Findings

FORMAT = 2
# Cycles within so long of a bag are not independent of each other.
BLOCK_S = 5.0


@dataclass(frozen=True)
class Row:
    """
    One cycle. Times in seconds after the first picture of its bag; commands in units of limits.

    time_s is that of the camera's clock without its jumps, recorded_s that of the recorder.
    age_ms: of the frame when its plan was ready; direction is None where one hardly moves.
    """

    picture: int
    goal: int
    time_s: float
    recorded_s: float
    began_s: float
    decode_ms: float
    encode_ms: float
    imagine_ms: float
    total_ms: float
    age_ms: float
    dropped: int
    tokens: int
    candidates: int
    iterations: int
    imagined: int
    reason: str
    not_finite: int
    cost: float
    planned: tuple[float, ...]
    recorded: tuple[float, ...]
    direction: float | None
    magnitude: float
    sequence: float
    sequence_still: float
    subset: tuple[int, ...]
    plan: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Run:
    """
    The planner on one bag with one setting.

    missing: chapters not replayed yet; earlier: those that an earlier call has replayed.
    """

    bag: str
    tokens: int
    engine: str
    budget_ms: float
    clock: bool
    missing: int
    earlier: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Replay:
    """All that one command found out. partial: what is missing, in words; empty if nothing is."""

    bundle: str
    robot: str
    action_names: tuple[str, ...]
    grid: int
    step_s: float
    started_at: str
    partial: str
    settings: dict[str, Any]
    versions: dict[str, str]
    bags: tuple[Findings, ...]
    skipped: tuple[str, ...]
    qualities: tuple[Quality, ...]
    runs: tuple[Run, ...]


def summary(run: Run, seed: int) -> dict[str, Any]:
    """Return the numbers of a run; those with low and high have a 95 % confidence interval."""
    rows = run.rows
    block = np.array([int(row.time_s / BLOCK_S) for row in rows], np.int64)
    moved = [i for i, row in enumerate(rows) if row.direction is not None]

    def mean(values: Sequence[float], of: NDArray[np.int64]) -> dict[str, float]:
        numbers = np.array(values, np.float64)
        return asdict(over_blocks(numbers, np.ones_like(numbers), of, seed))

    stages = {
        stage: percentiles([getattr(row, f'{stage}_ms') for row in rows]).as_dict()
        for stage in ('decode', 'encode', 'imagine', 'total', 'age')}
    late = sum(row.total_ms > run.budget_ms for row in rows)
    dropped = sum(row.dropped for row in rows)
    return {
        'cycles': len(rows), 'late': late, 'late_share': late / max(1, len(rows)),
        'dropped': dropped, 'dropped_share': dropped / max(1, dropped + len(rows)), 'ms': stages,
        'direction': mean([rows[i].direction or 0.0 for i in moved], block[moved]),
        'compared_directions': len(moved),
        'magnitude': mean([row.magnitude for row in rows], block),
        'sequence': mean([row.sequence for row in rows], block),
        'sequence_still': mean([row.sequence_still for row in rows], block),
        'tokens': {str(n): count for n, count in sorted(Counter(
            row.tokens for row in rows).items())}}


def as_json(replay: Replay) -> dict[str, Any]:
    """Return what is written to a file; the rows of a run become columns."""
    seed = int(replay.settings['planner']['seed'])
    clean: dict[str, Any] = _finite({
        'format': FORMAT, **asdict(replace(replay, runs=())), 'runs': [
            {**asdict(replace(run, rows=())), 'summary': summary(run, seed),
             'rows': columns(run.rows)} for run in replay.runs]})
    return clean


def bag_names(bags: Sequence[str]) -> dict[str, str]:
    """Call each bag by as many of the last parts of its path as tell it from the others."""
    parts = {bag: Path(bag).absolute().parts for bag in bags}
    for length in range(1, max(map(len, parts.values()), default=0) + 1):
        names = {bag: '/'.join(own[-length:]) for bag, own in parts.items()}
        if len(set(names.values())) == len(names):
            return names
    return {bag: bag for bag in bags}


def run_names(runs: Sequence[tuple[str, int, str]]) -> list[str]:
    """Call each run by bag, tokens and, where there are several, engine."""
    names = bag_names([bag for bag, _, _ in runs])
    several = len({engine for _, _, engine in runs}) > 1
    return [f'{names[bag]}, {tokens} tokens' + (f', {engine}' if several else '')
            for bag, tokens, engine in runs]


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Turn rows into columns."""
    return {f.name: [getattr(row, f.name) for row in rows] for f in fields(Row)}


def rows_from(values: dict[str, list[Any]]) -> tuple[Row, ...]:
    """Turn columns into rows."""
    names = [f.name for f in fields(Row)]
    return tuple(
        Row(**{name: _frozen(value) for name, value in zip(names, row, strict=True)})
        for row in zip(*(values[name] for name in names), strict=True))


def write_json(replay: Replay, path: Path) -> None:
    """Write the numbers for scripts."""
    write_whole(path, (json.dumps(as_json(replay)) + '\n').encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read the numbers of an earlier replay."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        known = isinstance(values, dict) and values.get('format') == FORMAT and 'runs' in values
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read as JSON ({error})') from error
    if not known:
        raise DataError(
            f'{path} was not written by `sparse-imagination replay --json` of this release')
    return dict(values)


def estimate(values: dict[str, float]) -> Estimate:
    """Return an estimate that was written."""
    return Estimate(**values)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold, such as an endless end of a bag, by words."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
