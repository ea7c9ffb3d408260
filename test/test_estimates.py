# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Intervals and percentiles agree with known values."""

import numpy as np
import pytest

from sparse_imagination_ros.evaluation.estimates import (
    percentiles,
    rank_correlation,
    trend,
    wilson,
)


@pytest.mark.parametrize(('successes', 'trials', 'low', 'high'), [
    # The two roots p of |p - share| = z sqrt(p (1 - p) / trials).
    (19, 20, 0.763869, 0.991119),
    (90, 100, 0.825634, 0.944771),
    (0, 10, 0.0, 0.277533),
    (10, 10, 0.722467, 1.0),
    (1, 2, 0.094531, 0.905469),
])
def test_wilson_agrees_with_known_values(
    successes: int, trials: int, low: float, high: float,
) -> None:
    interval = wilson(successes, trials)
    assert interval.low == pytest.approx(low, abs=2e-6)
    assert interval.high == pytest.approx(high, abs=2e-6)


def test_no_trials_say_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match='3 successes of 2 trials'):
        wilson(3, 2)


def test_percentiles_are_times_that_were_measured() -> None:
    times = [float(t) for t in range(100, 0, -1)]
    assert percentiles(times).p50 == 50
    assert percentiles(times).p95 == 95
    assert percentiles(times).p99 == 99
    assert percentiles(times).slowest == 100
    assert percentiles([1.0, 900.0]).p95 == 900


def test_no_times_spread_over_nothing() -> None:
    assert set(percentiles([]).as_dict().values()) == {0.0}


def test_rank_correlation_agrees_with_known_values() -> None:
    numbers = np.arange(5.0)
    assert rank_correlation(numbers, np.exp(numbers)) == pytest.approx(1)
    assert rank_correlation(numbers, -numbers) == pytest.approx(-1)
    # Equal numbers share the mean of their ranks.
    assert rank_correlation(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(
        0.948683, abs=1e-6)
    assert np.isnan(rank_correlation(numbers, np.ones(5)))


def test_a_trend_is_found_in_spite_of_outliers() -> None:
    times = np.arange(400.0)
    noise = np.random.default_rng(0).normal(size=400)
    values = 3 * times + noise
    values[::17] += 1e6
    found = trend(times, values)
    assert found.value == pytest.approx(3, abs=0.02) and found.low <= found.value <= found.high


def test_the_interval_of_a_trend_holds_the_true_one_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(200.0)
    inside = [found.low <= 0 <= found.high for found in (
        trend(times, rng.normal(size=200)) for _ in range(400))]
    assert 0.92 <= np.mean(inside) <= 0.985


def test_what_stays_has_no_trend() -> None:
    found = trend(np.arange(50.0), np.full(50, 7.0))
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert trend(np.zeros(1), np.zeros(1)).value == 0
