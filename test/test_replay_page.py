# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a replay, in a headless Chromium: nothing is wrong, and all moves together."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import re

from browser import browser, CHROMIUM, Tab
import numpy as np
import pytest

from sparse_imagination_ros.evaluation.estimates import Estimate
from sparse_imagination_ros.replay.gallery import Shown
from sparse_imagination_ros.replay.page import write_page
from sparse_imagination_ros.replay.quality import Calibration, Horizon, Quality, Rank
from sparse_imagination_ros.replay.results import Replay, Row, Run
from sparse_imagination_ros.replay.tape import Findings

GRID, BUDGET_MS = 4, 50.0
# The smallest JPEG: one grey pixel.
PIXEL = (
    '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////'
    '////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=')


def row(i: int) -> Row:
    return Row(
        picture=i, goal=i + 5, time_s=0.1 * i, recorded_s=0.1 * i, began_s=0.1 * i,
        decode_ms=1.0, encode_ms=5.0,
        imagine_ms=20.0 + i % 7, total_ms=25.0 + i % 7 + 40 * (i % 50 == 0), age_ms=60.0,
        dropped=0, tokens=6, candidates=16, iterations=1, imagined=16,
        reason='all that is allowed fits', not_finite=0, cost=0.1,
        planned=(float(np.sin(i / 9)), 0.5), recorded=(float(np.cos(i / 9)), 0.4),
        direction=None if i % 10 == 3 else 0.9, magnitude=0.1, sequence=0.3, sequence_still=0.5,
        subset=(0, 3, 5, 6, 9, 15), plan=((0.1, 0.2),))


def replay_of(cycles: int, partial: str = '') -> Replay:
    one = Estimate(0.5, 0.4, 0.6)
    horizons = tuple(
        Horizon(n, 0.2 * n, 90, Estimate(0.01 * n, 0.008 * n, 0.012 * n), one, one,
                Estimate(0.4, 0.3, 0.5)) for n in (1, 2, 3))
    places = ((None, *[0.1] * (GRID**2 - 1)),) * 3
    quality = Quality(6, 90, 12, horizons, places, places, Calibration(
        80, one, 0.7, (-0.1, 0.0, 0.1), (-0.08, 0.0, 0.05)), Rank(40, one, 0.2))
    return Replay(
        'models/mine', 'rover', ('linear.x', 'angular.z'), GRID, 0.2, '2026-11-22', partial,
        {'planner': {'seed': 7}, 'replay': {'goal_s': 3.0, 'rate': 1.0}, 'offline': False,
         'engines': ['reference']}, {'torch': '2.13'},
        (Findings('bags/one', 12.0, cycles, 1, 2, 3, 4, 5, 0, 99, 6, ('it is <b>cut</b>',)),),
        ('bags/two is no bag',), (quality,),
        tuple(Run('bags/one', tokens, 'reference', BUDGET_MS, True, 0, 0,
                  tuple(map(row, range(cycles)))) for tokens in (6, 3)))


def pictures(count: int, every: int) -> list[Shown]:
    wrong = 'AP8AAAAAAAAAAAAAAAAA'
    return [Shown(i, 0.1 * i, PIXEL, PIXEL, PIXEL, wrong) for i in range(0, count, every)]


@pytest.fixture(scope='module')
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip('there is no Chromium')
    with browser(tmp_path_factory.mktemp('browser')) as tab:
        yield tab


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / 'page.html'
    write_page(replay_of(120), [pictures(120, 4)], 0.6, False, path)
    return path


def cursors(tab: Tab) -> list[float]:
    return [float(x) for x in tab.run(
        '[...document.querySelectorAll(".track canvas")].map(c => c.dataset.at)')]


def test_the_slider_moves_the_frame_and_all_plots_together(tab: Tab, page: Path) -> None:
    tab.load(page)
    seen = []
    for cycle in (10, 57, 119):
        tab.run(f'{{const s = document.getElementById("scrub"); s.value = {cycle};'
                ' s.dispatchEvent(new Event("input"))}')
        places = cursors(tab)
        width = tab.run('document.querySelector(".track canvas").clientWidth')
        assert places == pytest.approx([width * cycle / 119] * len(places), abs=1)
        assert int(tab.run('document.getElementById("frame").dataset.picture')) == cycle // 4 * 4
        assert f'cycle {cycle + 1} of 120' in tab.run('document.getElementById("now").textContent')
        seen.append(tab.run('document.getElementById("commands").toDataURL()'))
    assert len(set(seen)) == 3
    assert not tab.problems


def test_a_plot_moves_the_slider(tab: Tab, page: Path) -> None:
    tab.load(page)
    x, y, width = tab.run(
        '{const c = document.querySelectorAll(".track canvas")[1]; c.scrollIntoView();'
        ' const b = c.getBoundingClientRect(); [b.left, b.top + 20, b.width]}')
    tab.move(x + width / 2, y)
    assert tab.run('[...document.querySelectorAll(".tip")].some(t => !t.hidden)')
    tab.drag(x + width / 2, y)
    assert abs(tab.run('Number(document.getElementById("scrub").value)') - 59.5) < 2
    assert not tab.problems


def test_zooming_keeps_the_moment_and_shows_less_around_it(tab: Tab, page: Path) -> None:
    tab.load(page)
    tab.run('go(60); zoom(run().time[60], 0.25)')
    assert tab.run('state.to - state.from') == pytest.approx(11.9 / 4)
    width = tab.run('document.querySelector(".track canvas").clientWidth')
    assert cursors(tab)[0] == pytest.approx(width * 6.0 / 11.9, abs=1)


def test_the_buttons_zoom_and_what_is_looked_at_stays_in_sight(tab: Tab, page: Path) -> None:
    tab.load(page)
    tab.run('go(20)')
    for _ in range(2):
        tab.run('document.getElementById("nearer").click()')
    assert tab.run('state.to - state.from') == pytest.approx(11.9 / 4)
    width = tab.run('document.querySelector(".track canvas").clientWidth')
    for cycle in (20, 60, 119, 0):
        tab.run(f'go({cycle})')
        assert all(0 <= place <= width for place in cursors(tab))
        assert tab.run('state.to - state.from') == pytest.approx(11.9 / 4)
    for _ in range(3):
        tab.run('document.getElementById("farther").click()')
    assert tab.run('[state.from, state.to]') == pytest.approx([0, 11.9])
    assert not tab.problems


def test_another_run_can_be_chosen(tab: Tab, page: Path) -> None:
    tab.load(page)
    tab.run('{const s = document.getElementById("run"); s.value = 1;'
            ' s.dispatchEvent(new Event("change"))}')
    assert tab.run('state.run') == 1 and not tab.problems


@pytest.mark.parametrize('width', [320, 768, 1280, 1920])
@pytest.mark.parametrize('dark', [False, True])
def test_nothing_sticks_out_at_any_width(tab: Tab, page: Path, width: int, dark: bool) -> None:
    tab.load(page)
    tab.resize(width, 900, dark)
    assert tab.run('document.documentElement.scrollWidth') <= width
    assert not tab.problems


def test_ten_thousand_cycles_are_drawn_with_no_more_strokes_than_there_are_pixels(
    tab: Tab, tmp_path: Path,
) -> None:
    path = tmp_path / 'long.html'
    write_page(replay_of(10_000), [pictures(10_000, 28)], 0.6, False, path)
    assert path.stat().st_size < 4e6
    tab.load(path)
    width = tab.run('document.querySelector(".track canvas").clientWidth')
    strokes = tab.run(
        '{let n = 0; const pen = CanvasRenderingContext2D.prototype, old = pen.lineTo;'
        ' pen.lineTo = function (...a) { n++; old.apply(this, a); }; go(7000); n}')
    # Four plots with two lines at most.
    assert 0 < strokes < 8 * width + 100
    nodes = tab.run('document.getElementsByTagName("*").length')
    assert nodes < 1000 and not tab.problems


def test_the_page_asks_nothing_of_any_network(page: Path) -> None:
    text = re.sub(r'"[A-Za-z0-9+/=]{60,}"', '""', page.read_text())
    assert not re.search(r'(src|href)="(?!data:|")|url\(|@import', text)
    assert "default-src 'none'" in text


def test_faults_are_told_and_escaped(page: Path) -> None:
    text = page.read_text()
    assert 'it is &lt;b&gt;cut&lt;/b&gt;' in text and 'left out: bags/two is no bag' in text
    for number in ('of 120', '90 beginnings', '12 independent', '+0.40', 'seed</dt><dd>7'):
        assert number in text, number


def test_without_a_clock_nothing_is_said_of_time(tab: Tab, tmp_path: Path) -> None:
    found = replay_of(60)
    offline = replace(found, settings={**found.settings, 'offline': True},
                      runs=tuple(replace(run, clock=False) for run in found.runs))
    path = tmp_path / 'offline.html'
    write_page(offline, [pictures(60, 4)], 0.6, False, path)
    text = path.read_text()
    assert 'Replayed without a clock' in text
    assert '>Late<' not in text and '>Plan, median<' not in text
    tab.load(path)
    assert 'Time of a plan' not in tab.run('document.getElementById("tracks").textContent')
    assert not tab.problems


def test_the_tokens_that_were_chosen_are_told(tab: Tab, tmp_path: Path) -> None:
    found = replay_of(60)
    rows = tuple(replace(row, tokens=3 if i % 4 == 0 else 6)
                 for i, row in enumerate(found.runs[0].rows))
    path = tmp_path / 'adaptive.html'
    write_page(replace(found, runs=(replace(found.runs[0], rows=rows),)), [pictures(60, 4)], 0.6,
               False, path)
    assert '6 <small>75%</small>, 3 <small>25%</small>' in path.read_text()


def test_a_partial_report_says_so(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / 'partial.html'
    empty = replace(replay_of(0, 'planning with 6 tokens'), qualities=(), runs=())
    write_page(empty, [pictures(0, 1)], 0.6, False, path)
    text = path.read_text()
    assert 'Partial report.' in text and 'planning with 6 tokens' in text
    write_page(replay_of(0, 'planning with 6 tokens'), [[]], 0.6, False, path)
    tab.load(path)
    assert not tab.problems
