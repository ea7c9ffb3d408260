# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How long the stages of a cycle take on this machine, learned from those that were measured.

What to do about it is decided in `budget.py`. There is no clock here.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
import hashlib
import json
from math import exp, inf, log, log2
import os
from pathlib import Path
import platform
from statistics import median

import torch

from sparse_imagination_ros.machine import processor

# The pace is the median of so many stages: a step in load is followed within half of them, and
# fewer spikes than that do not move it.
PACE_WINDOW = 9
# How far what is known of a cell moves toward what is measured, at the pace of the moment. It is
# the same for all that is measured, since spikes and load shall not count for more, and what the
# cell was at first pulls it back: or costs would rise and the pace fall, for ever.
CELL_STEP, CELL_PULL = 0.004, 0.01
# Before that, it is the least of so many: the first time is often slow.
FIRST = 3
# One cycle in two thousand has a stage beyond the tail. It grows by two fifths in such a cycle.
TAIL_QUANTILE, TAIL_STEP = 0.9995, 0.35
# Rather careful at first: what was not needed is given up within minutes.
FIRST_TAIL = 8.0
# What is expected after a cycle in which nothing fitted.
BOLDER = 0.8
# What was kept is not believed beyond this.
LONGEST_TAIL = 20.0


@dataclass(frozen=True)
class Cell:
    """A stage of a cycle with its size: tokens, and how many candidates at once."""

    stage: str
    tokens: int = 0
    candidates: int = 0


@dataclass
class _Stage:
    """
    How a stage does at the moment: its pace, the worst of this cycle, and its tails.

    Each octave of the pace has a tail of its own, since a machine in load interrupts for longer.
    """

    tails: defaultdict[int, float] = field(default_factory=lambda: defaultdict(lambda: FIRST_TAIL))
    pace: float = 1.0
    worst: float | None = None
    ratios: deque[float] = field(default_factory=lambda: deque(maxlen=PACE_WINDOW))

    @property
    def octave(self) -> int:
        """How many times twice as slow as at rest it is."""
        return max(0, round(log2(self.pace)))

    @property
    def limit(self) -> float:
        """How many times its cost a cell hardly ever exceeds."""
        return self.pace + self.tails[self.octave] - 1

    def stretch(self, times: float) -> None:
        """Expect so many times as long a tail, at the pace of the moment."""
        self.tails[self.octave] = max(1.0, times * self.tails[self.octave])


class LatencyModel:
    """
    Milliseconds of each cell: what is typical, and what is seldom exceeded.

    Every cell has a cost of its own, which hardly changes, and each stage has a pace that its
    cells share, which follows load and throttling at once, also for sizes not used now.
    """

    def __init__(
        self, costs_ms: Mapping[Cell, float] | None = None,
        tails: Mapping[str, Mapping[int, float]] | None = None,
    ) -> None:
        self._costs_ms = dict(costs_ms or {})
        self._costs_at_first_ms = dict(self._costs_ms)
        self._first_ms: defaultdict[Cell, list[float]] = defaultdict(list)
        self._stages: defaultdict[str, _Stage] = defaultdict(_Stage)
        for stage, of_octaves in (tails or {}).items():
            self._stages[stage].tails.update(of_octaves)

    @property
    def costs_ms(self) -> Mapping[Cell, float]:
        """What is known of each cell, at the pace of the moment."""
        return {cell: self.typical_ms(cell) for cell in self._costs_ms}

    @property
    def tails(self) -> Mapping[str, Mapping[int, float]]:
        """
        How much longer than is typical a stage may take, in costs at rest: hardly ever more.

        1 is no longer; by stage, and by the octave of its pace.
        """
        return {name: dict(stage.tails) for name, stage in self._stages.items()}

    def knows(self, cell: Cell) -> bool:
        """Tell whether a cell was measured."""
        return cell in self._costs_ms

    def observe(self, cell: Cell, ms: float) -> None:
        """Learn from a stage that was measured."""
        if not 0 < ms < inf:
            return
        stage = self._stages[cell.stage]
        is_new = cell in self._first_ms or cell not in self._costs_ms
        if is_new:
            first = self._first_ms[cell]
            first.append(ms / stage.pace)
            self._costs_ms[cell] = self._costs_at_first_ms[cell] = min(first)
            if len(first) == FIRST:
                del self._first_ms[cell]
        ratio = ms / self._costs_ms[cell]
        stage.worst = max(stage.worst or 0.0, ratio)
        stage.ratios.append(ratio)
        stage.pace = median(stage.ratios)
        if not is_new:
            toward = CELL_STEP * ((ratio > stage.pace) - (ratio < stage.pace))
            back = CELL_PULL * log(self._costs_at_first_ms[cell] / self._costs_ms[cell])
            self._costs_ms[cell] *= exp(toward + back)

    def end_cycle(self) -> None:
        """Learn the tails from the worst of the cycle, which by itself moves them a little."""
        for stage in self._stages.values():
            if stage.worst is not None:
                # Held against the pace of now: a step of the load is no reason to expect spikes.
                up = stage.worst > stage.limit
                stage.stretch(exp(TAIL_STEP * (TAIL_QUANTILE if up else TAIL_QUANTILE - 1)))
                stage.worst = None

    def grow_bolder(self, stage_name: str) -> None:
        """Expect less of a stage: who finds that nothing fits would learn nothing more."""
        stage = self._stages[stage_name]
        stage.stretch(BOLDER)
        stage.ratios = deque((BOLDER * ratio for ratio in stage.ratios), PACE_WINDOW)
        stage.pace *= BOLDER

    def typical_ms(self, cell: Cell) -> float:
        """Return what a stage takes, as a rule; as one of a size near to it, if it is unknown."""
        return self._stages[cell.stage].pace * self._cost_ms(cell)

    def worst_ms(self, cell: Cell) -> float:
        """Return what a stage hardly ever exceeds."""
        return self._stages[cell.stage].limit * self._cost_ms(cell)

    def _cost_ms(self, cell: Cell) -> float:
        if cell in self._costs_ms:
            return self._costs_ms[cell]
        known = [other for other in self._costs_ms if other.stage == cell.stage]
        if not known:
            return 0.0
        nearest = min(known, key=lambda other: abs(log(_work(other) / _work(cell))))
        # As if it grew with the size and did not shrink with it: rather too much than too little.
        return self._costs_ms[nearest] * max(1.0, _work(cell) / _work(nearest))


def _work(cell: Cell) -> int:
    return max(1, cell.tokens) * max(1, cell.candidates)


def latency_file(folder: Path, engine: str) -> Path:
    """Return where a bundle in this folder keeps what was learned here with an engine."""
    facts = (platform.machine(), processor(), os.cpu_count(), torch.__version__,
             torch.get_num_threads(), engine)
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()
    return folder / 'engines' / f'latency-{digest[:12]}.json'


def read_latency(path: Path) -> LatencyModel:
    """Return what was learned before, or a model that knows nothing."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        costs = {Cell(str(stage), int(tokens), int(candidates)): float(ms)
                 for stage, tokens, candidates, ms in values['costs_ms']}
        if not all(0 < ms < inf for ms in costs.values()):
            return LatencyModel()
        tails = {str(stage): {int(octave): min(LONGEST_TAIL, max(1.0, float(tail)))
                              for octave, tail in of_octaves.items()}
                 for stage, of_octaves in values['tails'].items()}
        return LatencyModel(costs, tails)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
            RecursionError):
        # It is only a first guess: what is measured from now on counts.
        return LatencyModel()


def write_latency(path: Path, model: LatencyModel) -> bool:
    """Keep what was learned for the next start; tell whether the folder could be written."""
    values = {'processor': processor(), 'tails': model.tails, 'costs_ms': [
        [cell.stage, cell.tokens, cell.candidates, round(ms, 4)]
        for cell, ms in model.costs_ms.items()]}
    unfinished = path.with_suffix('.unfinished')
    try:
        path.parent.mkdir(exist_ok=True)
        unfinished.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
        unfinished.replace(path)
    except OSError:
        return False
    return True
