# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one-page HTML report of a replay; how it looks and moves stands in evaluation/templates/."""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
import json
from pathlib import Path
from typing import Any

import numpy as np

from sparse_imagination_ros.evaluation.drawings import histogram
from sparse_imagination_ros.evaluation.estimates import Percentiles, percentiles
from sparse_imagination_ros.evaluation.page import fact, pairs, part, template
from sparse_imagination_ros.files import write_whole
from sparse_imagination_ros.replay.charts import (
    calibration_curve,
    error_map,
    errors_ahead,
    interval,
)
from sparse_imagination_ros.replay.comparison import compared, Difference, verdict
from sparse_imagination_ros.replay.gallery import Shown
from sparse_imagination_ros.replay.quality import Quality
from sparse_imagination_ros.replay.results import (
    bag_names,
    estimate,
    Replay,
    Run,
    run_names,
    summary,
)

# Lines in a plot are broken where nothing was planned for so long, seconds.
GAP_S = 2.0
# Columns of the table of times, and which of them are left out where there is little room.
TIMES = (
    ('Replay', 'word'), ('Tokens chosen', ''), ('Late', ''), ('Dropped', ''), ('Decode', 'extra'),
    ('Encode', 'extra'), ('Imagine', 'extra'), ('Plan', ''), ('p95', ''), ('p99', 'extra'),
    ('max', 'extra'), ('Age p95', ''))


def write_page(
    replay: Replay, pictures: Sequence[Sequence[Shown]], ahead_s: float, painted: bool,
    path: Path, against: Sequence[Difference] = (),
) -> None:
    """Write the page; pictures: of each bag. It asks nothing of any network."""
    write_whole(path, _page(replay, pictures, ahead_s, painted, against).encode())


def _page(
    replay: Replay, pictures: Sequence[Sequence[Shown]], ahead_s: float, painted: bool,
    against: Sequence[Difference],
) -> str:
    seed = int(replay.settings['planner']['seed'])
    summaries = [summary(run, seed) for run in replay.runs]
    clocked = next((run for run in replay.runs if run.clock and run.rows), None)
    first = replay.qualities[0] if replay.qualities else None
    return template('replay.html').substitute(
        style=part('style.css') + part('replay.css'), script=part('replay.js'),
        data=_data(replay, pictures), headline=escape(_headline(replay)),
        eyebrow=escape(f'Replay of {_names(replay)}, {replay.started_at}'),
        warning=_warning(replay), lead=_lead(replay, summaries), facts=_facts(replay, summaries),
        ahead=f'{ahead_s:g}&nbsp;s',
        painted='by the decoder' if painted else 'put together from patches of the bag',
        comparison=_comparison(replay, against),
        imagination_note=_imagination_note(replay),
        errors=errors_ahead(replay.qualities),
        calibration_note=_calibration_note(first),
        calibration=calibration_curve(first.calibration) if first else '',
        horizon_rows=_horizon_rows(replay.qualities), maps=_maps(replay),
        planning_note=_planning_note(replay), planning_rows=_planning_rows(replay, summaries),
        time_note=_time_note(replay),
        histogram=histogram(
            np.array([row.total_ms for row in clocked.rows]), clocked.budget_ms)
        if clocked else '', time_table=_time_table(replay, summaries), bag_rows=_bag_rows(replay),
        faults=_faults(replay), settings=pairs(_settings(replay)),
        versions=pairs(replay.versions.items()))


def _headline(replay: Replay) -> str:
    if not replay.qualities or not replay.qualities[0].horizons:
        return 'What the planner would have done'
    best = max(replay.qualities, key=lambda quality: quality.tokens)
    middle = best.horizons[(len(best.horizons) - 1) // 2]
    if middle.skill.low > 0:
        return (f'It imagines {middle.seconds:g} s ahead, {middle.skill.value:.0%} better than '
                'a guess')
    if middle.skill.high < 0:
        return f'{middle.seconds:g} s ahead it imagines worse than a guess'
    return f'{middle.seconds:g} s ahead it imagines no better than a guess'


def _lead(replay: Replay, summaries: Sequence[dict[str, Any]]) -> str:
    if not summaries:
        return 'Nothing was planned.'
    found = summaries[0]
    way = 'against the clock of the bag' if replay.runs[0].clock else 'without a clock'
    return escape(
        f'{Path(replay.bundle).name} planned {found["cycles"]} times {way} and drove nothing. '
        'Goals are pictures of the bag itself.')


def _facts(replay: Replay, summaries: Sequence[dict[str, Any]]) -> str:
    if not summaries:
        return fact('Plans', '0')
    run, found = replay.runs[0], summaries[0]
    facts = [
        fact('Plans', f'{found["cycles"]} <small>with {run.tokens} tokens</small>'),
        *(_timely(run, found) if run.clock else ()),
        fact('Direction, cosine',
             f'{found["direction"]["value"]:+.2f} <small>1: the same</small>'),
        fact('Sequence error', f'{found["sequence"]["value"]:.2f} <small>standing: '
                               f'{found["sequence_still"]["value"]:.2f}</small>')]
    quality = next((q for q in replay.qualities if q.tokens == run.tokens), None)
    if quality and quality.rank.count:
        facts.append(fact('Recorded command', f'{quality.rank.mean.value:.0%} '
                                              '<small>of candidates are better</small>'))
    if quality and quality.calibration.steps:
        facts.append(fact('Nearer, and seen so', f'{quality.calibration.fell.value:.0%}'))
    return '\n'.join(facts)


def _timely(run: Run, found: dict[str, Any]) -> tuple[str, ...]:
    return (
        fact('Late', f'{found["late"]} <small>of {found["cycles"]}</small>',
             'bad' if found['late'] else ''),
        fact('Plan, median',
             f'{found["ms"]["total"]["p50"]:.1f} <small>of {run.budget_ms:g} ms</small>'),
        fact('Pictures dropped',
             f'{found["dropped"]} <small>{found["dropped_share"]:.0%}</small>'))


def _warning(replay: Replay) -> str:
    if not replay.partial:
        return ''
    return ('<p class="warning"><b>Partial report.</b> The replay was stopped. There is no '
            f'{escape(replay.partial)}. The same command goes on from here.</p>')


def _comparison(replay: Replay, against: Sequence[Difference]) -> str:
    rows = compared(replay)
    parts = []
    if len(replay.runs) > 1:
        head = ''.join(f'<th>{escape(name)}</th>' for name in _run_names(replay))
        body = ''.join(
            f'<tr><td class="name">{escape(row.name)}</td>'
            + ''.join(_cell(value, row.best, row.form) for value in row.values) + '</tr>'
            for row in rows if any(value is not None for value in row.values))
        parts.append(
            '<section><h2>Side by side</h2><p class="note">Green: the best of a row.</p>'
            f'<div class="table"><table><thead><tr><th class="word"></th>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table></div></section>')
    if against:
        body = ''.join(
            f'<tr><td class="name">{escape(d.name)}</td><td>{d.before:.4g}</td>'
            f'<td class="{verdict(d)}">{d.now:.4g}</td><td>{d.worse:+.1%}</td></tr>'
            for d in against)
        parts.append(
            '<section><h2>Against an earlier replay</h2><p class="note">Red: worse by more than '
            'the margin.</p><div class="table"><table><thead><tr><th class="word"></th>'
            '<th>Before</th><th>Now</th><th>Worse by</th></tr></thead>'
            f'<tbody>{body}</tbody></table></div></section>')
    return '\n'.join(parts)


def _cell(value: float | None, best: float | None, form: str) -> str:
    if value is None:
        return '<td></td>'
    return f'<td class="{"better" if value == best else ""}">{value:{form}}</td>'


def _imagination_note(replay: Replay) -> str:
    if not replay.qualities:
        return 'Nothing was imagined: there are no commands, or no stretch is long enough.'
    quality = replay.qualities[0]
    return (f'From {quality.segments} beginnings in {quality.blocks} independent stretches the '
            'recorded commands were imagined, and compared with what was seen. Skill: 1 is '
            'perfect, 0 as good as the better guess.')


def _calibration_note(quality: Quality | None) -> str:
    if quality is None or not quality.calibration.steps:
        return ''
    fell = quality.calibration.fell
    return (f'When the robot really came nearer, it was imagined so in {fell.value:.0%} of '
            f'{quality.calibration.steps} steps ({fell.low:.0%} to {fell.high:.0%}); correlation '
            f'{quality.calibration.correlation:+.2f}. Dashed: ideal.')


def _horizon_rows(qualities: Sequence[Quality]) -> str:
    return '\n'.join(
        f'<tr><td>{quality.tokens}</td><td>{h.seconds:g}</td><td>{h.beginnings}</td>'
        f'<td>{h.model.value:.4f}</td><td class="extra">{h.still.value:.4f}</td>'
        f'<td class="extra">{h.change.value:.4f}</td>'
        f'<td class="{"better" if h.skill.low > 0 else "worse" if h.skill.high < 0 else ""}">'
        f'{interval(h.skill)}</td></tr>'
        for quality in qualities for h in quality.horizons)


def _maps(replay: Replay) -> str:
    if not replay.qualities or not replay.qualities[0].horizons:
        return ''
    quality = max(replay.qualities, key=lambda q: q.tokens)
    panels = []
    for number in sorted({0, len(quality.horizons) - 1}):
        model, still = quality.model_at[number], quality.still_at[number]
        top = max((v for v in (*model, *still) if v is not None), default=1.0)
        seconds = quality.horizons[number].seconds
        figures = ''.join(
            f'<figure>{error_map(values, replay.grid, top, name)}<figcaption>{name}</figcaption>'
            '</figure>' for values, name in ((model, 'the model'), (still, 'nothing changes')))
        panels.append(f'<div class="panel"><h3>{seconds:g} s ahead</h3>'
                      f'<div class="maps">{figures}</div></div>')
    return ''.join(panels)


def _planning_note(replay: Replay) -> str:
    goal_s = replay.settings['replay']['goal_s']
    return (f'Each goal is the picture {goal_s:g}&nbsp;s ahead, kept for half that time. '
            'Commands are in units of their limits. Direction: cosine of the first planned and '
            'the recorded command. Sequence error: root mean square over the way to the goal. '
            'Rank: the share of candidates that the model holds for better than what was '
            'recorded.')


def _planning_rows(replay: Replay, summaries: Sequence[dict[str, Any]]) -> str:
    ranks = {quality.tokens: quality.rank for quality in replay.qualities}
    rows = []
    for name, run, found in zip(_run_names(replay), replay.runs, summaries, strict=True):
        rank = ranks.get(run.tokens)
        rows.append(
            f'<tr><td class="name">{escape(name)}</td>'
            f'<td>{found["cycles"]}</td><td>{interval(estimate(found["direction"]))}</td>'
            f'<td>{interval(estimate(found["magnitude"]))}</td>'
            f'<td>{interval(estimate(found["sequence"]), ".2f")}</td>'
            f'<td class="extra">{found["sequence_still"]["value"]:.2f}</td>'
            f'<td>{f"{rank.mean.value:.0%}" if rank and rank.count else ""}</td></tr>')
    return '\n'.join(rows)


def _time_note(replay: Replay) -> str:
    if replay.settings['offline']:
        return 'Replayed without a clock: every picture was planned from, and no plan came late.'
    rate = replay.settings['replay']['rate']
    earlier = (' Some of it was measured by an earlier call.'
               if any(run.earlier for run in replay.runs) else '')
    return (f'The bag ran on at {rate:g} times its speed while the planner thought; only the '
            'newest picture waits for it. Milliseconds, the median where nothing else is said. '
            f'Age: of the frame when its plan was ready.{earlier}')


def _time_table(replay: Replay, summaries: Sequence[dict[str, Any]]) -> str:
    if replay.settings['offline']:
        return ''
    head = ''.join(f'<th class="{kind}">{name}</th>' for name, kind in TIMES)
    return (f'<div class="table" style="margin-top:24px"><table><thead><tr>{head}</tr></thead>'
            f'<tbody>{_time_rows(replay, summaries)}</tbody></table></div>')


def _time_rows(replay: Replay, summaries: Sequence[dict[str, Any]]) -> str:
    rows = []
    for name, found in zip(_run_names(replay), summaries, strict=True):
        ms = found['ms']
        rows.append(
            f'<tr><td class="name">{escape(name)}</td><td>{_chosen(found["tokens"])}</td>'
            f'<td>{found["late"]} of {found["cycles"]}</td><td>{found["dropped"]}</td>'
            f'<td class="extra">{ms["decode"]["p50"]:.1f}</td>'
            f'<td class="extra">{ms["encode"]["p50"]:.1f}</td>'
            f'<td class="extra">{ms["imagine"]["p50"]:.1f}</td><td>{ms["total"]["p50"]:.1f}</td>'
            f'<td>{ms["total"]["p95"]:.1f}</td><td class="extra">{ms["total"]["p99"]:.1f}</td>'
            f'<td class="extra">{ms["total"]["max"]:.1f}</td><td>{ms["age"]["p95"]:.0f}</td></tr>')
    return '\n'.join(rows)


def _chosen(counts: dict[str, int]) -> str:
    """Say how many tokens the cycles had, the most frequent numbers first."""
    total, order = sum(counts.values()), sorted(counts, key=lambda n: -counts[n])
    return ', '.join(
        f'{number} <small>{counts[number] / total:.0%}</small>' for number in order[:3]
    ) + (', ...' if len(order) > 3 else '')


def _bag_rows(replay: Replay) -> str:
    names = bag_names([found.bag for found in replay.bags])
    return '\n'.join(
        f'<tr><td class="name">{escape(names[f.bag])}</td><td>{f.seconds:.1f}</td>'
        f'<td>{f.pictures}</td><td class="extra">{f.unreadable}</td>'
        f'<td class="extra">{f.unfit}</td><td>{f.gaps}</td><td>{f.jumps}</td>'
        f'<td class="extra">{f.out_of_order}</td><td>{f.commands}</td>'
        f'<td class="extra">{f.beyond_limits}</td></tr>' for f in replay.bags)


def _faults(replay: Replay) -> str:
    names = bag_names([found.bag for found in replay.bags])
    said = [f'{names[f.bag]}: {fault}' for f in replay.bags for fault in f.faults]
    said += [f'left out: {skipped}' for skipped in replay.skipped]
    items = ''.join(f'<li>{escape(text)}</li>' for text in said)
    return f'<ul class="faults">{items}</ul>' if items else ''


def _settings(replay: Replay) -> list[tuple[str, str]]:
    settings = replay.settings
    shown = [('Bundle', replay.bundle), ('Robot', replay.robot),
             ('Commands', ', '.join(replay.action_names)),
             ('Engine', ', '.join(settings['engines']))]
    for group in ('planner', 'replay'):
        shown += [(name.replace('_', ' '), str(value)) for name, value in settings[group].items()
                  if value != '']
    return shown


def _names(replay: Replay) -> str:
    return ', '.join(bag_names([found.bag for found in replay.bags]).values()) or 'nothing'


def _run_names(replay: Replay) -> list[str]:
    return run_names([(run.bag, run.tokens, run.engine) for run in replay.runs])


def _data(replay: Replay, pictures: Sequence[Sequence[Shown]]) -> str:
    """Return what the scrubber shows, rounded to what can be seen."""
    bags = [found.bag for found in replay.bags]
    values = {
        'grid': replay.grid, 'names': replay.action_names, 'gap': GAP_S,
        'pictures': [[asdict(shown) for shown in bag] for bag in pictures],
        'runs': [_columns(run, name, bags.index(run.bag))
                 for run, name in zip(replay.runs, _run_names(replay), strict=True)]}
    # A text that ends the script must not end it here.
    return json.dumps(values, separators=(',', ':')).replace('<', '\\u003c')


def _columns(run: Run, name: str, bag: int) -> dict[str, Any]:
    rows = run.rows
    times: Percentiles = percentiles([row.total_ms for row in rows])
    return {
        'name': name, 'bag': bag, 'clock': run.clock, 'budget': run.budget_ms, 'p99': times.p99,
        # By the recorder's clock, which does not jump.
        'time': [round(row.recorded_s, 3) for row in rows],
        'picture': [row.picture for row in rows],
        'total': [round(row.total_ms, 2) for row in rows],
        'encode': [round(row.encode_ms, 2) for row in rows],
        'direction': [None if row.direction is None else round(row.direction, 3) for row in rows],
        'planned': [[round(v, 3) for v in column]
                    for column in zip(*(row.planned for row in rows), strict=True)],
        'recorded': [[round(v, 3) for v in column]
                     for column in zip(*(row.recorded for row in rows), strict=True)],
        'subset': [row.subset for row in rows]}
