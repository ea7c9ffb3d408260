# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What punctuality is gained by locked memory, cores, priorities and garbage between cycles.

    python benchmarks/hygiene.py --cycles 4000 --turns 6 --json hygiene.json

The planner plans with a fixed effort, and a loop of commands ticks beside it, in one process, as
in the node. Turns with all that planning/realtime.py offers and turns without follow each other.
It needs the right to lock memory and to a real-time priority; what is refused is said. Nothing
else should run on the machine, unless what else runs is what is of interest (--load).
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, ExitStack, nullcontext
from dataclasses import dataclass, field
import gc
import json
import os
from pathlib import Path
from threading import Event, Thread
import time

import numpy as np
import torch

from sparse_imagination_ros.evaluation.loads import Load
from sparse_imagination_ros.evaluation.versions import versions
from sparse_imagination_ros.planning.plan import CommandHistory, HISTORY_S
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.planning.realtime import Garbage, Realtime, RealtimeConfig
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle

PERIOD_S = 0.05
WITH, WITHOUT = 'with', 'without'
# The first cycles of a turn are not counted: caches are cold.
WARM_UP = 20


@dataclass
class Measured:
    """Times in milliseconds: of the cycles, and by how much commands came after their time."""

    cycles: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, dict[str, float]]:
        """Return the percentiles."""
        return {name: {
            **{f'p{share:g}': round(float(np.percentile(times, share, method='inverted_cdf')), 3)
               for share in (50, 99, 99.9)},
            'max': round(max(times), 3), 'count': len(times)}
            for name, times in (('cycle ms', self.cycles), ('command late ms', self.lateness))}


class Bench:
    """One planner that plans the same in all turns."""

    def __init__(self, bundle: Bundle, config: PlannerConfig) -> None:
        self._bundle, self._config = bundle, config
        world = Rooms(bundle.manifest.robot)
        self._picture, self._goal = world.picture(), world.picture_at(world.goal)

    def turn(self, cycles: int, realtime: Realtime | None, measured: Measured) -> None:
        """Plan so many cycles in a thread of its own, beside a loop of commands in this one."""
        done = Event()
        thread = Thread(target=self._plan, args=(cycles, realtime, measured.cycles, done))
        with _tidy() if realtime is None else nullcontext():
            if realtime is not None:
                realtime.begin_commands()
            thread.start()
            due_s = time.monotonic() + PERIOD_S
            while not done.is_set():
                time.sleep(max(0.0, due_s - time.monotonic()))
                measured.lateness.append(1000 * (time.monotonic() - due_s))
                due_s += PERIOD_S
            thread.join()
            if realtime is not None:
                realtime.end()

    def _plan(
        self, cycles: int, realtime: Realtime | None, times: list[float], done: Event,
    ) -> None:
        try:
            if realtime is not None:
                realtime.place_planner()
            planner = Planner(self._bundle, self._config)
            sent = CommandHistory(len(self._bundle.manifest.actions.names), HISTORY_S)
            planner.set_goal(self._goal)
            with ExitStack() as stack:
                garbage = None
                if realtime is not None:
                    realtime.begin_planner()
                    garbage = stack.enter_context(Garbage())
                for number in range(WARM_UP + cycles):
                    frame = Frame(0.1 * number, self._picture)
                    began_s = time.monotonic()
                    planner.plan(frame, sent)
                    if number >= WARM_UP:
                        times.append(1000 * (time.monotonic() - began_s))
                    if garbage is not None:
                        garbage.sweep()
        finally:
            done.set()


@contextmanager
def _tidy() -> Iterator[None]:
    """Begin a turn without any of it as such a process begins."""
    gc.unfreeze()
    gc.collect()
    yield


@contextmanager
def _loaded(processes: int) -> Iterator[None]:
    """Have so many processes compute beside."""
    if not processes:
        yield
        return
    with Load((processes,), 1e9) as load:
        # It is by being asked that they begin.
        assert load.level == processes
        yield


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description='What real-time hygiene gains.')
    parser.add_argument('--bundle', type=Path, default=Path('models/rooms'))
    parser.add_argument('--cycles', type=int, default=4000, help='in each turn (%(default)s)')
    parser.add_argument('--turns', type=int, default=6, help='of each (%(default)s)')
    parser.add_argument('--candidates', type=int, default=64)
    parser.add_argument('--iterations', type=int, default=2)
    parser.add_argument('--tokens', type=int, default=8)
    parser.add_argument('--planner-priority', type=int, default=20)
    parser.add_argument('--command-priority', type=int, default=40)
    parser.add_argument('--planner-cores', default='')
    parser.add_argument('--command-cores', default='')
    parser.add_argument('--load', type=int, default=0, metavar='N',
                        help='so many processes compute beside it (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE')
    args = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(Bundle.load(args.bundle), PlannerConfig(
        tokens=args.tokens, candidates=args.candidates, iterations=args.iterations))
    config = RealtimeConfig(True, args.planner_cores, args.command_cores,
                            args.planner_priority, args.command_priority)
    found = {WITH: Measured(), WITHOUT: Measured()}
    refused: list[str] = []
    load_before = os.getloadavg()
    with _loaded(args.load):
        for turn in range(2 * args.turns):
            # Each comes first in every second pair.
            name = (WITH, WITHOUT)[(turn + turn // 2) % 2]
            realtime = Realtime(config) if name == WITH else None
            bench.turn(args.cycles, realtime, found[name])
            refused = realtime.refused if realtime is not None else refused
            print(f'turn {turn + 1} of {2 * args.turns}: {name}', flush=True)
    for line in refused:
        print(line)
    print(f'{"":10} {"":18} {"p50":>9} {"p99":>9} {"p99.9":>9} {"max":>9}')
    for name, measured in found.items():
        for what, row in measured.summary().items():
            print(f'{name:10} {what:18}',
                  *(f'{row[key]:9.3f}' for key in ('p50', 'p99', 'p99.9', 'max')))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({
            **{name: measured.summary() for name, measured in found.items()},
            'refused': refused, 'load': args.load, 'load_before': load_before,
            'versions': versions()}, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
