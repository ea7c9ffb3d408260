# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Replays side by side, and one against an earlier one: which metric got worse, and how much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.replay.results import as_json, Replay, run_names

# metric -> whether more is better, how it is written
METRICS = {
    'error of a token, first step': (False, '.4f'),
    'error of a token, last step': (False, '.4f'),
    'skill, last step': (True, '+.2f'),
    'nearer, and seen so': (True, '.0%'),
    'rank of the recorded command': (False, '.0%'),
    'agreement of direction': (True, '+.2f'),
    'sequence error': (False, '.2f'),
    'plan p50, ms': (False, '.1f'),
    'plan p95, ms': (False, '.1f'),
    'share of late plans': (False, '.0%'),
    'share of dropped pictures': (False, '.0%'),
}
# Cosines, shares and skills are compared by their difference, all else by its share.
DIFFERENCES = ('skill', 'nearer', 'rank', 'agreement', 'share')


@dataclass(frozen=True)
class Metric:
    """One metric of all runs; None where it was not measured."""

    name: str
    values: tuple[float | None, ...]
    best: float | None
    form: str


@dataclass(frozen=True)
class Difference:
    """
    One metric before and now.

    worse: by how much it got worse, as a share or, for what is a share itself, as a difference.
    """

    name: str
    before: float
    now: float
    worse: float
    margin: float


def compared(replay: Replay) -> list[Metric]:
    """Return the metrics of all runs."""
    found = [metrics for _, metrics in _all_metrics(as_json(replay))]
    rows = []
    for name, (more, form) in METRICS.items():
        values = tuple(metrics.get(name) for metrics in found)
        there = [value for value in values if value is not None]
        best = (max if more else min)(there) if len(set(there)) > 1 else None
        rows.append(Metric(name, values, best, form))
    return rows


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], margin: float,
) -> list[Difference]:
    """Compare runs of the same bags with the same numbers of tokens."""
    old = dict(_all_metrics(before))
    found = []
    for key, metrics in _all_metrics(now):
        for name, value in metrics.items():
            earlier = old.get(key, {}).get(name)
            if earlier is None:
                continue
            more, _ = METRICS[name]
            worse = earlier - value if more else value - earlier
            if not name.startswith(DIFFERENCES):
                worse = worse / abs(earlier) if earlier else float(worse > 0)
            found.append(Difference(f'{key}: {name}', earlier, value, worse, margin))
    if not found:
        raise DataError(
            'the two replays have nothing in common: they are of other bags, or with other '
            'numbers of tokens')
    return found


def verdict(difference: Difference) -> str:
    """Call a difference worse if it is beyond its margin, better if it is so the other way."""
    if difference.worse > difference.margin:
        return 'worse'
    return 'better' if difference.worse < -difference.margin else ''


def _all_metrics(values: Mapping[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Return the metrics of each run under its name."""
    qualities = {quality['tokens']: quality for quality in values['qualities']}
    runs = values['runs']
    names = run_names([(run['bag'], run['tokens'], run['engine']) for run in runs])
    return [(name, {**_imagined(qualities.get(run['tokens'])), **_planned(run)})
            for name, run in zip(names, runs, strict=True)]


def _imagined(quality: Mapping[str, Any] | None) -> dict[str, float]:
    if quality is None or not quality['horizons']:
        return {}
    horizons: Sequence[Any] = quality['horizons']
    found = {
        'error of a token, first step': horizons[0]['model']['value'],
        'error of a token, last step': horizons[-1]['model']['value'],
        'skill, last step': horizons[-1]['skill']['value']}
    if quality['calibration']['steps']:
        found['nearer, and seen so'] = quality['calibration']['fell']['value']
    if quality['rank']['count']:
        found['rank of the recorded command'] = quality['rank']['mean']['value']
    return found


def _planned(run: Mapping[str, Any]) -> dict[str, float]:
    numbers = run['summary']
    if not numbers['cycles']:
        return {}
    found = {'sequence error': numbers['sequence']['value']}
    if numbers['compared_directions']:
        found['agreement of direction'] = numbers['direction']['value']
    if run['clock']:
        found |= {
            'plan p50, ms': numbers['ms']['total']['p50'],
            'plan p95, ms': numbers['ms']['total']['p95'],
            'share of late plans': numbers['late_share'],
            'share of dropped pictures': numbers['dropped_share']}
    return found
