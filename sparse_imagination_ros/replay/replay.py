# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From bags to results, in parts that are kept on disk: what was finished is not done again.

What each part does lives elsewhere; here is their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
import hashlib
from io import BytesIO
import json
from pathlib import Path

import numpy as np

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.evaluation.versions import versions
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.latency import LatencyModel
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.replay.agreement import compare
from sparse_imagination_ros.replay.comparison import Difference
from sparse_imagination_ros.replay.drive import (
    recorded_sequence,
    replay_chapter,
    Step,
)
from sparse_imagination_ros.replay.gallery import gallery
from sparse_imagination_ros.replay.imagination import imagine_segments, Imagined
from sparse_imagination_ros.replay.legs import chapters, Leg
from sparse_imagination_ros.replay.outbag import write_bag
from sparse_imagination_ros.replay.page import write_page
from sparse_imagination_ros.replay.quality import judge, pooled, Quality
from sparse_imagination_ros.replay.results import columns, Replay, Row, rows_from, Run
from sparse_imagination_ros.replay.segments import find_segments, joined
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import make_tape, Tape
from sparse_imagination_ros.world_models.bundle import Bundle, fingerprint

# What is going on, and which share of it is done.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Order:
    """What is to be replayed: bags, with each number of tokens, with or without a clock."""

    bags: tuple[Path, ...]
    bundle: Path
    plannings: tuple[PlannerConfig, ...]
    config: ReplayConfig
    offline: bool
    work: Path


class Replayer:
    """Works through an order; `result` can be asked for at any time, also if interrupted."""

    def __init__(self, order: Order, bundle: Bundle) -> None:
        self._order, self._bundle = order, bundle
        self._weights = fingerprint(bundle.encoder) + fingerprint(bundle.predictor)
        self._began = datetime.now(timezone.utc)
        # Learned once for all parts.
        self._latency = LatencyModel()
        self.tapes: list[Tape] = []
        self._skipped: list[str] = []
        self._qualities: list[Quality] = []
        self._runs: list[Run] = []
        self._left = ['bags']

    def work(self, progress: Progress = lambda what, share: None) -> None:
        """Do all that is not done yet."""
        order = self._order
        for planning in order.plannings:
            # A count that the bundle refuses is refused before minutes are spent.
            Planner(self._bundle, planning)
        self._left = [f'bag {bag.name}' for bag in order.bags] + [
            f'{part} with {planning.tokens} tokens' for planning in order.plannings
            for part in ('imagination', 'planning')]
        for bag in order.bags:
            self._read(bag, progress)
            self._left.pop(0)
        if not self.tapes:
            raise DataError('; '.join(self._skipped))
        for planning in order.plannings:
            self._imagine(planning, progress)
            self._left.pop(0)
            for tape in self.tapes:
                self._plan(tape, planning, progress)
            self._left.pop(0)

    def result(self) -> Replay:
        """Return what is known by now."""
        order, manifest = self._order, self._bundle.manifest
        first = order.plannings[0]
        shared = {k: v for k, v in asdict(first).items() if k != 'tokens'}
        return Replay(
            bundle=str(order.bundle), robot=manifest.robot, action_names=manifest.actions.names,
            grid=manifest.encoder.grid, step_s=manifest.step_s,
            started_at=self._began.strftime('%Y-%m-%d %H:%M UTC'),
            partial=', '.join(self._left),
            settings={
                'planner': shared, 'replay': asdict(order.config), 'offline': order.offline,
                'tokens': [planning.tokens for planning in order.plannings],
                'engine': first.engine},
            versions=versions(), bags=tuple(tape.findings for tape in self.tapes),
            skipped=tuple(self._skipped), qualities=tuple(self._qualities),
            runs=tuple(self._runs))

    def write_page(self, path: Path, against: Sequence[Difference] = ()) -> None:
        """Write the report."""
        config, step_s = self._order.config, self._bundle.manifest.step_s
        furthest = self._order.plannings[0].steps
        steps = min(furthest, max(1, round(config.goal_s / step_s)))
        pictures = [gallery(tape, self._bundle, config, steps, len(self.tapes))
                    for tape in self.tapes]
        write_page(self.result(), pictures, steps * step_s, self._bundle.decoder is not None,
                   path, against)

    def write_bag(self, path: Path) -> Path:
        """Write a copy of the only bag with what the first run has planned."""
        tape, = self.tapes
        return write_bag(
            tape, self._runs[0], self._bundle.manifest, self._order.config, path)

    def _read(self, bag: Path, progress: Progress) -> None:
        folder = self._folder('tape', bag)
        config = self._order.config
        try:
            tape = make_tape(
                bag, self._bundle, config, folder,
                lambda share: progress(f'reading {bag.name}', share))
        except DataError as error:
            self._skipped.append(str(error))
            return
        if not len(tape.times):
            found = tape.findings
            self._skipped.append(
                f'{bag} holds no picture that can be used ({found.unreadable} cannot be read, '
                f'{found.unfit} are not {" x ".join(map(str, self._bundle.manifest.picture_size))}'
                ' pixels)' + ''.join(f'; {fault}' for fault in found.faults))
            return
        self.tapes.append(tape)

    def _imagine(self, planning: PlannerConfig, progress: Progress) -> None:
        manifest, config = self._bundle.manifest, self._order.config
        parts: list[Imagined] = []
        blocks = []
        for tape in self.tapes:
            segments = find_segments(
                tape, manifest, planning.steps, config.segments // len(self.tapes),
                config.command_hold_s)
            if not len(segments) or not len(tape.commands):
                continue
            kept = self._folder('imagined', tape.path, planning) / 'imagined.npz'
            if not kept.is_file():
                what = f'imagining {tape.path.name} with {planning.tokens} tokens'
                part = imagine_segments(
                    tape, segments, self._bundle, planning.tokens, planning,
                    config.ranked // len(self.tapes), partial(progress, what))
                _write(kept, _packed(part))
            parts.append(_unpacked(kept))
            blocks.append(segments.block)
        if parts:
            self._qualities.append(
                judge(pooled(parts), joined(blocks), manifest.step_s, planning.seed))

    def _plan(self, tape: Tape, planning: PlannerConfig, progress: Progress) -> None:
        order = self._order
        folder = self._folder('planned', tape.path, planning)
        found = chapters(tape, order.config.goal_s)
        rows: tuple[Row, ...] = ()
        what = f'planning {tape.path.name} with {planning.tokens} tokens'
        try:
            for number, chapter in enumerate(found):
                kept = folder / f'chapter-{number:05}.json'
                if not kept.is_file():
                    made = self._chapter(
                        tape, chapter, planning, _Part(progress, what, number, len(found)))
                    _write(kept, json.dumps(columns(made)).encode())
                rows += rows_from(json.loads(kept.read_bytes()))
                progress(what, (number + 1) / len(found))
        finally:
            missing = sum(
                not (folder / f'chapter-{n:05}.json').is_file() for n in range(len(found)))
            self._runs.append(Run(
                str(tape.path), planning.tokens, planning.budget_ms, not order.offline, missing,
                rows))

    def _chapter(
        self, tape: Tape, chapter: list[Leg], planning: PlannerConfig,
        progress: Callable[[float], None],
    ) -> list[Row]:
        order, manifest = self._order, self._bundle.manifest
        if order.offline:
            planner, budget_s = charged(self._bundle, planning, 0.0), None
        else:
            planner = Planner(self._bundle, planning, latency=self._latency)
            budget_s = planner.budget_s
        rows = []
        total = sum(len(leg.pictures) for leg in chapter)
        with open_bag(tape.path, forgiving=True) as bag:
            for step in replay_chapter(
                    tape, bag, chapter, planner, manifest, order.config, budget_s):
                rows.append(self._row(tape, step))
                progress(min(1.0, (sum(1 + row.dropped for row in rows)) / total))
        return rows

    def _row(self, tape: Tape, step: Step) -> Row:
        manifest, cycle = self._bundle.manifest, step.cycle
        scale = np.array(manifest.actions.high, np.float32)
        # A plan that goes on, since no time was left for another, began before its picture.
        actions = cycle.plan.slid(step.stamp_s)
        likeness = compare(
            actions / scale,
            recorded_sequence(tape, step, manifest, self._order.config.command_hold_s))
        return Row(
            picture=step.picture, goal=step.goal, time_s=step.stamp_s - tape.origin_s,
            began_s=step.began_s - tape.origin_s, decode_ms=step.decode_ms,
            encode_ms=cycle.encode_ms, imagine_ms=cycle.imagine_ms, total_ms=cycle.total_ms,
            age_ms=1000 * (step.ready_s - step.stamp_s), dropped=step.dropped,
            tokens=cycle.tokens, candidates=cycle.candidates, iterations=cycle.iterations,
            imagined=cycle.imagined, reason=cycle.reason, not_finite=cycle.not_finite,
            cost=cycle.cost, planned=tuple(likeness.planned.tolist()),
            recorded=tuple(likeness.recorded.tolist()),
            direction=None if np.isnan(likeness.direction) else likeness.direction,
            magnitude=likeness.magnitude, sequence=likeness.sequence,
            sequence_still=likeness.sequence_still, subset=tuple(cycle.subset.tolist()),
            plan=tuple(map(tuple, actions.tolist())))

    def _folder(
        self, part: str, bag: Path, planning: PlannerConfig | None = None,
    ) -> Path:
        """Return where a part of the work is kept, by all that it depends on."""
        order = self._order
        files = sorted(bag.rglob('*')) if bag.is_dir() else [bag]
        state = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]
        config = asdict(order.config)
        if part == 'tape':
            for unread in ('goal_s', 'rate', 'segments', 'ranked'):
                del config[unread]
        depends = [str(bag.resolve()), state, self._weights, config,
                   planning and asdict(planning), part == 'planned' and order.offline]
        key = hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:16]
        return order.work / f'{part}-{key}'


@dataclass(frozen=True)
class _Part:
    """Progress of one of several equal parts."""

    progress: Progress
    what: str
    number: int
    total: int

    def __call__(self, share: float) -> None:
        self.progress(self.what, (self.number + share) / self.total)


def bags_among(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return all bags among paths: each is one, however damaged, or a folder with some inside."""
    found: list[Path] = []
    for path in paths:
        found += sorted(file.parent for file in path.rglob('metadata.yaml')) or [path]
    return tuple(found)


def _packed(imagined: Imagined) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **asdict(imagined))
    return buffer.getvalue()


def _unpacked(path: Path) -> Imagined:
    with np.load(path) as arrays:
        values = dict(arrays)
    return Imagined(**{**values, 'tokens': int(values['tokens'])})


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix('.unfinished')
    unfinished.write_bytes(data)
    unfinished.replace(path)
