# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One cycle: what is encoded, imagined and refused."""

from dataclasses import replace
import gc
from math import inf
from pathlib import Path
import random
from threading import Event
from time import monotonic
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from simulated import Machine, SimulatedAside
import torch
from torch import Tensor

from sparse_imagination_ros.errors import ConfigError, FrameError, PlanningError
from sparse_imagination_ros.imagination.reference import imagine
from sparse_imagination_ros.planning.budget import AWAKE_MS, WAKE
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.latency import Cell, LatencyModel
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, Planner, PlannerConfig, STUCK, suited
from sparse_imagination_ros.planning.search import read_record, replay, write_record
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.tokens.subsets import SUBSETS
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Lookahead

CONFIG = PlannerConfig(tokens=4, candidates=8, iterations=2, steps=3)
BLANK = np.zeros((224, 224, 3), np.uint8)
Simulated = tuple[Planner, Machine]


@pytest.fixture(scope='module')
def bundle(untrained: Path) -> Bundle:
    return Bundle.load(untrained)


@pytest.fixture
def planner(bundle: Bundle) -> Planner:
    return Planner(bundle, CONFIG)


def simulate(bundle: Bundle, gives_up: bool = True) -> Simulated:
    machine = Machine()
    config = replace(CONFIG, tokens=16, candidates=64, iterations=50)
    planner = Planner(bundle, config, machine.clock, LatencyModel(), machine.engine)
    planner.aside = SimulatedAside(machine) if gives_up else None
    planner.latency.observe(Cell(WAKE), AWAKE_MS)
    planner.set_goal(BLANK)
    return planner, machine


@pytest.fixture
def world() -> Rooms:
    return Rooms('omnidirectional')


def sent() -> CommandHistory:
    return CommandHistory(2, 5.0)


def test_a_cycle_encodes_once_whatever_it_imagines(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    for number in range(3):
        cycle = planner.plan(Frame(number * 0.1, world.picture()), sent())
        assert cycle.encodes == 1
    assert (cycle.tokens, cycle.candidates, cycle.iterations) == (4, 8, 2)
    assert len(set(cycle.subset.tolist())) == 4


def test_the_plan_carries_the_stamp_of_its_frame_and_keeps_the_limits(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    plan = planner.plan(Frame(12.5, world.picture()), sent()).plan
    assert plan.frame_stamp_s == plan.start_s == 12.5
    assert plan.actions.shape == (3, 2)
    assert (np.abs(plan.actions) <= 1.0 + 1e-6).all()


def test_only_who_is_to_keep_deadlines_tries_all_sizes_first(bundle: Bundle) -> None:
    known, unknown = Planner(bundle, CONFIG, latency=LatencyModel()), Planner(bundle, CONFIG)
    half = Cell('imagine', CONFIG.tokens // 2, CONFIG.candidates // 2)
    assert known.latency.knows(half) and not unknown.latency.knows(half)


def test_what_was_tried_first_does_not_change_the_plans(bundle: Bundle, world: Rooms) -> None:
    plans = []
    for latency in (None, LatencyModel()):
        planner = Planner(bundle, CONFIG, lambda: 0.0, latency)
        planner.set_goal(world.picture_at(world.goal))
        plans.append(planner.plan(Frame(1.0, world.picture()), sent()).plan.actions)
    assert np.array_equal(*plans)


def test_it_looks_as_far_as_the_bundle_says_unless_it_is_told_otherwise(bundle: Bundle) -> None:
    manifest = replace(bundle.manifest, lookahead=Lookahead(5, 1.0, 1.5))
    advised = replace(bundle, manifest=manifest)
    assert suited(PlannerConfig(), advised) == PlannerConfig(
        steps=5, growth=1.0, effective_samples=1.5)
    assert suited(PlannerConfig(steps=2, effective_samples=3.0), advised) == PlannerConfig(
        steps=2, growth=1.0, effective_samples=3.0)
    planner = Planner(advised, replace(CONFIG, steps=0))
    planner.set_goal(BLANK)
    assert len(planner.plan(Frame(0.0, BLANK), CommandHistory(2, 5.0)).plan.actions) == 5


def test_subsets_change_from_cycle_to_cycle(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    subsets = {tuple(planner.plan(Frame(i * 0.1, world.picture()), sent()).subset)
               for i in range(6)}
    assert len(subsets) > 1


def test_without_a_goal_there_is_no_plan(planner, world):
    with pytest.raises(PlanningError, match=r'publish a goal picture'):
        planner.plan(Frame(0.0, world.picture()), sent())


def test_a_goal_of_another_size_is_refused_with_both_sizes(planner):
    with pytest.raises(FrameError, match=r'goal picture is 320 x 240.*224 x 224'):
        planner.set_goal(np.zeros((240, 320, 3), np.uint8))


def test_more_tokens_than_the_bundle_has_are_refused(untrained):
    with pytest.raises(ConfigError, match=r'.tokens. is 17; allowed range.*\[1, 16\]'):
        Planner(Bundle.load(untrained), PlannerConfig(tokens=17))


@settings(deadline=None, max_examples=40)
@given(st.floats(5.0, 300.0), st.floats(0.2, 20.0), st.integers(0, 2**16))
def test_a_plan_is_there_before_its_deadline(
    bundle: Bundle, budget_ms: float, load: float, seed: int,
) -> None:
    planner, machine = simulate(bundle)
    machine.load, drawn = load, random.Random(seed)
    machine.spike = lambda: drawn.uniform(1, 20) if drawn.random() < 0.1 else 1.0
    for number in range(12):
        machine.now_s += 1.0
        deadline_s = machine.now_s + budget_ms / 1000
        cycle = planner.plan(Frame(machine.now_s, BLANK), sent(), deadline_s)
        assert np.isfinite(cycle.plan.actions).all()
        # What is not imagined must fit as it is; it learns the new pace of that first.
        if number > 9 and budget_ms > 10 * load:
            assert machine.now_s <= deadline_s


def test_what_is_left_of_a_budget_is_used(bundle: Bundle) -> None:
    planner, machine = simulate(bundle)
    machine.load = 3.0
    used = []
    for _ in range(40):
        machine.now_s += 1.0
        start_s = machine.now_s
        cycle = planner.plan(Frame(start_s, BLANK), sent(), start_s + 0.2)
        used.append((machine.now_s - start_s) / 0.2)
        assert cycle.imagined and cycle.reason
    assert np.mean(used[10:]) > 0.9


@pytest.mark.parametrize('gives_up', [True, False])
def test_spikes_seldom_cost_a_deadline_and_hardly_any_time_where_they_are_given_up(
    bundle: Bundle, gives_up: bool,
) -> None:
    planner, machine = simulate(bundle, gives_up)
    drawn = random.Random(0)
    machine.spike = lambda: drawn.uniform(2, 10) if drawn.random() < 0.01 else 1.0
    used = []
    for _ in range(1000):
        machine.now_s += 1.0
        start_s = machine.now_s
        planner.plan(Frame(start_s, BLANK), sent(), start_s + 0.15)
        used.append((machine.now_s - start_s) / 0.15)
    assert sum(share > 1 for share in used) <= (0 if gives_up else 10)
    assert np.minimum(used, 1).mean() > (0.88 if gives_up else 0.6)


def test_an_engine_that_hangs_costs_no_deadline_but_the_plan(bundle: Bundle, world: Rooms) -> None:
    hangs, goes_on = Event(), Event()

    def engine(*asked: Any) -> Tensor:
        if hangs.is_set():
            goes_on.wait()
        return imagine(*asked)

    planner = Planner(bundle, CONFIG, latency=LatencyModel(), engine=engine)
    planner.set_goal(world.picture_at(world.goal))

    def plan(stamp_s: float) -> Cycle:
        return planner.plan(Frame(stamp_s, world.picture()), sent(), monotonic() + 1.0)

    good = plan(1.0)
    hangs.set()
    given_up, busy = plan(1.1), plan(1.2)
    assert good.imagined > 0 == given_up.imagined == busy.imagined
    assert given_up.plan is busy.plan is good.plan
    assert busy.reason == STUCK
    assert planner.aside is not None and planner.aside.busy_s > 0
    hangs.clear()
    goes_on.set()
    assert plan(1.3).imagined > 0 == planner.aside.busy_s


def test_without_time_the_last_plan_goes_on(bundle: Bundle) -> None:
    planner, machine = simulate(bundle)
    good = planner.plan(Frame(1.0, BLANK), sent())
    late = planner.plan(Frame(1.1, BLANK), sent(), machine.now_s)
    assert late.plan is good.plan and late.imagined == 0
    planner.forget()
    first = planner.plan(Frame(2.0, BLANK), sent(), machine.now_s)
    assert not first.plan.actions.any() and first.plan.frame_stamp_s == 2.0


def test_after_a_time_in_which_nothing_fitted_it_finds_back(bundle: Bundle) -> None:
    planner, machine = simulate(bundle)

    def imagined(load: float) -> list[int]:
        machine.load = load
        counts = []
        for _ in range(30):
            machine.now_s += 1.0
            counts.append(planner.plan(
                Frame(machine.now_s, BLANK), sent(), machine.now_s + 0.05).imagined)
        return counts

    assert imagined(1.0)[-1] > 0
    assert 0 in imagined(200.0)
    assert min(imagined(1.0)[15:]) > 0


def test_a_budget_shorter_than_what_is_kept_back_is_used_nevertheless(bundle: Bundle) -> None:
    planner, machine = simulate(bundle)

    def imagined() -> int:
        machine.now_s += 1.0
        return planner.plan(Frame(machine.now_s, BLANK), sent(), machine.now_s + 0.009).imagined

    assert planner.latency.worst_ms(Cell(WAKE)) > 9.0
    assert [imagined() for _ in range(10)][-1] > 0


@pytest.mark.parametrize('stage', ['tokens', 'costs', 'commands', 'proposals'])
def test_nothing_that_is_no_number_comes_out_or_stays(
    bundle: Bundle, world: Rooms, stage: str,
) -> None:
    broken = [False]

    def engine(*asked: Any) -> Tensor:
        costs = imagine(*asked)
        return costs * torch.nan if stage == 'costs' and broken[0] else costs

    def prior(tokens: Tensor, goal: Tensor) -> Tensor:
        bad = stage == 'proposals' and broken[0]
        return torch.full((1, 3, 2), torch.inf if bad else 0.5)

    planner = Planner(bundle, CONFIG, engine=engine, prior=prior)
    planner.set_goal(world.picture_at(world.goal))
    if stage == 'tokens':
        encode = planner._encode
        planner._encode = lambda *asked: encode(*asked) * (torch.nan if broken[0] else 1)
    history = sent()
    good = planner.plan(Frame(1.0, world.picture()), history)
    broken[0] = True
    if stage == 'commands':
        history.add(1.05, np.float32([np.nan, np.inf]))
    bad = planner.plan(Frame(1.1, world.picture()), history)
    assert bad.not_finite > 0 == good.not_finite
    assert np.isfinite(bad.plan.actions).all()
    if stage in ('tokens', 'costs'):
        assert bad.plan is good.plan
    broken[0] = False
    history.clear()
    after = planner.plan(Frame(1.2, world.picture()), history)
    assert after.not_finite == 0 and after.imagined == 16 and after.plan.frame_stamp_s == 1.2


@pytest.mark.parametrize('subset', SUBSETS)
def test_tokens_that_are_no_numbers_are_not_imagined(
    bundle: Bundle, world: Rooms, subset: str,
) -> None:
    planner = Planner(bundle, replace(CONFIG, subset=subset))
    planner.set_goal(world.picture_at(world.goal))
    encode = planner._encode
    bad = torch.ones(16, 1)
    bad[:11] = torch.nan
    planner._encode = lambda *asked: encode(*asked) * bad
    for number in range(5):
        cycle = planner.plan(Frame(1.0 + 0.1 * number, world.picture()), sent())
        assert cycle.not_finite > 0 and min(cycle.subset) >= 11 and len(cycle.subset) == 4
        assert cycle.plan.frame_stamp_s == 1.0 + 0.1 * number


def test_a_goal_that_gives_no_numbers_is_refused(bundle: Bundle, world: Rooms) -> None:
    planner = Planner(bundle, CONFIG)
    encode = planner._encode
    planner._encode = lambda *asked: encode(*asked) * torch.nan
    with pytest.raises(FrameError, match=r'goal picture.*no numbers'):
        planner.set_goal(world.picture())


@pytest.mark.parametrize('optimiser', ['mppi', 'cem'])
def test_a_recorded_cycle_replays_to_the_same_plan_bit_for_bit(
    bundle: Bundle, world: Rooms, tmp_path: Path, optimiser: str,
) -> None:
    planner = Planner(bundle, replace(CONFIG, optimiser=optimiser, candidates=40, iterations=9))
    planner.set_goal(world.picture_at(world.goal))
    cuts = set()
    for number in range(8):
        # Some have time, and some are cut short, wherever that may be.
        deadline_s = monotonic() + 0.01 * number if number else inf
        cycle = planner.plan(Frame(0.1 * number, world.picture()), sent(), deadline_s)
        if not cycle.imagined:
            continue
        assert cycle.record is not None
        write_record(tmp_path / 'cycle', cycle.record)
        again = replay(bundle.predictor, planner.method, read_record(tmp_path / 'cycle'))
        assert np.array_equal(again.actions * planner._scale, cycle.plan.actions)
        assert again.cost == cycle.cost
        cuts.add(cycle.imagined)
    assert cuts


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'no').write_text('no')
    with pytest.raises(PlanningError, match='does not hold a recorded search'):
        read_record(tmp_path / 'no')


def test_charged_cycles_take_exactly_that_long(bundle: Bundle, world: Rooms) -> None:
    planner = charged(bundle, CONFIG, 130.0)
    planner.set_goal(world.picture_at(world.goal))
    for number in range(3):
        cycle = planner.plan(Frame(0.1 * number, world.picture()), sent())
        assert cycle.total_ms == pytest.approx(130.0)


def test_until_the_plan_can_be_ready_the_robot_does_what_it_was_told(
    bundle: Bundle, world: Rooms,
) -> None:
    machine = Machine()
    config = replace(CONFIG, budget_ms=60.0)
    planner = Planner(bundle, config, machine.clock, engine=machine.engine)
    planner.set_goal(world.picture())
    history = sent()
    history.add(0.0, np.float32([0.5, -0.5]))
    step_s = bundle.manifest.step_s
    record = planner.plan(Frame(1.0, world.picture()), history, waited_s=1.5 * step_s).record
    assert record is not None
    known = record.question.known[:, 0].tolist()
    assert known == pytest.approx([1.0, 0.5 + 0.06 / step_s, 0.0], abs=1e-3)
    assert record.question.committed[0].tolist() == pytest.approx([0.5, -0.5])
    assert record.question.committed[1].tolist() == pytest.approx([0.5, -0.5])
    assert not record.question.committed[2].any()


def test_plans_keep_limits_and_accelerations_from_the_last_command_on(
    bundle: Bundle, world: Rooms,
) -> None:
    actions = replace(bundle.manifest.actions, low=(-0.5, -0.2), acceleration=(1.0, 2.0))
    slow = replace(bundle, manifest=replace(bundle.manifest, actions=actions))
    planner, history = Planner(slow, CONFIG), sent()
    planner.set_goal(world.picture_at(world.goal))
    history.add(0.5, np.float32([0.7, -0.2]))
    for number in range(6):
        plan = planner.plan(Frame(1.0 + 0.1 * number, world.picture()), history).plan
        told = np.concatenate([history.last()[None], plan.actions])
        assert (np.abs(np.diff(told, axis=0)) <= np.array([1.0, 2.0]) * plan.step_s + 1e-5).all()
        assert (plan.actions >= np.array([-0.5, -0.2]) - 1e-6).all()
        history.add(1.05 + 0.1 * number, plan.actions[0])


def test_a_prior_is_among_the_candidates(bundle: Bundle, world: Rooms) -> None:
    worth = torch.full((1, 3, 2), 0.123)
    seen: list[Tensor] = []

    def engine(*asked: Any) -> Tensor:
        seen.append(asked[4])
        return imagine(*asked)

    planner = Planner(bundle, CONFIG, engine=engine, prior=lambda tokens, goal: worth)
    seen.clear()
    planner.set_goal(world.picture_at(world.goal))
    planner.plan(Frame(1.0, world.picture()), sent(), waited_s=-1.0)
    for candidates in seen:
        assert (candidates == worth).all((1, 2)).any() and (candidates == 0).all((1, 2)).any()


def test_the_memory_of_a_planner_does_not_grow(bundle: Bundle) -> None:
    planner, machine = simulate(bundle)
    history = sent()

    def tensors() -> int:
        for _ in range(30):
            machine.now_s += 0.1
            planner.plan(Frame(machine.now_s, BLANK), history, machine.now_s + 0.05)
        gc.collect()
        return sum(type(thing) is Tensor for thing in gc.get_objects())

    tensors()
    before = tensors()
    assert abs(tensors() - before) <= 2


def test_a_clock_that_goes_back_starts_afresh(planner, world):
    planner.set_goal(world.picture_at(world.goal))
    planner.plan(Frame(100.0, world.picture()), sent())
    assert planner.plan(Frame(1.0, world.picture()), sent()).plan.start_s == 1.0


def test_adjusted_it_goes_on_from_what_it_saw_and_planned(bundle: Bundle, world: Rooms) -> None:
    planner = Planner(bundle, CONFIG)
    planner.set_goal(world.picture_at(world.goal))
    planner.plan(Frame(0.0, world.picture()), sent())
    slow = replace(bundle.limits(0.5), high=np.float32([0.25, 1]), low=np.float32([-0.25, -1]))
    planner.adjust(replace(CONFIG, iterations=1, sigma=0.2, budget_ms=80.0), slow)
    cycle = planner.plan(Frame(0.2, world.picture()), sent())
    assert cycle.iterations == 1 and planner.budget_s == 0.08
    assert len(cycle.record.question.tokens) == 2, 'the frame before is still there'
    assert np.abs(cycle.plan.actions[:, 0]).max() <= 0.25 + 1e-6
    assert np.abs(cycle.optimum.candidates[..., 0]).max() <= 0.25 + 1e-6


def test_what_it_was_made_ready_for_cannot_be_adjusted(planner: Planner, bundle: Bundle) -> None:
    for other in (replace(CONFIG, tokens=2), replace(CONFIG, candidates=4)):
        with pytest.raises(ConfigError, match='while the planner is in use'):
            planner.adjust(other, bundle.limits(0.5))


def test_limits_of_the_bundle_change_nothing(bundle: Bundle, world: Rooms) -> None:
    plans = []
    for adjusted in (False, True):
        planner = Planner(bundle, CONFIG)
        if adjusted:
            planner.adjust(CONFIG, bundle.limits(0.5))
        planner.set_goal(world.picture_at(world.goal))
        plans.append(planner.plan(Frame(1.0, world.picture()), sent()).plan.actions)
    assert np.array_equal(*plans)
