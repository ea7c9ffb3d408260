# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The planner on a tape: either against the bag's clock, whose camera does not wait, or without.

Time is virtual: a cycle's wall time is how long the tape runs on before its plan is ready.
Reading the bag costs no time of the planner.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic, perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.bags.reading import Bag, Shot, Times
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.planning.plan import Array, CommandHistory, HISTORY_S
from sparse_imagination_ros.planning.planner import Cycle
from sparse_imagination_ros.replay.legs import Leg
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import fit_picture, Tape, topics
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.manifest import Manifest

# So many pictures are kept: those whose stamps are out of order are asked for a little later.
KEPT = 30


class Thinker(Protocol):
    """What replaying asks of a planner."""

    def set_goal(self, picture: Picture, sensed: Array | None = None) -> None:
        """Take a new goal and forget all that was."""

    def plan(
        self, frame: Frame, sent: 'Known', deadline_s: float = inf, waited_s: float = 0.0,
    ) -> Cycle:
        """Run one cycle; deadline_s: on the steady clock."""


@dataclass(frozen=True)
class Step:
    """
    One cycle on a tape. picture, goal: numbers of pictures; times in seconds on the tape's clock.

    began_s: when planning began; ready_s: when the plan was there; decode_ms: of the picture.
    dropped: pictures that came and went unplanned since the cycle before. actions: [T, A].
    """

    picture: int
    goal: int
    stamp_s: float
    began_s: float
    ready_s: float
    decode_ms: float
    dropped: int
    cycle: Cycle


class Known(CommandHistory):
    """Commands that were known at a moment; values: [C, A], at times [C]."""

    def __init__(self, times: Times, values: Array) -> None:
        super().__init__(values.shape[1], HISTORY_S)
        self.times, self.values = times, values
        for at_s, value in zip(times, values, strict=True):
            self.add(float(at_s), value)


def replay_chapter(
    tape: Tape, bag: Bag, bag_ahead: Bag, chapter: Sequence[Leg], planner: Thinker,
    manifest: Manifest, config: ReplayConfig, budget_s: float | None,
) -> Iterator[Step]:
    """
    Plan through one chapter.

    bag, bag_ahead: that of the tape, opened twice: goals lie far ahead, and what lies between is
    not to be kept. budget_s: what a cycle may take, or None without a clock.
    """
    offline = budget_s is None
    scale = np.array(manifest.actions.high, np.float32)
    sent = _Obeyed(tape, scale, config.command_hold_s)
    film = Film(
        tape, bag, manifest, config, [i for leg in chapter for i in leg.pictures])
    goals = Film(tape, bag_ahead, manifest, config, [leg.goal for leg in chapter])
    free_s, goal, dropped = -np.inf, None, 0
    for number, leg in enumerate(chapter):
        waiting = deque(leg.pictures)
        following = chapter[number + 1].pictures[0] if number + 1 < len(chapter) else None
        while waiting:
            index = waiting.popleft()
            now_s = float(tape.arrived[index])
            if not offline:
                now_s = max(now_s, free_s)
                # The newest picture that is here replaces all before it, also by a new goal's.
                while waiting and tape.arrived[waiting[0]] <= now_s:
                    index, dropped = waiting.popleft(), dropped + 1
                if not waiting and following is not None and tape.arrived[following] <= now_s:
                    dropped += 1
                    continue
            if goal != leg.goal:
                goal, shown = leg.goal, goals.picture(leg.goal)
                began = perf_counter()
                planner.set_goal(shown, tape.sensed[goal])
                if not offline:
                    now_s += config.rate * (perf_counter() - began)
            history = sent.until(now_s)
            picture = film.picture(index)
            stamp_s = float(tape.times[index])
            frame = Frame(stamp_s, picture, tape.sensed[index])
            if budget_s is None:
                cycle, ready_s = planner.plan(frame, history), now_s
            else:
                cycle = planner.plan(
                    frame, history, monotonic() + budget_s, max(0.0, now_s - stamp_s))
                ready_s = now_s + config.rate * cycle.total_ms / 1000
            free_s = ready_s
            yield Step(index, leg.goal, stamp_s, now_s, ready_s, film.decode_ms[index], dropped,
                       cycle)
            dropped = 0


class _Obeyed:
    """The recorded commands as a planner would have known them at a moment."""

    def __init__(self, tape: Tape, scale: Array, hold_s: float) -> None:
        order = np.argsort(tape.commanded, kind='stable')
        at, values = tape.commanded[order], tape.commands[order] * scale
        # Where a command ran out, the base stopped.
        ended = np.flatnonzero(np.diff(at) > hold_s)
        rest = np.zeros((len(ended), values.shape[1]), np.float32)
        at, values = np.append(at, at[ended] + hold_s), np.concatenate([values, rest])
        order = np.argsort(at, kind='stable')
        self._at, self._values = at[order], values[order]

    def until(self, now_s: float) -> 'Known':
        first = max(0, int(np.searchsorted(self._at, now_s - HISTORY_S)) - 1)
        last = int(np.searchsorted(self._at, now_s, 'right'))
        return Known(self._at[first:last], self._values[first:last])


class Film:
    """Some pictures of a bag, read as they are needed; the last ones that were read are kept."""

    def __init__(
        self, tape: Tape, bag: Bag, manifest: Manifest, config: ReplayConfig,
        wanted: Sequence[int],
    ) -> None:
        images = topics(config, manifest)['images']
        begin_s, end_s = tape.recorded[min(wanted)], tape.recorded[max(wanted)]
        shots = bag.shots(images, float(begin_s) - 1e-6, float(end_s) + 1e-3)
        number = int(np.searchsorted(tape.recorded, float(begin_s) - 1e-6))
        self._shots = self._fitting(shots, manifest, number)
        self._path, self._kept = bag.path, dict[int, Picture]()
        self.decode_ms: dict[int, float] = {}

    def picture(self, index: int) -> Picture:
        while index not in self._kept:
            began = perf_counter()
            entry = next(self._shots, None)
            if entry is None:
                raise DataError(
                    f'{self._path}: picture {index} is not where it was; the bag was changed '
                    f'meanwhile, or pictures arrived more than {KEPT} places from their order')
            number, picture = entry
            self.decode_ms[number] = 1000 * (perf_counter() - began)
            self._kept[number] = picture
            if len(self._kept) > KEPT:
                del self._kept[min(self._kept)]
        return self._kept[index]

    @staticmethod
    def _fitting(
        shots: Iterator[Shot], manifest: Manifest, number: int,
    ) -> Iterator[tuple[int, Picture]]:
        for shot in shots:
            if fit_picture(shot.picture, manifest):
                yield number, np.asarray(shot.picture)
                number += 1


def recorded_sequence(
    tape: Tape, step: Step, manifest: Manifest, hold_s: float,
) -> NDArray[np.float32]:
    """Return the commands that were given from a picture to its goal, [F, A], per command step."""
    command_s = manifest.step_s / manifest.frameskip
    count = max(1, int((tape.times[step.goal] - step.stamp_s) / command_s + 1e-6))
    edges = np.asarray(step.stamp_s + command_s * np.arange(count + 1), np.float64)
    return tape.obeyed(edges, hold_s)
