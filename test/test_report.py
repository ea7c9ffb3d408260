# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report is one well-formed page, complete in itself, that shows the numbers of the run."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
import re

from guide import GRID, Guide, limits_of
import numpy as np
import pytest

from sparse_imagination_ros.evaluation.closed_loop import drive_episode
from sparse_imagination_ros.evaluation.drawings import histogram
from sparse_imagination_ros.evaluation.report import write_report
from sparse_imagination_ros.evaluation.run import (
    CycleRecord,
    DemoRun,
    EpisodeRecord,
    Snapshot,
    TopicRecord,
)
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.sim.rooms import GOAL_RADIUS_M, Rooms
from sparse_imagination_ros.tokens.frames import Frame

VOID = {'br', 'img', 'link', 'meta'}
BUDGET_MS = 100.0


class Page(HTMLParser):
    """Reads a page: its words, its tags, its references, and whether all tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.references, self.tags = '', [], []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [v or '' for k, v in attrs if k in ('src', 'href', 'srcset', 'data')]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != 'style':
            self.words += data


def record(number: int, success: bool) -> EpisodeRecord:
    world = Rooms('omnidirectional')
    guide = Guide(world)
    drive = drive_episode(world, guide, limits_of(world), 9000 + number)
    shots = []
    for time_s in (0.0, 0.1, 0.2, 0.3):
        frame = Frame(time_s, world.picture())
        subset = guide.plan(frame, CommandHistory(2, 1.0)).subset
        shots.append(Snapshot(time_s, frame.rgb, subset, GRID))
    layout = world.layout
    return EpisodeRecord(
        number, drive.seed, success, drive.seconds, layout.start, layout.goal, layout.blocks,
        layout.size_m, GOAL_RADIUS_M, world.robot.radius_m, drive.path[:, :2],
        np.linspace(0, drive.seconds, len(drive.path)), np.zeros((0, 2)), np.zeros(0),
        world.picture_at(world.goal), tuple(shots))


@pytest.fixture(scope='module')
def run() -> DemoRun:
    episodes = (record(0, True), record(1, True), record(2, False))
    cycles = tuple(
        CycleRecord(i % 3, i / 30, ms, 4.25, ms - 4.25, 16, 64, 2, 1, 0.0, ms > BUDGET_MS)
        for i, ms in enumerate([50.0] * 94 + [81.5] * 4 + [97.25, 123.75]))
    return DemoRun(
        robot='omnidirectional', bundle='rooms', seed=9000, split='held_out', time_limit_s=30.0,
        budget_ms=BUDGET_MS, command_rate_hz=19.96, action_names=('linear.x', 'linear.y'),
        commands=777, commands_outside_limits=0, rmw_implementation='rmw_fastrtps_cpp',
        processes=('demo', 'planner_node', 'sim_node'),
        versions=(('torch', '2.13.0+cpu'), ('ROS 2', 'jazzy')), episodes=episodes, cycles=cycles,
        topics=(TopicRecord('/camera/image', 'sensor_msgs/msg/Image', 321, 322),),
        started_at='2026-11-21 12:00')


def page(run: DemoRun, folder: Path) -> tuple[Page, str]:
    path = folder / 'new' / 'report.html'
    write_report(run, path)
    text = path.read_text(encoding='utf-8')
    return Page(text), text


def test_the_page_shows_the_numbers_of_the_run(run: DemoRun, tmp_path: Path) -> None:
    words = page(run, tmp_path)[0].words
    for number in (
        '2 of 3 goals reached', '21 to 94 % with 95 % confidence', f'{run.cycle_rate_hz:.1f} Hz',
        '20.0 Hz', '16 of 64', '1 of 100', '50.0 of 100 ms', '81.5 of 100 ms', '97.2 of 100 ms',
        '123.8 of 100 ms', '0 of 777', 'rmw_fastrtps_cpp', '99 of 100 plans', '2.13.0+cpu',
        'linear.x, linear.y', '/camera/image', '321', '322', 'seed 9002', 'episode 3',
        'not reached',
    ):
        assert number in words, number


def test_the_page_asks_nothing_of_any_network(run: DemoRun, tmp_path: Path) -> None:
    parsed, text = page(run, tmp_path)
    assert not re.search(r'https?://|url\(|@import|//[a-z]', re.sub(r'base64,[^"]*', '', text))
    assert parsed.references
    assert all(reference.startswith('data:') for reference in parsed.references)
    assert 'script' not in parsed.tags


def test_each_episode_has_its_map_and_pictures(run: DemoRun, tmp_path: Path) -> None:
    parsed, text = page(run, tmp_path)
    assert parsed.tags.count('article') == 3
    assert text.count('<polyline class="path"') == 3
    # The goal and three frames each; the overlay is drawn once more on top of the page.
    assert parsed.tags.count('img') == 3 * 4
    assert text.count('class="dropped"') == 3 + 1


def test_names_are_escaped(run: DemoRun, tmp_path: Path) -> None:
    nasty = '<script>alert(1)</script> & "$x"'
    odd = replace(
        run, bundle=nasty, robot=nasty, rmw_implementation=nasty, started_at=nasty,
        processes=(nasty,), versions=((nasty, nasty),), action_names=(nasty,),
        topics=(TopicRecord(nasty, nasty, 1, None),), split=nasty)
    parsed, text = page(odd, tmp_path)
    assert '<script' not in text
    assert nasty in parsed.words


def test_a_run_that_broke_off_at_once_still_has_a_page(run: DemoRun, tmp_path: Path) -> None:
    parsed, _ = page(replace(run, episodes=(), cycles=(), topics=(), versions=()), tmp_path)
    assert '0 of 0 goals reached' in parsed.words
    assert 'No cycles were recorded' in parsed.words


def test_an_episode_without_pictures_and_odometry_still_has_a_map(
    run: DemoRun, tmp_path: Path,
) -> None:
    bare = replace(
        run.episodes[0], goal_picture=None, snapshots=(), path=np.zeros((0, 2)),
        times_s=np.zeros(0))
    parsed, text = page(replace(run, episodes=(bare,)), tmp_path)
    assert 'img' not in parsed.tags
    assert 'class="start"' in text


def test_only_what_is_over_the_budget_is_drawn_as_late() -> None:
    assert 'late' not in histogram(np.array([10.0, 99.9, 100.0]), 100.0)
    assert 'late' in histogram(np.array([10.0, 100.1]), 100.0)


def test_the_histogram_counts_every_cycle() -> None:
    times = np.array([5.0] * 300 + [60.0] * 7 + [5000.0])
    drawn = histogram(times, 100.0)
    assert sum(int(h) for h in re.findall(r'<rect [^>]*height="(\d+)"', drawn)) == len(times)
    assert 'up to 5000&nbsp;ms' in drawn
