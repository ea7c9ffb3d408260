# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which engine is best for a bundle on a machine: what `compile` found, and where that is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
import json
import logging
from pathlib import Path

from sparse_imagination_ros.errors import BundleError
from sparse_imagination_ros.machine import facts
from sparse_imagination_ros.world_models.bundle import Bundle, fingerprint

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """An engine in one of its precisions."""

    engine: str
    precision: str = 'float32'

    def __str__(self) -> str:
        return f'{self.engine} {self.precision}'


@dataclass(frozen=True)
class Size:
    """How much is imagined at once, and how many steps ahead."""

    tokens: int
    candidates: int
    horizon: int


@dataclass(frozen=True)
class Row:
    """
    What was measured of a variant: a whole imagination, costs included.

    correlation: of the ranks of the candidates with the reference's, in the worst sample.
    """

    engine: str
    precision: str
    tokens: int
    candidates: int
    horizon: int
    ms_p50: float
    ms_p95: float
    correlation: float

    @property
    def size(self) -> Size:
        """How much was imagined."""
        return Size(self.tokens, self.candidates, self.horizon)


@dataclass(frozen=True)
class Verdict:
    """
    What is best, and why.

    facts: what it depends on; judged_on: what was imagined; refused: variants, and why.
    """

    facts: Mapping[str, str]
    best: Variant
    rows: tuple[Row, ...]
    refused: Mapping[str, str]
    judged_on: str

    def covers(self, variants: Iterable[Variant], sizes: Iterable[Size]) -> bool:
        """Tell whether all these were tried."""
        measured = {(Variant(row.engine, row.precision), row.size) for row in self.rows}
        return all(str(variant) in self.refused or (variant, size) in measured
                   for variant in variants for size in sizes)


def facts_of(bundle: Bundle) -> dict[str, str]:
    """Return all that a verdict on a bundle depends on."""
    weights = sha256((fingerprint(bundle.encoder) + fingerprint(bundle.predictor)).encode())
    return {**facts(), 'weights': weights.hexdigest()}


def verdict_file(folder: Path, given: Mapping[str, str]) -> Path:
    """Return where a bundle in this folder keeps what was found with these facts."""
    digest = sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
    return folder / 'engines' / f'compiled-{digest[:12]}.json'


def read_verdict(bundle: Bundle) -> Verdict | None:
    """Return what was found for these weights on this machine, if anything."""
    if bundle.folder is None:
        return None
    given = facts_of(bundle)
    path = verdict_file(bundle.folder, given)
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        if values['facts'] != given:
            raise ValueError('it is of other weights, software or of another machine')
        return Verdict(
            given, Variant(**values['best']), tuple(Row(**row) for row in values['rows']),
            dict(values['refused']), str(values['judged_on']))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        _log.warning('%s is damaged (%s): compile the bundle again', path, error)
        return None


def write_verdict(bundle: Bundle, verdict: Verdict) -> Path:
    """Keep what was found, whole or not at all."""
    assert bundle.folder is not None
    path = verdict_file(bundle.folder, verdict.facts)
    unfinished = path.with_suffix('.unfinished')
    try:
        path.parent.mkdir(exist_ok=True)
        unfinished.write_text(json.dumps(asdict(verdict), indent=1) + '\n', encoding='utf-8')
        unfinished.replace(path)
    except OSError as error:
        raise BundleError(f'{path} cannot be written ({error})') from error
    return path


def foreign(bundle: Bundle) -> bool:
    """Tell whether something was found for a bundle, but for others than this machine and it."""
    return bundle.folder is not None and any(bundle.folder.glob('engines/compiled-*.json'))
