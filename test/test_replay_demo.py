# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A bag that the demo recorded, with drift, noise and latency, replays; its numbers are found anew.

What is worked out here knows nothing of the package but the model: the bag is read by another
reader, and what counts is written down as plainly as the docs say it.
"""

from dataclasses import dataclass
from itertools import pairwise
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import numpy as np
import pytest
from test_replay import replay
import torch

from sparse_imagination_ros.world_models.bundle import Bundle

pytestmark = pytest.mark.ros

HARD = """
/**:
  ros__parameters:
    base_drift: 0.3
    camera_noise: 4.0
    camera_latency_s: 0.08
"""
STEP_S, GOAL_S, HOLD_S, STEPS, WINDOW, PLACES = 0.2, 1.2, 0.5, 4, 3, 16
TOPICS = ('--image-topic', '/image', '--scene-topic', '/goal_image')


def stamp_of(message: Any) -> float:
    return float(message.header.stamp.sec + message.header.stamp.nanosec / 1e9)


@dataclass(frozen=True)
class Drive:
    """What the bag holds; times in seconds, those of pictures by their stamps."""

    pictures: list[np.ndarray]
    times: np.ndarray
    arrived: np.ndarray
    scenes: list[float]
    commanded: np.ndarray
    commands: np.ndarray
    moved: list[tuple[float, np.ndarray, np.ndarray]]

    def command(self, start_s: float, end_s: float) -> np.ndarray:
        """Return the mean of what was commanded; a command holds for half a second at most."""
        ends = np.concatenate([self.commanded, self.commanded + HOLD_S])
        edges = [start_s, *sorted(ends[(ends > start_s) & (ends < end_s)]), end_s]
        total = np.zeros(2)
        for a, b in pairwise(edges):
            last = np.searchsorted(self.commanded, (a + b) / 2, 'right') - 1
            if last >= 0 and (a + b) / 2 - self.commanded[last] < HOLD_S:
                total += (b - a) * self.commands[last]
        return total / (end_s - start_s)

    def scene(self, picture: int) -> int:
        return sum(begun <= self.times[picture] for begun in self.scenes)

    def stretches(self) -> list[list[int]]:
        """Cut where pictures are missing, or a scene begins."""
        found = [[0]]
        for i in range(1, len(self.times)):
            missing = self.times[i] - self.times[i - 1] > 1.25 * STEP_S
            if missing or self.scene(i) != self.scene(i - 1):
                found.append([])
            found[-1].append(i)
        return found

    def episodes(self) -> list[list[int]]:
        """Pick pictures a step apart: a grid from each of the first pictures, the nearest ones."""
        found = []
        for stretch in self.stretches():
            at = self.times[stretch]
            period_s = float(np.median(np.diff(at))) if len(at) > 1 else STEP_S
            for start in at[:max(1, round(STEP_S / period_s))]:
                episode: list[int] = []
                for wanted in np.arange(start, at[-1] + period_s / 2, STEP_S):
                    nearest = int(np.abs(at - wanted).argmin())
                    if abs(at[nearest] - wanted) <= STEP_S / 4:
                        episode.append(stretch[nearest])
                    else:
                        found.append(episode)
                        episode = []
                found.append(episode)
        return found

    def plans(self) -> list[tuple[int, int]]:
        """Pair pictures with goals: the one ahead of each leg, which lasts half as long."""
        pairs = []
        for stretch in self.stretches():
            at = self.times[stretch]
            for start in np.arange(at[0], at[-1] - GOAL_S + 1e-6, GOAL_S / 2):
                goal = stretch[int(np.abs(at - start - GOAL_S).argmin())]
                pairs += [(i, goal) for i in stretch
                          if start - 1e-9 <= self.times[i] < start + GOAL_S / 2 - 1e-9]
        return pairs


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory, untrained: Path) -> Path:
    """Let the demo record a bag, with all that is hard."""
    folder = tmp_path_factory.mktemp('demo')
    (folder / 'hard.yaml').write_text(HARD)
    process = subprocess.run(
        [sys.executable, '-m', 'sparse_imagination_ros.cli.main', 'demo', '--bundle',
         str(untrained), '--out', str(folder / 'out'), '--episodes', '2', '--time-limit', '4',
         '--sim-file', str(folder / 'hard.yaml')], capture_output=True, text=True, timeout=240,
        check=False)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture(scope='module')
def drive(folder: Path) -> Drive:
    said: dict[str, list[tuple[float, Any]]] = {}
    with (folder / 'out/bag/bag.mcap').open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for _, channel, stored, message in reader.iter_decoded_messages(
                topics=['/image', '/goal_image', '/cmd_vel', '/odom']):
            said.setdefault(channel.topic, []).append((stored.log_time / 1e9, message))
    return Drive(
        [np.frombuffer(bytes(m.data), np.uint8).reshape(m.height, m.width, 3)
         for _, m in said['/image']],
        np.array([stamp_of(m) for _, m in said['/image']]),
        np.array([t for t, _ in said['/image']]),
        [stamp_of(m) for _, m in said['/goal_image']],
        np.array([t for t, _ in said['/cmd_vel']]),
        np.array([(m.linear.x, m.linear.y) for _, m in said['/cmd_vel']]),
        [(stamp_of(m), np.array([m.pose.pose.position.x, m.pose.pose.position.y]),
          np.array([m.twist.twist.linear.x, m.twist.twist.linear.y])) for _, m in said['/odom']])


def replayed(folder: Path, untrained: Path, *words: str) -> dict[str, Any]:
    path = folder / 'f.json'
    assert replay(folder, untrained, str(folder / 'out/bag'), *TOPICS, '--tokens', str(PLACES),
                  '--json', str(path), *words) == 0
    return dict(json.loads(path.read_text()))


@pytest.fixture(scope='module')
def numbers(folder: Path, untrained: Path) -> dict[str, Any]:
    return replayed(folder, untrained, '--offline')


def test_drift_noise_and_latency_are_in_the_bag(drive: Drive) -> None:
    assert min(drive.arrived - drive.times) > 0.07
    assert len(np.unique(drive.pictures[0].reshape(-1, 3), axis=0)) > 1000
    off, way = 0.0, 0.0
    for (t, place, speed), (later_s, later, _) in pairwise(drive.moved):
        if speed.any() and later_s - t < 0.2 and np.hypot(*(later - place)) < 0.3:
            off += np.abs(later - place - speed * (later_s - t)).sum()
            way += np.abs(speed * (later_s - t)).sum()
    assert way > 0.2 and off > 0.02 * way


def test_what_was_found_is_what_the_bag_holds(numbers: dict[str, Any], drive: Drive) -> None:
    found, = numbers['bags']
    stretches = drive.stretches()
    assert (found['pictures'], found['commands'], found['scenes']) == (
        len(drive.pictures), len(drive.commands), len(drive.scenes))
    assert (found['unreadable'], found['unfit'], found['jumps'], found['beyond_limits']) == (
        0, 0, 0, 0)
    assert found['gaps'] == sum(np.diff(np.sort(drive.times)) > 1.25 * STEP_S)
    assert found['seconds'] == pytest.approx(
        sum(np.ptp(drive.times[stretch]) for stretch in stretches), abs=1e-5)


def test_the_errors_of_the_imagination_are_those_of_a_plain_rollout(
    numbers: dict[str, Any], drive: Drive, untrained: Path,
) -> None:
    bundle = Bundle.load(untrained)
    predictor = bundle.predictor
    tokens = torch.cat([bundle.encode(picture[None]) for picture in drive.pictures])
    errors: list[list[float]] = [[] for _ in range(STEPS)]
    still: list[list[float]] = [[] for _ in range(STEPS)]
    for episode in drive.episodes():
        for start in range(WINDOW - 1, len(episode) - 1):
            cache, now = predictor.empty_cache(), None
            for k in range(start - WINDOW + 1, min(start + STEPS, len(episode) - 1)):
                here, there = episode[k], episode[k + 1]
                action = torch.from_numpy(drive.command(drive.times[here], drive.times[there]))
                with torch.inference_mode():
                    now, cache = predictor.extend(
                        tokens[here][None] if k <= start else now, action[None].float(), cache)
                if k >= start:
                    errors[k - start].append(float((now[0] - tokens[there]).square().mean()))
                    still[k - start].append(
                        float((tokens[episode[start]] - tokens[there]).square().mean()))
    quality, = numbers['qualities']
    assert [h['beginnings'] for h in quality['horizons']] == [len(e) for e in errors]
    assert len(errors[0]) > 20
    for horizon, error, unmoved in zip(quality['horizons'], errors, still, strict=True):
        assert horizon['model']['value'] == pytest.approx(np.mean(error), rel=1e-3)
        assert horizon['still']['value'] == pytest.approx(np.mean(unmoved), rel=1e-3)


def test_plans_are_held_against_what_was_commanded(
    numbers: dict[str, Any], drive: Drive,
) -> None:
    run, = numbers['runs']
    rows, found = run['rows'], run['summary']
    assert list(zip(rows['picture'], rows['goal'], strict=True)) == drive.plans()
    directions, magnitudes, sequences, standing = [], [], [], []
    for i, (picture, goal) in enumerate(drive.plans()):
        at = drive.times[picture]
        assert rows['time_s'][i] == pytest.approx(at - drive.times[0], abs=1e-5)
        plan = np.array(rows['plan'][i])
        steps = max(1, int((drive.times[goal] - at) / STEP_S + 1e-6))
        truth = np.array([drive.command(at + k * STEP_S, at + (k + 1) * STEP_S)
                          for k in range(min(steps, len(plan)))])
        assert rows['recorded'][i] == pytest.approx(truth[0], abs=1e-4)
        sizes = np.linalg.norm(plan[0]), np.linalg.norm(truth[0])
        if min(sizes) >= 0.05:
            directions.append(plan[0] @ truth[0] / sizes[0] / sizes[1])
        magnitudes.append(sizes[0] - sizes[1])
        sequences.append(np.sqrt(np.square(plan[:len(truth)] - truth).mean()))
        standing.append(np.sqrt(np.square(truth).mean()))
    assert found['compared_directions'] == len(directions)
    for name, values in (('direction', directions), ('magnitude', magnitudes),
                         ('sequence', sequences), ('sequence_still', standing)):
        assert found[name]['value'] == pytest.approx(np.mean(values), abs=1e-3), name
        assert found[name]['low'] <= found[name]['value'] <= found[name]['high']


def test_against_the_clock_times_add_up(
    folder: Path, untrained: Path, drive: Drive,
) -> None:
    run, = replayed(folder, untrained, '--budget-ms', '60', '--work',
                    str(folder / 'clocked'))['runs']
    rows, found = run['rows'], run['summary']
    total, age = np.array(rows['total_ms']), np.array(rows['age_ms'])
    began, time_s = np.array(rows['began_s']), np.array(rows['time_s'])
    assert age == pytest.approx(1000 * (began - time_s) + total, abs=1e-2)
    arrivals = drive.arrived - drive.times[0]
    assert (began >= arrivals[rows['picture']] - 1e-5).all()
    same_scene = [drive.scene(a) == drive.scene(b) for a, b in pairwise(rows['picture'])]
    ready = began + total / 1000
    assert (began[1:] >= ready[:-1] - 1e-5)[same_scene].all()
    assert found['late'] == int((total > 60).sum())
    planned = set(rows['picture'])
    for (before, picture), dropped in zip(
            pairwise(rows['picture']), rows['dropped'][1:], strict=True):
        between = [i for i, _ in drive.plans() if before < i < picture]
        if drive.scene(before) == drive.scene(picture):
            assert dropped == len(between) and not planned & set(between)
    assert found['dropped'] == sum(rows['dropped'])
    for stage, values in (('total', total), ('age', age)):
        ordered = sorted(values)
        for name, share in (('p50', 0.5), ('p95', 0.95), ('p99', 0.99)):
            wanted = ordered[int(np.ceil(share * len(ordered))) - 1]
            assert found['ms'][stage][name] == pytest.approx(wanted)
