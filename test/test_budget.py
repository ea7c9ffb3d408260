# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The controller settles quickly and stays; a chunk is granted only if it fits."""

from itertools import pairwise
from math import inf
import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
import pytest
from simulated import Machine, SimulatedAside
import torch

from sparse_imagination_ros.imagination.reference import Memory
from sparse_imagination_ros.planning.budget import (
    AWAKE_MS,
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
    success_of,
    WAKE,
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


class Chunk:
    """A chunk of ten steps, each of 1 ms as a rule, that is granted before a deadline."""

    def __init__(self, room_ms: float) -> None:
        self.machine, self.latency = Machine(), LatencyModel()
        self.machine.reading_ms = 0.0
        self.latency.observe(Cell(IMAGINE, 4, 4), 10.0)
        self.grants = Grants(
            self.machine.clock, self.latency, 4, (room_ms + RESERVE_MS) / 1000,
            SimulatedAside(self.machine))

    def imagine(self, ms: float) -> bool:
        """Take so long for it; tell whether there was an answer."""
        self.machine.spike = lambda: ms / self.machine.cost_ms(4, 4)
        tokens, candidates = torch.zeros(4, 3), torch.zeros(4, 10, 2)
        engine = self.grants.timely(self.machine.engine)
        try:
            engine(PREDICTOR, Memory(tokens[None], []), tokens, torch.arange(4), candidates,
                   lambda moment: torch.zeros(4))
        except OutOfTimeError:
            return False
        self.grants.settle()
        return True


def test_what_can_be_given_up_need_only_fit_as_a_rule() -> None:
    assert Chunk(11.1).grants(4) == 4
    assert Chunk(5.6).grants(4) == 4, 'it may be lucky'
    assert Chunk(5.4).grants(4) == 0


@settings(deadline=None)
@given(st.floats(6.0, 60.0), st.floats(0.5, 1000.0))
def test_what_takes_too_long_is_given_up_in_time(room_ms: float, ms: float) -> None:
    assume(abs(ms - room_ms) > 0.01)
    chunk = Chunk(room_ms)
    assert chunk.grants(4) == 4
    assert chunk.imagine(ms) == (ms < room_ms)
    assert 1000 * chunk.machine.now_s <= room_ms + 0.2 + 1e-6
    assert chunk.grants(4) in (0, 4)


def test_what_was_given_up_is_learned_as_if_it_had_gone_on() -> None:
    chunk = Chunk(50.0)
    assert chunk.grants(4) == 4 and not chunk.imagine(200.0)
    # Three of ten steps were done when it was noticed, and the fourth was not.
    assert chunk.latency.typical_ms(Cell(IMAGINE, 4, 4)) == pytest.approx((10 + 125) / 2, rel=0.02)


def test_who_wakes_up_late_sleeps_less() -> None:
    chunk = Chunk(50.0)
    for _ in range(3):
        chunk.latency.observe(Cell(WAKE), AWAKE_MS)
    before = chunk.latency.worst_ms(Cell(WAKE))
    late = Chunk(50.0)
    late.latency = chunk.latency
    late.grants = Grants(
        late.machine.clock, late.latency, 4, 0.1, SimulatedAside(late.machine, 50.0))
    assert late.grants(4) == 4 and not late.imagine(200.0)
    late.latency.end_cycle()
    assert late.latency.worst_ms(Cell(WAKE)) > 1.2 * before


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
