# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one-page HTML report of a demonstration run; how it looks stands in templates/."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from sparse_imagination_ros.evaluation.drawings import drive_map, histogram, picture, token_overlay
from sparse_imagination_ros.evaluation.estimates import percentiles, wilson
from sparse_imagination_ros.evaluation.run import DemoRun, EpisodeRecord, Snapshot

# Pictures along the way that stand under each map.
FRAMES = 3


def write_report(run: DemoRun, path: Path) -> None:
    """Write the page; it is complete in itself and asks nothing of any network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(run), encoding='utf-8')


def _page(run: DemoRun) -> str:
    return template('report.html').substitute(
        headline=f'{run.successes} of {len(run.episodes)} goals reached',
        eyebrow=escape(f'Demo over ROS 2, {run.started_at}'),
        lead=_lead(run),
        interval=_interval(run),
        hero=_hero(run),
        facts=_facts(run),
        latency_note=_latency_note(run),
        histogram=histogram(run.cycle_ms, run.budget_ms),
        drives_note=_drives_note(run),
        drives='\n'.join(_drive(run, episode) for episode in run.episodes),
        episode_rows='\n'.join(_episode_row(run, episode) for episode in run.episodes),
        topic_rows=_topic_rows(run),
        settings=_list(_settings(run)),
        versions=_list(run.versions))


def _lead(run: DemoRun) -> str:
    if not run.cycles:
        return 'No plan was made in this run.'
    return escape(
        f'A simulated {run.robot} base, seen by a ceiling camera, was planned from pixels with '
        f'{_tokens(run)} image tokens, {run.cycle_rate_hz:.1f} times a second.')


def _interval(run: DemoRun) -> str:
    if not run.episodes:
        return ''
    share = run.successes / len(run.episodes)
    bounds = wilson(run.successes, len(run.episodes))
    low, high = 100 * bounds.low, 100 * bounds.high
    return (
        '<div class="interval"><div class="track">'
        f'<div class="band" style="left:{low:.1f}%;width:{high - low:.1f}%"></div>'
        f'<div class="mark" style="left:{100 * share:.1f}%"></div></div>'
        f'<div class="ends"><span>success {100 * share:.0f} %</span>'
        f'<span>{low:.0f} to {high:.0f} % with 95 % confidence</span></div></div>')


def _hero(run: DemoRun) -> str:
    driven = [e for e in run.episodes if e.snapshots]
    if not driven:
        return ''
    # A drive that arrived shows the method better than one that did not.
    chosen = next((e for e in driven if e.success), driven[0])
    return (
        f'<figure>{token_overlay(_middle(chosen))}<figcaption>What the planner imagines: bright '
        'patches were rolled forward, dimmed ones were left out. The choice is drawn anew '
        'for every plan.</figcaption></figure>')


def _facts(run: DemoRun) -> str:
    times = percentiles(run.cycle_ms.tolist())
    budget = f'<small>of {run.budget_ms:g} ms</small>'
    late = 'bad' if run.deadline_misses else ''
    outside = 'bad' if run.commands_outside_limits else ''
    return '\n'.join((
        fact('Plans a second', f'{run.cycle_rate_hz:.1f} <small>Hz</small>'),
        fact('Commands a second', f'{run.command_rate_hz:.1f} <small>Hz</small>'),
        fact('Tokens imagined', _small_units(_tokens(run))),
        fact('Missed deadlines', f'{run.deadline_misses} <small>of {len(run.cycles)}</small>',
             late),
        fact('Plan, median', f'{times.p50:.1f} {budget}'),
        fact('95 % within', f'{times.p95:.1f} {budget}'),
        fact('99 % within', f'{times.p99:.1f} {budget}'),
        fact('Slowest plan', f'{times.slowest:.1f} {budget}'),
        fact('Commands outside limits',
             f'{run.commands_outside_limits} <small>of {run.commands}</small>', outside),
        fact('Encodings per plan', _encodes(run)),
        fact('Processes', f'{len(run.processes)}'),
        fact('Middleware', escape(run.rmw_implementation), 'word')))


def fact(name: str, value: str, kind: str = '') -> str:
    """Return one of the large numbers of a page."""
    return f'<div><dt>{name}</dt><dd class="{kind}">{value}</dd></div>'


def _small_units(text: str) -> str:
    used, _, total = text.partition(' of ')
    return f'{used} <small>of {total}</small>' if total else used


def _tokens(run: DemoRun) -> str:
    used = _range(cycle.tokens for cycle in run.cycles)
    grids = {s.grid for e in run.episodes for s in e.snapshots}
    return f'{used} of {max(grids) ** 2}' if grids else used


def _encodes(run: DemoRun) -> str:
    if not run.cycles:
        return '0'
    return f'{np.mean([cycle.encodes for cycle in run.cycles]):g}'


def _latency_note(run: DemoRun) -> str:
    times = run.cycle_ms
    if not len(times):
        return ''
    encode = np.median([cycle.encode_ms for cycle in run.cycles])
    imagine = np.median([cycle.imagine_ms for cycle in run.cycles])
    kept = len(times) - run.deadline_misses
    return (
        f'{kept} of {len(times)} plans were ready within {run.budget_ms:g}&nbsp;ms. '
        f'In the median, {encode:.1f}&nbsp;ms went into encoding and '
        f'{imagine:.1f}&nbsp;ms into imagining.')


def _drives_note(run: DemoRun) -> str:
    legend = ('Beside each map: the goal picture and the tokens of one plan; below, the camera '
              'along the way.')
    unseen = 'Doors, starts and goals were not seen in training. '
    return unseen + legend if run.split == 'held_out' else legend


def _drive(run: DemoRun, episode: EpisodeRecord) -> str:
    times = _times(run, episode)
    tiles = []
    if episode.goal_picture is not None:
        tiles.append(_tile(picture(episode.goal_picture, 'Goal picture'), 'goal'))
    if episode.snapshots:
        middle = _middle(episode)
        tiles.append(_tile(
            token_overlay(middle), f'{len(middle.subset)} of {middle.grid ** 2} tokens'))
    for snapshot in _along_the_way(episode):
        tiles.append(_tile(
            picture(snapshot.rgb, f'Camera at {snapshot.time_s:.1f} s'),
            f'{snapshot.time_s:.1f} s'))
    return template('drive.html').substitute(
        tone='good' if episode.success else 'bad',
        result=f'{_verdict(episode)} {episode.seconds:.1f} s', number=episode.number + 1,
        map=drive_map(episode), pictures='\n'.join(tiles),
        way=f'seed {episode.seed}, {_length_m(episode):.2f}&nbsp;m driven',
        plans=f'{len(times)} plans, median {percentiles(times).p50:.0f}&nbsp;ms')


def _tile(content: str, caption: str) -> str:
    return f'<figure>{content}<figcaption>{caption}</figcaption></figure>'


def _verdict(episode: EpisodeRecord) -> str:
    return 'Reached in' if episode.success else 'Not reached in'


def _middle(episode: EpisodeRecord) -> Snapshot:
    return episode.snapshots[len(episode.snapshots) // 2]


def _along_the_way(episode: EpisodeRecord) -> list[Snapshot]:
    count = len(episode.snapshots)
    chosen = np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int)
    return [episode.snapshots[i] for i in chosen]


def _episode_row(run: DemoRun, episode: EpisodeRecord) -> str:
    times = _times(run, episode)
    taken = percentiles(times)
    misses = sum(c.deadline_missed for c in run.cycles if c.episode == episode.number)
    goal = ('<td class="word good">reached</td>' if episode.success
            else '<td class="word bad">not reached</td>')
    return (
        f'<tr><td>{episode.number + 1}</td><td class="extra">{episode.seed}</td>{goal}'
        f'<td>{episode.seconds:.1f}</td><td>{_length_m(episode):.2f}</td>'
        f'<td class="extra">{len(times)}</td><td class="extra">{taken.p50:.1f}</td>'
        f'<td class="extra">{taken.slowest:.1f}</td><td class="extra">{misses}</td></tr>')


def _times(run: DemoRun, episode: EpisodeRecord) -> list[float]:
    return [cycle.total_ms for cycle in run.cycles if cycle.episode == episode.number]


def _length_m(episode: EpisodeRecord) -> float:
    return float(np.hypot(*np.diff(episode.path, axis=0).T).sum()) if len(episode.path) else 0.0


def _topic_rows(run: DemoRun) -> str:
    return '\n'.join(
        f'<tr><td class="name">{escape(topic.name)}</td>'
        f'<td class="word extra">{escape(topic.message_type)}</td><td>{topic.recorded}</td>'
        f'<td>{"" if topic.published is None else topic.published}</td></tr>'
        for topic in run.topics)


def _settings(run: DemoRun) -> Iterable[tuple[str, str]]:
    yield 'Robot', f'{run.robot} ({", ".join(run.action_names)})'
    yield 'Bundle', run.bundle
    yield 'Seed', f'{run.seed}, layouts {run.split.replace("_", " ")}'
    yield 'Time limit', f'{run.time_limit_s:g} s an episode'
    yield 'Budget', f'{run.budget_ms:g} ms a plan'
    yield 'Candidates', _range(cycle.candidates for cycle in run.cycles)
    yield 'Iterations', _range(cycle.iterations for cycle in run.cycles)
    yield 'Tokens', _tokens(run)
    yield 'Middleware', run.rmw_implementation
    yield 'Processes', ', '.join(run.processes)


def _range(values: Iterable[int]) -> str:
    seen = sorted(set(values))
    if len(seen) > 1:
        return f'{seen[0]} to {seen[-1]}'
    return f'{seen[0]}' if seen else 'none'


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    return '\n'.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in pairs)


def stylesheet() -> str:
    """Return how all pages look."""
    return template('report.html').template.partition('<style>')[2].partition('</style>')[0]


def template(name: str) -> Template:
    """Return one of the templates."""
    text = files(__package__).joinpath('templates', name).read_text(encoding='utf-8')
    return Template(text)
