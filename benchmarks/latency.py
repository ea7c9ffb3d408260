# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What latency compensation is worth: success with a late camera, with it and without.

Each cycle is charged with the same time, so that the machine does not matter.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import torch

from sparse_imagination_ros.evaluation.closed_loop import drive_episodes, LoopConfig, Thinker
from sparse_imagination_ros.evaluation.estimates import wilson
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, PlannerConfig
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle

INJECTED_MS = (0, 100, 200, 300)


@dataclass(frozen=True)
class Row:
    """Success at one latency; low and high bound it with 95 % confidence."""

    latency_ms: int
    compensated: bool
    success: float
    low: float
    high: float
    episodes: int
    median_s: float


class Naive:
    """A planner that thinks that no time passes, neither before its cycles nor in them."""

    def __init__(self, bundle: Bundle, tokens: int) -> None:
        self._planner = charged(bundle, PlannerConfig(tokens=tokens, budget_ms=1.0), 0.0)

    def set_goal(self, picture: Picture) -> None:
        """Take a new goal."""
        self._planner.set_goal(picture)

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float) -> Cycle:
        """Run one cycle."""
        del waited_s
        return self._planner.plan(frame, sent)


def measure(
    bundle: Bundle, latency_ms: int, compensated: bool, seeds: range, cycle_ms: float,
    tokens: int,
) -> Row:
    """Drive the episodes of these seeds."""
    world = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
    loop = LoopConfig(camera_latency_s=latency_ms / 1000, staleness_s=1.0)
    planner: Thinker = Naive(bundle, tokens)
    if compensated:
        config = PlannerConfig(tokens=tokens, budget_ms=cycle_ms)
        planner = charged(bundle, config, cycle_ms)
    episodes = list(drive_episodes(
        world, planner, bundle.limits(loop.staleness_s), seeds, loop, lambda cycle: cycle_ms))
    times = sorted(episode.seconds for episode in episodes if episode.success)
    bounds = wilson(len(times), len(episodes))
    return Row(
        latency_ms, compensated, len(times) / len(episodes), bounds.low, bounds.high,
        len(episodes), times[len(times) // 2] if times else 0.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='Success with injected latency, compensated and not.')
    parser.add_argument('--bundle', type=Path, default=Path('models/rooms'))
    parser.add_argument('--episodes', type=int, default=100, help='of each (%(default)s)')
    parser.add_argument('--seed', type=int, default=100, help='of the first one (%(default)s)')
    parser.add_argument('--tokens', type=int, default=4, help='(%(default)s)')
    parser.add_argument('--cycle-ms', type=float, default=130.0,
                        help='what each cycle is charged with (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bundle = Bundle.load(args.bundle)
    seeds = range(args.seed, args.seed + args.episodes)
    rows = []
    for latency_ms in INJECTED_MS:
        for compensated in (True, False):
            row = measure(bundle, latency_ms, compensated, seeds, args.cycle_ms, args.tokens)
            rows.append(row)
            print(f'{latency_ms:4} ms  {"compensated" if compensated else "naive":12} '
                  f'{100 * row.success:5.1f} % ({100 * row.low:.0f} to {100 * row.high:.0f}), '
                  f'median {row.median_s:.1f} s', flush=True)
    if args.json:
        args.json.write_text(json.dumps({'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
