# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is learned of a machine: costs, its pace, and what is seldom exceeded."""

from pathlib import Path
import random

import pytest

from sparse_imagination_ros.planning.latency import (
    Cell,
    latency_file,
    LatencyModel,
    read_latency,
    write_latency,
)

SMALL, LARGE = Cell('imagine', 4, 8), Cell('imagine', 4, 64)


def learned(small_ms: float = 2.0, large_ms: float = 10.0) -> LatencyModel:
    model = LatencyModel()
    for _ in range(5):
        model.observe(SMALL, small_ms)
        model.observe(LARGE, large_ms)
        model.end_cycle()
    return model


def test_what_was_measured_is_typical() -> None:
    model = learned()
    assert model.typical_ms(SMALL) == pytest.approx(2.0)
    assert model.typical_ms(LARGE) == pytest.approx(10.0)
    assert model.worst_ms(SMALL) > 2.0


def test_a_slow_first_time_is_forgotten() -> None:
    model = LatencyModel()
    for ms in (50.0, 2.0, 2.1):
        model.observe(SMALL, ms)
    assert model.typical_ms(SMALL) == pytest.approx(2.1, rel=0.1)


def test_throttling_is_followed_within_five_stages_in_all_cells() -> None:
    model = learned()
    for _ in range(5):
        model.observe(SMALL, 6.0)
    assert model.typical_ms(SMALL) == pytest.approx(6.0, rel=0.1)
    assert model.typical_ms(LARGE) == pytest.approx(30.0, rel=0.1), 'though it was not tried'
    for _ in range(5):
        model.observe(SMALL, 2.0)
    assert model.typical_ms(LARGE) == pytest.approx(10.0, rel=0.25)


def test_who_finds_that_nothing_fits_grows_bolder_until_something_does() -> None:
    model = learned()
    for _ in range(9):
        model.observe(SMALL, 2e4)
    model.end_cycle()
    slow = model.worst_ms(SMALL)
    for _ in range(100):
        model.grow_bolder('imagine')
    assert model.worst_ms(SMALL) < slow / 1e4


def test_a_spike_moves_the_tail_a_little_and_the_typical_not_at_all() -> None:
    model = learned()
    tail = model.tails['imagine'][0]
    model.observe(SMALL, 40.0)
    model.end_cycle()
    assert model.typical_ms(LARGE) == pytest.approx(10.0, rel=0.05)
    assert tail < model.tails['imagine'][0] < 1.7 * tail


def test_the_tail_is_what_hardly_any_cycle_exceeds() -> None:
    model, drawn = LatencyModel(), random.Random(0)
    exceeded = 0
    for cycle in range(6000):
        worst = 0.0
        for _ in range(20):
            ms = 2.0 * (drawn.uniform(2, 10) if drawn.random() < 0.01 else 1.0)
            worst = max(worst, ms)
            before = model.worst_ms(SMALL)
            model.observe(SMALL, ms)
        model.end_cycle()
        if cycle > 1000:
            exceeded += worst > before
    assert 0.0002 < exceeded / 5000 < 0.008


def test_what_interrupts_in_load_is_not_feared_at_rest() -> None:
    model = learned()
    at_rest = model.worst_ms(SMALL)
    for _ in range(20):
        for ms in (*[8.0] * 9, 80.0):
            model.observe(SMALL, ms)
        model.end_cycle()
    assert model.worst_ms(SMALL) > 60
    for _ in range(9):
        model.observe(SMALL, 2.0)
    model.end_cycle()
    assert model.worst_ms(SMALL) < 1.2 * at_rest


def test_interruptions_do_not_move_what_is_typical_of_a_machine_at_rest() -> None:
    model, drawn = learned(), random.Random(0)
    for _ in range(3000):
        model.observe(SMALL, 20.0 if drawn.random() < 0.3 else 2.0)
        model.end_cycle()
    assert model.typical_ms(SMALL) == pytest.approx(2.0, rel=0.1)
    assert 15 < model.worst_ms(SMALL) < 30


def test_stages_keep_a_pace_and_a_tail_each() -> None:
    model = learned()
    for _ in range(9):
        model.observe(Cell('finish'), 0.1)
    for _ in range(9):
        model.observe(Cell('finish'), 0.9)
        model.end_cycle()
    assert model.typical_ms(Cell('finish')) == pytest.approx(0.9, rel=0.01)
    assert model.typical_ms(SMALL) == pytest.approx(2.0)
    assert max(model.tails['finish'].values()) > model.tails['imagine'][0]


def test_an_unknown_size_is_rather_taken_for_too_slow() -> None:
    model = learned()
    assert model.typical_ms(Cell('imagine', 4, 128)) == pytest.approx(20.0)
    assert model.typical_ms(Cell('imagine', 4, 4)) == pytest.approx(2.0)
    assert model.typical_ms(Cell('encode')) == 0


@pytest.mark.parametrize('ms', [0.0, -1.0, float('nan'), float('inf')])
def test_a_clock_that_stands_still_or_jumps_teaches_nothing(ms: float) -> None:
    model = learned()
    model.observe(SMALL, ms)
    assert model.typical_ms(SMALL) == pytest.approx(2.0)


def test_what_was_learned_is_kept_for_this_kind_of_machine(tmp_path: Path) -> None:
    path = latency_file(tmp_path, 'reference')
    assert write_latency(path, learned())
    again = read_latency(path)
    assert again.typical_ms(LARGE) == pytest.approx(10.0, rel=0.01)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_was_learned_with_one_engine_is_not_believed_of_another(tmp_path: Path) -> None:
    assert latency_file(tmp_path, 'reference') != latency_file(tmp_path, 'openvino')


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / 'engines').write_text('a file where a folder should be')
    path = latency_file(tmp_path, 'reference')
    assert not write_latency(path, learned())
    assert not read_latency(path).costs_ms


@pytest.mark.parametrize('text', ['', '{}', '[1]', '{"tails": {}, "costs_ms": [["a", 1, 1, -1]]}',
                                  '{"tails": {}, "costs_ms": [["a", 1]]}', 'null'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'latency.json'
    path.write_text(text)
    assert not read_latency(path).costs_ms
