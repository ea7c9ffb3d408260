# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The controller settles quickly and stays; a chunk is granted only if it fits."""

from itertools import pairwise
from math import inf
import random

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from simulated import Machine
import torch

from sparse_imagination_ros.imagination.reference import Moment
from sparse_imagination_ros.planning.budget import (
    chunks_of,
    Controller,
    Effort,
    ENCODE,
    FINISH,
    Grants,
    IMAGINE,
    REMEMBER,
    RESERVE_MS,
    search_quality,
    STEP,
    success_of,
)
from sparse_imagination_ros.planning.latency import Cell, LatencyModel
from sparse_imagination_ros.planning.mppi import OutOfTimeError
from sparse_imagination_ros.world_models.manifest import Quality
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

MOST = Effort(64, 64, 4)
BUDGET_MS = 120.0
PREDICTOR = SparsePredictor(PredictorShape(token_width=3, action_size=2, width=8, heads=2))


class Loop:
    """Controller and latency model, with a machine that does what was chosen."""

    def __init__(self, quality: Quality | None = None) -> None:
        self.machine, self.latency = Machine(), LatencyModel()
        self.controller = Controller(MOST, 1, 64, quality)
        self.reasons: list[str] = []
        self.latency.observe(Cell(ENCODE), 3.0)
        for tokens, candidates in self.controller.sizes:
            for count in chunks_of(candidates):
                self.latency.observe(
                    Cell(IMAGINE, tokens, count), self.machine.cost_ms(tokens, count))

    def run(self, cycles: int, load: float = 1.0) -> list[tuple[int, int]]:
        """Run so many cycles at a load; return the sizes that were chosen."""
        self.machine.load = load
        sizes = []
        for _ in range(cycles):
            deadline_s = self.machine.now_s + BUDGET_MS / 1000
            self.latency.observe(Cell(ENCODE), 3.0 * load)
            choice = self.controller.choose(self.latency, BUDGET_MS)
            effort = choice.effort
            grants = Grants(self.machine.clock, self.latency, effort.tokens, deadline_s)
            imagined = 0
            for _ in range(effort.iterations):
                left = effort.candidates
                while left and (count := grants(left)):
                    self.machine.now_s += self.machine.cost_ms(effort.tokens, count) / 1000
                    left -= count
                    imagined += count
            grants.settle()
            self.latency.end_cycle()
            if not imagined:
                self.latency.grow_bolder(IMAGINE)
            self.machine.now_s = max(self.machine.now_s, deadline_s)
            sizes.append((effort.tokens, effort.candidates))
            self.reasons.append(choice.reason)
        return sizes


def changes(sizes: list[tuple[int, int]]) -> int:
    return sum(one != other for one, other in pairwise(sizes))


@pytest.mark.parametrize('load', [2.0, 4.0, 8.0, 16.0])
def test_after_a_step_of_the_load_it_settles_within_ten_cycles_and_stays(load: float) -> None:
    loop = Loop()
    loop.run(30)
    calm = loop.run(1)[0]
    loaded = loop.run(60, load)
    assert changes(loaded[10:]) == 0 and changes([calm, *loaded]) <= 3
    assert loaded[-1][0] * loaded[-1][1] < calm[0] * calm[1]
    released = loop.run(60)
    assert changes(released[10:]) == 0 and changes([loaded[-1], *released]) <= 3
    assert released[-1][0] == calm[0] and released[-1][1] >= calm[1] // 2


@settings(deadline=None, max_examples=25)
@given(st.floats(0.5, 20.0), st.integers(0, 2**16))
def test_under_noise_it_hardly_ever_changes(load: float, seed: int) -> None:
    drawn = random.Random(seed)
    loop = Loop()
    loop.run(20, load)
    sizes = [loop.run(1, load * drawn.uniform(0.97, 1.03))[0] for _ in range(60)]
    assert changes(sizes) <= 2


def test_it_says_why() -> None:
    loop = Loop()
    loop.run(20)
    loop.run(20, 16.0)
    loop.run(20)
    said = ' | '.join(loop.reasons)
    assert 'the first cycle' in said and 'nothing better fits' in said
    assert 'not one iteration with' in said and 'would be better for 2 of 3 cycles' in said
    assert loop.reasons[-1].endswith(f'iterations in {BUDGET_MS:.0f} ms')


def test_without_a_deadline_it_spends_all_that_is_allowed() -> None:
    choice = Controller(MOST, 1, 64).choose(LatencyModel(), inf)
    assert choice.effort == MOST and 'no deadline' in choice.reason


def test_floors_and_ceiling_are_kept() -> None:
    sizes = Controller(Effort(16, 64, 4), 4, 64).sizes
    assert sizes == tuple((k, n) for k in (16, 8, 4) for n in (64, 32, 16))
    assert Controller(Effort(4, 8, 1), 9, 64).sizes == ((4, 8),)


def test_if_nothing_fits_it_chooses_the_least() -> None:
    loop = Loop()
    loop.machine.reading_ms = 0.0
    assert loop.run(10, 1e4)[-1] == (1, 16)


def test_tokens_that_were_measured_not_to_matter_are_saved_first() -> None:
    flat = Loop(Quality((1, 64), (0.9, 0.9))).run(20, 4.0)[-1]
    steep = Loop(Quality((1, 64), (0.1, 0.9))).run(20, 4.0)[-1]
    assert flat[0] < steep[0] and flat[1] > steep[1]


def test_success_is_read_off_the_table_and_never_falls_with_more_tokens() -> None:
    quality = Quality((4, 16, 64), (0.5, 0.9, 0.8))
    assert [success_of(tokens, 64, quality) for tokens in (1, 4, 8, 16, 64)] == pytest.approx(
        [0.5, 0.5, 0.7, 0.9, 0.9])
    assert success_of(64, 64, None) == 1 > success_of(32, 64, None) > success_of(1, 64, None) > 0


def test_more_search_is_taken_for_better_but_less_and_less() -> None:
    assert search_quality(64, 1) - search_quality(32, 1) > (
        search_quality(128, 1) - search_quality(64, 1)) > 0
    assert search_quality(64, 2) > search_quality(64, 1)


def test_chunks_are_halved_down_to_the_smallest() -> None:
    assert chunks_of(64) == [64, 32, 16, 8, 4]
    assert chunks_of(300) == [256, 128, 64, 32, 16, 8, 4]
    assert chunks_of(44) == [32, 16, 8, 4]
    assert chunks_of(3) == [3]


@settings(deadline=None)
@given(st.integers(1, 300), st.floats(0.0, 200.0), st.floats(1.0, 10.0))
def test_only_what_hardly_ever_takes_too_long_is_granted(
    left: int, room_ms: float, tail: float,
) -> None:
    machine, latency = Machine(), LatencyModel(tails={IMAGINE: {0: tail}, FINISH: {0: tail}})
    machine.reading_ms = 0.0
    for count in (*chunks_of(left), *range(1, 4)):
        latency.observe(Cell(IMAGINE, 4, count), machine.cost_ms(4, count))
    latency.observe(Cell(FINISH), 0.5)
    grants = Grants(machine.clock, latency, 4, room_ms / 1000)
    while left and (count := grants(left)):
        assert machine.now_s + tail * machine.cost_ms(4, count) / 1000 <= room_ms / 1000
        machine.now_s += machine.cost_ms(4, count) / 1000
        left -= count
    kept_ms = RESERVE_MS + tail * 0.5
    assert not left or 1000 * machine.now_s + tail * machine.cost_ms(4, 4) > (
        room_ms - kept_ms - 1e-6)


class Watched:
    """Chunks of ten steps, each of 1 ms as a rule, 5 ms at the worst, before a deadline."""

    def __init__(self, room_ms: float) -> None:
        self.machine, self.latency = Machine(), LatencyModel(tails={STEP: {0: 5.0}})
        self.machine.reading_ms = 0.0
        for _ in range(9):
            self.latency.observe(Cell(STEP, 4, 8), 1.0)
        self.latency.observe(Cell(IMAGINE, 4, 8), 10.0)
        deadline_s = (room_ms + RESERVE_MS) / 1000
        self.grants = Grants(self.machine.clock, self.latency, 4, deadline_s)
        self._objective = self.grants.watched(lambda moment: moment.tokens.sum((1, 2)))

    def imagine(self, *steps_ms: float) -> int:
        """Take so long for the first steps, 1 ms for the others; return how many were done."""
        tokens, candidates = torch.zeros(8, 4, 3), torch.zeros(8, 10, 2)
        for step in range(10):
            self.machine.now_s += (steps_ms[step] if step < len(steps_ms) else 1.0) / 1000
            try:
                self._objective(Moment(
                    PREDICTOR, tokens, tokens[0], torch.arange(4), candidates, step))
            except OutOfTimeError:
                return step + 1
        return 10


def test_where_steps_are_watched_one_of_them_may_be_slow() -> None:
    assert Watched(14.9).grants(8) == 0
    fits = Watched(15.1)
    assert fits.grants(8) == 8 and fits.imagine() == 10
    assert fits.machine.now_s <= 15.1 / 1000


@settings(deadline=None)
@given(st.floats(15.1, 60.0), st.lists(st.floats(0.5, 5.0), max_size=10))
def test_what_takes_too_long_is_broken_off_in_time(room_ms: float, steps_ms: list[float]) -> None:
    watched = Watched(room_ms)
    assert watched.grants(8) == 8
    watched.imagine(*steps_ms)
    assert watched.machine.now_s <= room_ms / 1000 + 1e-9


def test_a_slow_step_is_taken_for_the_first_of_many() -> None:
    watched, unhurried = Watched(65.0), Watched(inf)
    assert watched.grants(8) == unhurried.grants(8) == 8
    assert (watched.imagine(20.0, 20.0), unhurried.imagine(20.0, 20.0)) == (2, 10)


@pytest.mark.parametrize(('room_ms', 'near_end'), [(29.0, True), (60.0, False)])
def test_how_slow_steps_may_be_is_learned_near_the_end_of_what_nobody_foretold(
    room_ms: float, near_end: bool,
) -> None:
    slow, interrupted = Watched(room_ms), Watched(room_ms)
    for watched, steps_ms in ((slow, [9.0, 10.0]), (interrupted, [1.0, 1.0, 9.0])):
        assert watched.grants(8) == 8
        watched.imagine(*steps_ms)
        watched.grants.settle()
        watched.latency.end_cycle()
    assert (interrupted.latency.tails[STEP][0] > 5.0) == near_end
    assert slow.latency.tails[STEP][0] <= 5.0, 'the first of them foretold the others'


def test_what_was_broken_off_is_learned_as_if_it_had_gone_on() -> None:
    watched = Watched(65.0)
    assert watched.grants(8) == 8 and watched.imagine(20.0, 20.0) == 2
    assert watched.latency.typical_ms(Cell(IMAGINE, 4, 8)) > 100.0, 'of 200 ms now, of 10 before'


def test_what_chunks_took_is_learned() -> None:
    machine, latency = Machine(), LatencyModel()
    machine.reading_ms = 0.0
    grants = Grants(machine.clock, latency, 4, inf)
    assert grants(32) == 32
    machine.now_s += 0.007
    assert grants(8) == 8
    grants.settle()
    assert latency.typical_ms(Cell(IMAGINE, 4, 32)) == pytest.approx(7.0)
    assert not latency.knows(Cell(REMEMBER, 4))
