# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Success by budget: each cycle ends before its deadline on this machine, whatever that allows.

    python benchmarks/budgets.py --bundles models/rooms models/rla --plot budgets.png

All bundles drive the same episodes in virtual time; the world moves on by the time that a cycle
really took. Nothing else should run on the machine.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
import json
from pathlib import Path
from time import monotonic

import torch

from sparse_imagination_ros.evaluation.closed_loop import (
    drive_episodes,
    LoopConfig,
    Score,
    score,
)
from sparse_imagination_ros.planning.latency import LatencyModel
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, Planner, PlannerConfig
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle


@dataclass(frozen=True)
class Row:
    """How one bundle did within one budget."""

    bundle: str
    budget_ms: float
    score: Score


class Hurried:
    """A planner that is always given its budget, and no more."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def set_goal(self, picture: Picture) -> None:
        """Take a new goal."""
        self._planner.set_goal(picture)

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float) -> Cycle:
        """Run one cycle."""
        return self._planner.plan(
            frame, sent, monotonic() + self._planner.budget_s, waited_s)


def measure(bundle: Bundle, config: PlannerConfig, seeds: range, loop: LoopConfig) -> Score:
    """Drive the episodes of these seeds."""
    world = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
    planner = Planner(bundle, config, latency=LatencyModel())
    episodes = list(drive_episodes(
        world, Hurried(planner), bundle.limits(loop.staleness_s), seeds, loop))
    return score(config.tokens, episodes, config.budget_ms)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw success over the budget, with its interval."""
    plots = import_module('matplotlib.pyplot')
    figure, axes = plots.subplots(figsize=(6, 3.5), layout='constrained')
    for name in dict.fromkeys(row.bundle for row in rows):
        mine = [row for row in rows if row.bundle == name]
        budgets = [row.budget_ms for row in mine]
        line, = axes.plot(budgets, [100 * row.score.success for row in mine], marker='o',
                          label=name)
        axes.fill_between(budgets, [100 * row.score.low for row in mine],
                          [100 * row.score.high for row in mine], color=line.get_color(),
                          alpha=0.15, linewidth=0)
    axes.set_xscale('log')
    ticks = sorted({row.budget_ms for row in rows})
    axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 102)
    axes.set_xlabel('budget of a cycle, ms')
    axes.set_ylabel('goals reached, %')
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='Success of bundles by the budget of a cycle.')
    parser.add_argument('--bundles', type=Path, nargs='+', required=True, help='their folders')
    parser.add_argument('--budgets', type=float, nargs='+', default=(15, 25, 50, 100, 150),
                        help='milliseconds (%(default)s)')
    parser.add_argument('--tokens', type=int, default=PlannerConfig().tokens,
                        help='most (%(default)s)')
    parser.add_argument('--iterations', type=int, default=20, help='most (%(default)s)')
    parser.add_argument('--episodes', type=int, default=100, help='of each (%(default)s)')
    parser.add_argument('--seed', type=int, default=9000, help='of the first (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw the curves here')
    args = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(args.seed, args.seed + args.episodes)
    config = replace(PlannerConfig(), tokens=args.tokens, iterations=args.iterations)
    rows = []
    for budget_ms in args.budgets:
        for folder in args.bundles:
            found = measure(Bundle.load(folder), replace(config, budget_ms=budget_ms), seeds,
                            LoopConfig(time_limit_s=15.0))
            rows.append(Row(folder.name, budget_ms, found))
            print(f'{budget_ms:5.0f} ms  {folder.name:16} {100 * found.success:5.1f} % '
                  f'({100 * found.low:.0f} to {100 * found.high:.0f}), median '
                  f'{found.median_s:.1f} s, cycles {found.plan_ms_p50:.1f} ms, '
                  f'{found.deadline_misses} of {found.cycles} late', flush=True)
    if args.json:
        args.json.write_text(json.dumps({
            'seed': args.seed, 'tokens': args.tokens, 'iterations': args.iterations,
            'rows': [asdict(row) for row in rows]}, indent=2) + '\n')
    if args.plot:
        draw(rows, args.plot)


if __name__ == '__main__':
    main()
