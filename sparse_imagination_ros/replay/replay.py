# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From bags to results, in parts that are kept on disk: what was finished is not done again.

What each part does lives elsewhere; here is their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from functools import partial
import hashlib
from io import BytesIO
import json
from pathlib import Path

import numpy as np
import torch

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import Bag
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.evaluation.versions import versions
from sparse_imagination_ros.files import write_whole
from sparse_imagination_ros.imagination.engines import AUTO, chosen, REFERENCE
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.latency import LatencyModel
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig, suited
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
from sparse_imagination_ros.replay.outbag import write_bag, Written
from sparse_imagination_ros.replay.page import write_page
from sparse_imagination_ros.replay.quality import judge, pooled, Quality
from sparse_imagination_ros.replay.results import (
    columns,
    FORMAT,
    Replay,
    Row,
    rows_from,
    Run,
)
from sparse_imagination_ros.replay.segments import find_segments, joined
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import make_tape, Tape
from sparse_imagination_ros.world_models.bundle import Bundle, fingerprint

# What is going on, and which share of it is done.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Order:
    """What is to be replayed: bags, with each setting of the planner, with a clock or without."""

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
        # What is left to the bundle is asked of it; what it refuses is refused at once.
        self._plannings = tuple(suited(planning, bundle) for planning in order.plannings)
        self._weights = fingerprint(bundle.encoder) + fingerprint(bundle.predictor)
        self._engines = {planning.engine: str(chosen(planning.engine, bundle).variant)
                         for planning in self._plannings}
        self._began = datetime.now(timezone.utc)
        # Learned once for all parts.
        self._latencies = {engine: LatencyModel() for engine in self._engines}
        self.tapes: list[Tape] = []
        self._skipped: list[str] = []
        self._qualities: list[Quality] = []
        self._runs: list[Run] = []
        self._left = ['bags']

    def work(self, progress: Progress = lambda what, share: None) -> None:
        """Do all that is not done yet."""
        order = self._order
        for planning in self._plannings:
            # An engine that cannot be made is named before minutes are spent.
            Planner(self._bundle, planning)
        self._left = [f'bag {bag.name}' for bag in order.bags] + [
            f'imagination with {tokens} tokens' for tokens in self._counts] + [
            f'planning with {self._name(planning)}' for planning in self._plannings]
        for bag in order.bags:
            self._read(bag, progress)
            self._left.pop(0)
        if not self.tapes:
            raise DataError('; '.join(self._skipped))
        for planning in self._counts.values():
            self._imagine(planning, progress)
            self._left.pop(0)
        for planning in self._plannings:
            for tape in self.tapes:
                self._plan(tape, planning, progress)
            self._left.pop(0)

    def result(self) -> Replay:
        """Return what is known by now."""
        order, manifest = self._order, self._bundle.manifest
        shared = {name: value for name, value in asdict(self._plannings[0]).items()
                  if name not in ('tokens', 'engine')}
        return Replay(
            bundle=str(order.bundle), robot=manifest.robot, action_names=manifest.actions.names,
            grid=manifest.encoder.grid, step_s=manifest.step_s,
            started_at=self._began.strftime('%Y-%m-%d %H:%M UTC'),
            partial=', '.join(self._left),
            settings={
                'planner': shared, 'replay': asdict(order.config), 'offline': order.offline,
                'tokens': list(self._counts), 'engines': list(map(self._engine, self._engines)),
                'threads': torch.get_num_threads()},
            versions=versions(), bags=tuple(tape.findings for tape in self.tapes),
            skipped=tuple(self._skipped), qualities=tuple(self._qualities),
            runs=tuple(self._runs))

    def write_page(self, path: Path, against: Sequence[Difference] = ()) -> None:
        """Write the report."""
        config, step_s = self._order.config, self._bundle.manifest.step_s
        furthest = self._plannings[0].steps
        steps = min(furthest, max(1, round(config.goal_s / step_s)))
        pictures = [gallery(tape, self._bundle, config, steps, len(self.tapes))
                    for tape in self.tapes]
        write_page(self.result(), pictures, steps * step_s, self._bundle.decoder is not None,
                   path, against)

    def write_bag(self, path: Path) -> Written:
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
                write_whole(kept, _packed(part))
            parts.append(_unpacked(kept))
            blocks.append(segments.block)
        if parts:
            self._qualities.append(
                judge(pooled(parts), joined(blocks), manifest.step_s, planning.seed))

    def _plan(self, tape: Tape, planning: PlannerConfig, progress: Progress) -> None:
        order = self._order
        folder = self._folder('planned', tape.path, planning)
        found = chapters(tape, order.config.goal_s)
        kept = [folder / f'chapter-{number:05}.json' for number in range(len(found))]
        earlier = [file for file in kept if file.is_file()]
        what = f'planning {tape.path.name} with {self._name(planning)}'
        try:
            if len(earlier) < len(kept):
                with open_bag(tape.path, forgiving=True) as bag, \
                        open_bag(tape.path, forgiving=True) as ahead:
                    for number, (file, chapter) in enumerate(zip(kept, found, strict=True)):
                        if not file.is_file():
                            made = self._chapter(
                                tape, bag, ahead, chapter, planning,
                                _Part(progress, what, number, len(found)))
                            write_whole(file, json.dumps(columns(made)).encode())
            progress(what, 1.0)
        finally:
            there = [file for file in kept if file.is_file()]
            self._runs.append(Run(
                str(tape.path), planning.tokens, self._engine(planning.engine),
                planning.budget_ms, not order.offline, len(kept) - len(there), len(earlier),
                tuple(row for file in there for row in rows_from(json.loads(file.read_bytes())))))

    def _chapter(
        self, tape: Tape, bag: Bag, ahead: Bag, chapter: list[Leg], planning: PlannerConfig,
        progress: Callable[[float], None],
    ) -> list[Row]:
        order, manifest = self._order, self._bundle.manifest
        if order.offline:
            planner, budget_s = charged(self._bundle, planning, 0.0), None
        else:
            planner = Planner(
                self._bundle, planning, latency=self._latencies[planning.engine])
            budget_s = planner.budget_s
        rows = []
        total = sum(len(leg.pictures) for leg in chapter)
        done = 0
        for step in replay_chapter(
                tape, bag, ahead, chapter, planner, manifest, order.config, budget_s):
            rows.append(self._row(tape, step))
            done += 1 + step.dropped
            progress(min(1.0, done / total))
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
            recorded_s=float(tape.recorded[step.picture] - tape.recorded[0]),
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

    @property
    def _counts(self) -> dict[int, PlannerConfig]:
        """Return one setting for each number of tokens: imagination is that of the reference."""
        return {planning.tokens: replace(planning, engine=REFERENCE)
                for planning in self._plannings}

    def _name(self, planning: PlannerConfig) -> str:
        engine = f' by {self._engine(planning.engine)}' if len(self._engines) > 1 else ''
        return f'{planning.tokens} tokens{engine}'

    def _engine(self, name: str) -> str:
        return f'{AUTO} ({self._engines[name]})' if name == AUTO else name

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
        depends = [FORMAT, str(bag.resolve()), state, self._weights,
                   repr(self._bundle.manifest), config]
        if planning is not None:
            depends += [asdict(planning)]
        if part == 'imagined':
            # All bags share what may be imagined.
            depends += [len(self.tapes)]
        if part == 'planned':
            # Times are those of this many threads.
            depends += [self._engines[planning.engine] if planning else '',
                        'offline' if order.offline else torch.get_num_threads()]
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
    return tuple(dict.fromkeys(found))


def _packed(imagined: Imagined) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **asdict(imagined))
    return buffer.getvalue()


def _unpacked(path: Path) -> Imagined:
    with np.load(path) as arrays:
        values = dict(arrays)
    return Imagined(**{**values, 'tokens': int(values['tokens'])})
