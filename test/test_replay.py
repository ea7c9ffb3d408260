# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination replay`: its numbers are those that a plain reading of the bag gives."""

from argparse import Namespace
from collections.abc import Iterator
import json
from math import cos, inf, pi
from pathlib import Path
from time import monotonic
from typing import Any

from bag_maker import START_S, write_bag
import numpy as np
import pytest
from replay_bag import room_drive
import torch

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import Topic
from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.cli.replay import _plannings
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.imagination.reference import Context
from sparse_imagination_ros.world_models.bundle import Bundle

STEPS, STEP_S, GRID = 4, 0.2, 4
PARAMETERS = """
/**:
  ros__parameters:
    bundle: somewhere
    tokens: 6
    candidates: 16
    iterations: 1
    steps: 4
"""


def replay(folder: Path, bundle: Path, *words: str) -> int:
    settings = folder / 'planner.yaml'
    settings.write_text(PARAMETERS)
    return main([
        'replay', '--bundle', str(bundle), '--params-file', str(settings), '--work',
        str(folder / 'work'), '--goal-s', '1.2', *words])


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('replay')
    write_bag(folder / 'bag', room_drive())
    return folder


@pytest.fixture(scope='module')
def numbers(folder: Path, untrained: Path) -> dict[str, Any]:
    assert replay(
        folder, untrained, str(folder / 'bag'), '--offline', '--tokens', '16,6', '--json',
        str(folder / 'f.json')) == 0
    return dict(json.loads((folder / 'f.json').read_text()))


@pytest.fixture(scope='module')
def recorded(folder: Path, untrained: Path) -> Iterator[dict[str, Any]]:
    """Read the bag by the simplest means: pictures and commands, one after the other."""
    bundle = Bundle.load(untrained)
    with open_bag(folder / 'bag') as bag:
        shots = list(bag.shots(Topic('/image', ())))
        commands = bag.series(Topic('/cmd_vel', (), ('linear.x', 'linear.y')))
    yield {
        'bundle': bundle, 'times': [shot.stamped_s - START_S for shot in shots],
        'tokens': torch.cat([bundle.encode(shot.picture[None]) for shot in shots]),
        'commands': list(zip(commands.recorded - START_S, commands.values, strict=True))}


def mean_command(recorded: dict[str, Any], start_s: float, end_s: float) -> np.ndarray:
    """Average the command that held, each millisecond."""
    moments = np.arange(start_s + 0.0005, end_s, 0.001)
    at = np.array([when for when, _ in recorded['commands']])
    values = np.array([value for _, value in recorded['commands']])
    held = values[np.searchsorted(at, moments, 'right') - 1]
    # The last one holds for half a second.
    held[moments > at[-1] + 0.5] = 0
    return held.mean(0)


def test_the_errors_of_the_imagination_are_those_of_a_naive_rollout(numbers, recorded) -> None:
    predictor, tokens, times = (
        recorded['bundle'].predictor, recorded['tokens'], recorded['times'])
    errors: list[list[float]] = [[] for _ in range(STEPS)]
    still: list[list[float]] = [[] for _ in range(STEPS)]
    for start in range(4, len(times) - 2):
        cache = predictor.empty_cache()
        now = None
        for frame in range(start - 4, start + 2 * STEPS, 2):
            if frame + 2 >= len(times):
                break
            action = torch.from_numpy(mean_command(recorded, times[frame], times[frame + 2]))
            seen = frame <= start
            with torch.inference_mode():
                now, cache = predictor.extend(
                    tokens[frame][None] if seen else now, action[None].float(), cache)
            if frame >= start:
                ahead = (frame - start) // 2
                errors[ahead].append(float((now[0] - tokens[frame + 2]).square().mean()))
                still[ahead].append(float((tokens[start] - tokens[frame + 2]).square().mean()))
    quality = next(q for q in numbers['qualities'] if q['tokens'] == GRID**2)
    assert [h['beginnings'] for h in quality['horizons']] == [len(e) for e in errors]
    for horizon, error, unmoved in zip(quality['horizons'], errors, still, strict=True):
        assert horizon['model']['value'] == pytest.approx(np.mean(error), rel=1e-3)
        assert horizon['still']['value'] == pytest.approx(np.mean(unmoved), rel=1e-3)
        assert horizon['model']['low'] <= horizon['model']['value'] <= horizon['model']['high']
        best = min(horizon['still']['value'], horizon['change']['value'])
        assert horizon['skill']['value'] == pytest.approx(1 - horizon['model']['value'] / best)


def test_the_mean_change_is_a_better_guess_than_none(numbers) -> None:
    for quality in numbers['qualities']:
        for horizon in quality['horizons']:
            assert horizon['change']['value'] <= horizon['still']['value'] * 1.0001


def test_errors_by_place_make_up_the_error(numbers) -> None:
    quality = next(q for q in numbers['qualities'] if q['tokens'] == GRID**2)
    for places, horizon in zip(quality['model_at'], quality['horizons'], strict=True):
        assert np.mean(places) == pytest.approx(horizon['model']['value'])


def test_goals_lie_ahead_and_recorded_commands_are_those_of_the_bag(numbers, recorded) -> None:
    rows = numbers['runs'][0]['rows']
    times = recorded['times']
    assert len(rows['picture']) > 30
    for number, goal, given in zip(
            rows['picture'], rows['goal'], rows['recorded'], strict=True):
        assert 0.6 - 1e-6 < times[goal] - times[number] <= 1.2 + 1e-6
        wanted = mean_command(recorded, times[number], times[number] + STEP_S)
        assert given == pytest.approx(wanted, abs=2e-3)


def test_agreement_is_that_of_the_plans_with_the_recorded_commands(numbers, recorded) -> None:
    for run in numbers['runs']:
        rows, found = run['rows'], run['summary']
        directions = []
        for i, plan in enumerate(rows['plan']):
            assert plan[0] == pytest.approx(rows['planned'][i])
            start_s = recorded['times'][rows['picture'][i]]
            steps = int((recorded['times'][rows['goal'][i]] - start_s) / STEP_S + 1e-6)
            truth = np.array([
                mean_command(recorded, start_s + k * STEP_S, start_s + (k + 1) * STEP_S)
                for k in range(min(steps, len(plan)))])
            error = np.sqrt(np.square(np.array(plan)[:len(truth)] - truth).mean())
            assert rows['sequence'][i] == pytest.approx(error, abs=3e-3)
            a, b = (np.linalg.norm(rows[name][i]) for name in ('planned', 'recorded'))
            assert rows['magnitude'][i] == pytest.approx(a - b, abs=1e-5)
            if min(a, b) >= 0.05:
                directions.append(np.dot(rows['planned'][i], rows['recorded'][i]) / a / b)
        assert found['direction']['value'] == pytest.approx(np.mean(directions), abs=1e-5)
        assert found['compared_directions'] == len(directions)
        assert found['sequence']['value'] == pytest.approx(np.mean(rows['sequence']))


def test_without_a_clock_every_picture_is_planned_from_and_plans_repeat(
    numbers, folder: Path, untrained: Path,
) -> None:
    run = next(run for run in numbers['runs'] if run['tokens'] == 6)
    pictures = run['rows']['picture']
    assert pictures == list(range(len(pictures))) and run['summary']['dropped'] == 0
    assert replay(
        folder, untrained, str(folder / 'bag'), '--offline', '--tokens', '6', '--json',
        str(folder / 'again.json'), '--work', str(folder / 'elsewhere')) == 0
    again = json.loads((folder / 'again.json').read_text())['runs'][0]
    assert again['rows']['plan'] == run['rows']['plan']


def test_against_the_clock_a_plan_has_a_deadline_and_knows_how_old_its_picture_is(
    folder: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sparse_imagination_ros.planning.planner import Planner

    told, plan = [], Planner.plan

    def listening(self: Planner, frame: Any, sent: Any, deadline_s: float = inf,
                  waited_s: float = 0.0) -> Any:
        told.append((deadline_s - monotonic(), waited_s))
        return plan(self, frame, sent, deadline_s, waited_s)

    monkeypatch.setattr(Planner, 'plan', listening)
    assert replay(
        folder, untrained, str(folder / 'bag'), '--budget-ms', '90', '--json',
        str(folder / 'clock.json'), '--work', str(folder / 'clocked')) == 0
    rows = json.loads((folder / 'clock.json').read_text())['runs'][0]['rows']
    hurried = [cycle for cycle in told if cycle[0] < inf]
    assert len(hurried) == len(rows['plan'])
    for (left_s, waited_s), began_s, time_s in zip(
            hurried, rows['began_s'], rows['time_s'], strict=True):
        assert left_s <= 0.09
        assert waited_s == pytest.approx(max(0.0, began_s - time_s), abs=1e-5)
    assert max(rows['imagined']) > 0 and all(rows['reason'])


def test_reading_the_goal_costs_the_planner_no_time(
    folder: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sparse_imagination_ros.replay import drive

    now, picture, ages_s = [0.0], drive.Film.picture, 1e6

    def slow(self: drive.Film, index: int) -> Any:
        now[0] += ages_s
        return picture(self, index)

    monkeypatch.setattr(drive, 'perf_counter', lambda: now[0])
    monkeypatch.setattr(drive.Film, 'picture', slow)
    assert replay(folder, untrained, str(folder / 'bag'), '--json', str(folder / 'slow.json'),
                  '--work', str(folder / 'slow')) == 0
    rows = json.loads((folder / 'slow.json').read_text())['runs'][0]['rows']
    assert len(set(rows['goal'])) > 3 and max(rows['began_s']) < ages_s


def test_no_more_pictures_are_kept_however_far_away_a_goal_is(
    folder: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sparse_imagination_ros.replay import drive

    plans = []
    for kept in (drive.KEPT, 2):
        monkeypatch.setattr(drive, 'KEPT', kept)
        assert replay(
            folder, untrained, str(folder / 'bag'), '--offline', '--goal-s', '4', '--json',
            str(folder / 'far.json'), '--work', str(folder / f'far{kept}')) == 0
        plans.append(json.loads((folder / 'far.json').read_text())['runs'][0]['rows']['plan'])
    assert plans[0] == plans[1] and len(plans[0]) > 10


def test_ranks_and_calibration_are_shares_of_what_there_is(numbers) -> None:
    for quality in numbers['qualities']:
        assert 0 <= quality['rank']['mean']['value'] <= 1 and quality['rank']['count'] == 40
        calibration = quality['calibration']
        assert 0 <= calibration['fell']['low'] <= calibration['fell']['high'] <= 1
        assert list(calibration['real']) == sorted(calibration['real'])


def test_a_perfect_model_would_be_called_perfect(folder: Path, numbers, recorded) -> None:
    from sparse_imagination_ros.replay.imagination import Imagined
    from sparse_imagination_ros.replay.quality import judge

    near = np.tile(np.linspace(1, 0, STEPS + 1), (20, 2, 1))
    error, one = np.zeros((20, STEPS)), np.ones((20, STEPS))
    perfect = Imagined(4, error, one, one, error[:4], one[:4], near, np.zeros(3), np.arange(3))
    quality = judge(perfect, np.arange(20), STEP_S, 0)
    assert [h.skill.value for h in quality.horizons] == [1.0] * STEPS
    assert quality.calibration.fell.value == 1.0
    assert quality.calibration.correlation == pytest.approx(1.0)
    assert quality.rank.best_tenth == 1.0


def test_the_rank_is_the_share_of_cheaper_candidates(folder: Path, untrained: Path) -> None:
    from sparse_imagination_ros.planning.planner import PlannerConfig
    from sparse_imagination_ros.planning.proposals import Bounds, Proposals, Spread
    from sparse_imagination_ros.replay.imagination import draw_subsets, rank_of
    from sparse_imagination_ros.replay.segments import find_segments
    from sparse_imagination_ros.replay.settings import ReplayConfig
    from sparse_imagination_ros.replay.tape import make_tape

    bundle, planning = Bundle.load(untrained), PlannerConfig(candidates=16, steps=STEPS)
    tape = make_tape(folder / 'bag', bundle, ReplayConfig(), folder / 'tape')
    segments = find_segments(tape, bundle.manifest, STEPS, 100, 0.5)
    subset = draw_subsets(len(segments), GRID**2, 6, planning)[7]
    found = rank_of(tape, segments, 7, subset, bundle, planning)
    actions, limits = segments.actions[7], bundle.manifest.actions
    high = np.float32(limits.high)
    bounds = Bounds(
        np.float32(limits.low) / high, high / high,
        np.float32(limits.acceleration) * np.float32(bundle.manifest.step_s) / high, actions[1])
    draw = Proposals((16, STEPS, 2), Spread(planning.knots, planning.bold_share), bounds,
                     np.random.default_rng(7))
    still = np.zeros((STEPS, 2), np.float32)
    drawn = draw(still, planning.sigma, still[None][:0])
    tokens = torch.from_numpy(np.array(tape.tokens[segments.pictures[7]]))
    costs = bundle.costs(
        Context(tokens[:3], torch.from_numpy(actions[:2])), tokens[-1],
        torch.from_numpy(np.concatenate([actions[None, 2:], drawn])), torch.from_numpy(subset))
    assert found == pytest.approx(float((costs[1:] < costs[0]).float().mean()))


@pytest.mark.parametrize(('angle', 'stretch'), [(0.0, 1.0), (pi / 2, 1.0), (pi, 0.5)])
def test_agreement_knows_direction_and_magnitude(angle: float, stretch: float) -> None:
    from sparse_imagination_ros.replay.agreement import compare

    recorded = np.array([[0.6, 0.0], [0.6, 0.0]], np.float32)
    turned = stretch * 0.6 * np.array([[cos(angle), np.sin(angle)]] * 3, np.float32)
    likeness = compare(turned.astype(np.float32), recorded)
    assert likeness.direction == pytest.approx(cos(angle), abs=1e-6)
    assert likeness.magnitude == pytest.approx(0.6 * (stretch - 1), abs=1e-6)
    assert likeness.sequence_still == pytest.approx(0.6 / np.sqrt(2))


def test_a_command_that_hardly_moves_has_no_direction() -> None:
    from sparse_imagination_ros.replay.agreement import compare

    still = np.zeros((1, 2), np.float32)
    assert np.isnan(compare(still, np.ones((1, 2), np.float32)).direction)


def test_a_file_without_parameters_is_refused(folder: Path, untrained: Path) -> None:
    (folder / 'empty.yaml').write_text('tokens: 3\n')
    words = Namespace(params_file=folder / 'empty.yaml')
    with pytest.raises(ConfigError, match=r'start from config/planner.yaml'):
        _plannings(words)
