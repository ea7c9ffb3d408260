# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demonstration run in a few numbers, as they go into summary.json."""

from statistics import mean, median
from typing import Any

from sparse_imagination_ros.evaluation.estimates import percentiles, wilson
from sparse_imagination_ros.evaluation.run import DemoRun


def summary(run: DemoRun) -> dict[str, Any]:
    """Return the numbers; success, with its 95 % interval from low to high, is a share."""
    interval = wilson(run.successes, len(run.episodes))
    times = percentiles([cycle.total_ms for cycle in run.cycles]).as_dict()
    return {
        'episodes': len(run.episodes),
        'successes': run.successes,
        'success': run.successes / max(1, len(run.episodes)),
        'low': interval.low,
        'high': interval.high,
        'rmw_implementation': run.rmw_implementation,
        'processes': len(run.processes),
        'cycle_ms': {name: round(ms, 3) for name, ms in times.items()},
        'budget_ms': run.budget_ms,
        'deadline_misses': run.deadline_misses,
        'cycles': len(run.cycles),
        'tokens': int(median([cycle.tokens for cycle in run.cycles] or [0])),
        'command_rate_hz': round(run.command_rate_hz, 3),
        'commands_outside_limits': run.commands_outside_limits,
        'encodes_per_cycle': _whole(mean([cycle.encodes for cycle in run.cycles] or [0])),
    }


def _whole(number: float) -> int | float:
    return int(number) if float(number).is_integer() else number
