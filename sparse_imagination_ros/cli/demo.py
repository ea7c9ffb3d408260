# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination demo`: the whole path over ROS 2, in several processes, with a report."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import datetime, timezone
import json
import os
from pathlib import Path
from typing import Any, TYPE_CHECKING

from rich.console import Console

from sparse_imagination_ros.cli.display import Display, result_table
from sparse_imagination_ros.cli.domains import isolated, own_domain
from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.config import read_mapping
from sparse_imagination_ros.errors import BundleError, SparseImaginationError

if TYPE_CHECKING:
    from sparse_imagination_ros.evaluation.run import DemoRun
    from sparse_imagination_ros.nodes.episode import Progress
    from sparse_imagination_ros.nodes.referee_node import Referee

TIME_LIMIT_S = 30.0
DIFFERENTIAL_EPISODES = 5


@dataclass(frozen=True)
class Demo:
    """What one run is to be."""

    robot: str
    bundle: str
    episodes: int
    seed: int
    time_limit_s: float
    domain: int | None
    sim_file: Path | None
    out: Path


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'demo', help='drive a simulated robot to goal pictures over ROS 2',
        description='Start a simulated robot and the planner as ROS 2 nodes, drive episodes in '
                    'layouts that training never saw, and write a report, a summary and a bag.')
    parser.add_argument('--episodes', type=int, default=20, help='how many (%(default)s)')
    parser.add_argument('--seed', type=int, default=9000, help='of the first one (%(default)s)')
    parser.add_argument(
        '--robot', choices=('omnidirectional', 'differential'),
        help='how the base moves (omnidirectional, and a few episodes of differential after it)')
    parser.add_argument(
        '--bundle', default='', help='the model: name of one in models/, or path of a folder '
                                     '(the one for this robot)')
    parser.add_argument(
        '--sim-file', type=Path, metavar='FILE',
        help='parameters of sim_node, such as base_drift, camera_noise and camera_latency_s '
             '(the config/sim.yaml of the package)')
    parser.add_argument('--out', type=Path, default=Path('out/demo'), metavar='FOLDER',
                        help='where the results go (%(default)s)')
    parser.add_argument('--domain', type=int, metavar='N',
                        help='ROS domain to use (one that no other run uses)')
    parser.add_argument('--time-limit', type=float, default=TIME_LIMIT_S, metavar='SECONDS',
                        help='an episode ends without success after this (%(default)s)')


def run(args: argparse.Namespace) -> int:
    """Run the demonstration."""
    from sparse_imagination_ros.evaluation.report import write_report
    from sparse_imagination_ros.evaluation.summary import summary
    from sparse_imagination_ros.graph import BUNDLES
    from sparse_imagination_ros.share import bundle_path

    if args.episodes < 1 or args.seed < 0:
        raise SparseImaginationError(
            f'--episodes {args.episodes} --seed {args.seed}: at least 1 and 0 are needed')
    console = Console(highlight=False)
    robot = args.robot or 'omnidirectional'
    main = Demo(robot, args.bundle or BUNDLES[robot], args.episodes, args.seed, args.time_limit,
                args.domain, args.sim_file, args.out)
    runs = [_drive(main, console)]
    numbers = summary(runs[0])
    if args.robot is None and not args.bundle:
        beside = Demo(
            'differential', BUNDLES['differential'], min(args.episodes, DIFFERENTIAL_EPISODES),
            args.seed, args.time_limit, args.domain, args.sim_file, args.out / 'differential')
        try:
            bundle_path(beside.bundle)
        except SparseImaginationError:
            console.print(f'No models/{beside.bundle}: the differential base is left out.')
        else:
            runs.append(_drive(beside, console))
            numbers['differential'] = summary(runs[1])
            write_report(runs[1], beside.out / 'report.html')
    write_report(runs[0], main.out / 'report.html')
    path = main.out / 'summary.json'
    path.write_text(json.dumps(numbers, indent=2) + '\n', encoding='utf-8')
    console.print(result_table(runs))
    console.print(f'Report: {main.out / "report.html"}   summary: {path}   '
                  f'bag: {main.out / "bag"}')
    return 0


def _drive(demo: Demo, console: Console) -> DemoRun:
    """Run all episodes with one robot."""
    from sparse_imagination_ros.graph import demo_graph, profile_environment
    from sparse_imagination_ros.share import bundle_path

    # What is missing is better said before anything is started.
    if not bundle_path(demo.bundle).is_dir():
        raise BundleError(
            f'{bundle_path(demo.bundle)} is not there; name a bundle folder, or make one with '
            '`sparse-imagination train`')
    if demo.sim_file is not None:
        read_mapping(demo.sim_file)
    graph = demo_graph(
        demo.robot, str(demo.seed), demo.bundle, sim_file=str(demo.sim_file or ''),
        autostart='false')
    with own_domain(demo.domain) as domain:
        os.environ.update(
            isolated(domain), ROS_LOG_DIR=str((demo.out / 'logs/ros').resolve()),
            **dict(profile_environment()))
        with Processes(demo.out / 'logs', isolated(domain)) as processes, \
                Display(console, demo.episodes) as display:
            display.note(f'Starting {" and ".join(spec.name for spec in graph)} for the '
                         f'{demo.robot} robot on ROS domain {domain}, logs in '
                         f'{demo.out / "logs"}')
            for spec in graph:
                processes.start(spec)
            return _referee(demo, processes, display)


def _referee(demo: Demo, processes: Processes, display: Display) -> DemoRun:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from sparse_imagination_ros.bags.recording import Bag
    from sparse_imagination_ros.nodes.referee_node import Referee
    from sparse_imagination_ros.sim.robots import robot

    def tick(progress: Progress | None) -> None:
        processes.check()
        display.tick(progress)

    # Ctrl-C is ours, so that the nodes are ended in order.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        bag = Bag(demo.out / 'bag')
        try:
            referee = Referee(robot(demo.robot), bag, demo.time_limit_s, tick)
            try:
                return _episodes(demo, processes, display, referee)
            finally:
                referee.close()
        finally:
            bag.close()
    finally:
        rclpy.try_shutdown()


def _episodes(
    demo: Demo, processes: Processes, display: Display, referee: Referee,
) -> DemoRun:
    from rclpy.utilities import get_rmw_implementation_identifier

    from sparse_imagination_ros.evaluation.run import DemoRun
    from sparse_imagination_ros.evaluation.versions import versions
    from sparse_imagination_ros.nodes.referee_node import PLANNER, SIM, SPLIT
    from sparse_imagination_ros.sim.robots import robot

    started_at = datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
    referee.start_planner()
    display.budget_ms = float(referee.reading(PLANNER, 'budget ms'))
    display.note(f'The planner is ready; the budget of a cycle is {display.budget_ms:g} ms')
    episodes = []
    for number in range(demo.episodes):
        before = len(referee.cycles)
        episodes.append(referee.drive(number, demo.seed + number))
        display.finish(episodes[-1], referee.cycles[before:])
    referee.stop_planner()
    names = (*processes.names, 'sparse-imagination demo')
    # The commander goes first; what both say last is still recorded.
    for name in (PLANNER, SIM):
        processes.end(name, lambda: referee.listen(0.05))
    topics = referee.topics()
    for topic in topics:
        if topic.published not in (None, topic.recorded):
            display.note(f'{topic.name}: {topic.recorded} of {topic.published} messages '
                         'were recorded')
    return DemoRun(
        robot=demo.robot, bundle=demo.bundle, seed=demo.seed, split=SPLIT,
        time_limit_s=demo.time_limit_s, budget_ms=display.budget_ms,
        command_rate_hz=referee.audit.rate_hz, action_names=robot(demo.robot).action_names,
        commands=referee.audit.commands, commands_outside_limits=referee.audit.outside,
        rmw_implementation=get_rmw_implementation_identifier(), processes=names,
        versions=tuple(versions().items()), episodes=tuple(episodes), cycles=referee.cycles,
        topics=topics, started_at=started_at)
