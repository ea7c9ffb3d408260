# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the planner's node adds to the planning: over two real processes, a camera and the node.

    python benchmarks/node.py --seconds 30 --json node.json

A camera of 640 x 480 raw pixels publishes best effort at 30 Hz, as drivers do. The node says
what each stage took; this process listens to its commands, and in every second turn to all that
people can look at. Beside it, designs that were rejected, whose planning is to sleep. Nothing else
should run on the machine.
"""

import argparse
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Path as PathMessage
import numpy as np
import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Float64
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from sparse_imagination_ros.cli.domains import isolated, own_domain
from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.evaluation.estimates import percentiles, spread
from sparse_imagination_ros.graph import planner_graph, profile_environment
from sparse_imagination_ros.nodes.messages import image_from, NANOSECONDS, readings, seconds
from sparse_imagination_ros.nodes.tally import STAGES
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.views.shown import ALL, Kind

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
# What a rejected design does instead of planning; asleep, so that it shares the processor well.
WORK_S = 0.045
# Until a process ends, and until one speaks.
PATIENCE_S, START_S = 30.0, 180.0
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
DEFAULT = QoSProfile(depth=10)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
KINDS = {Kind.PICTURE: Image, Kind.LINES: MarkerArray, Kind.PATH: PathMessage,
         Kind.NUMBER: Float64}


@dataclass(frozen=True)
class Design:
    """A rejected way: the callback of the picture does the work."""

    meaning: str
    qos: QoSProfile
    threads: int


DESIGNS = {
    'callback_default': Design('in the callback, reliable, a queue of 10', DEFAULT, 1),
    'callback_newest': Design('in the callback, best effort, the newest only', BEST_EFFORT, 1),
    'callback_threads': Design('the same, with 3 threads of the executor', BEST_EFFORT, 3),
}


def camera() -> None:
    """Publish pictures until the process is ended."""
    node = Node('camera')
    reliable = os.environ.get('CAMERA_RELIABLE') == '1'
    image = node.create_publisher(Image, 'image', DEFAULT if reliable else BEST_EFFORT)
    goal = node.create_publisher(Image, 'goal_image', LATCHED)
    world = Rooms('omnidirectional')
    now = node.get_clock().now().to_msg()
    goal.publish(image_from(_wide(world.picture_at(world.goal)), now, 'camera'))
    data = array('B', _wide(world.picture()).tobytes())

    def expose() -> None:
        message = Image(height=HEIGHT, width=WIDTH, step=3 * WIDTH, encoding='rgb8', data=data)
        message.header.stamp = node.get_clock().now().to_msg()
        image.publish(message)

    node.create_timer(1 / RATE_HZ, expose)
    rclpy.spin(node)


def _wide(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a picture of the world in the middle of one of the camera's size."""
    wide = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    top, left = (HEIGHT - picture.shape[0]) // 2, (WIDTH - picture.shape[1]) // 2
    wide[top:top + picture.shape[0], left:left + picture.shape[1]] = picture
    return wide


def rejected(design: Design) -> None:
    """Answer pictures by commands until the process is ended."""
    node = Node('rejected')
    commands = node.create_publisher(TwistStamped, 'cmd_vel', DEFAULT)

    def on_image(message: Image) -> None:
        time.sleep(WORK_S)
        command = TwistStamped(header=message.header)
        command.twist.linear.x = 1.0
        commands.publish(command)

    node.create_subscription(
        Image, 'image', on_image, design.qos, callback_group=MutuallyExclusiveCallbackGroup())
    # The loop of the commands, which has to share the executor.
    node.create_timer(0.02, lambda: None, callback_group=MutuallyExclusiveCallbackGroup())
    executor = (MultiThreadedExecutor(design.threads) if design.threads > 1
                else SingleThreadedExecutor())
    executor.add_node(node)
    executor.spin()


class Ear:
    """Hears commands and what the node says of itself."""

    def __init__(self) -> None:
        self.node = Node('ear')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.latencies_ms: list[float] = []
        self.said: dict[str, dict[str, str]] = {}
        self._stamp_s = 0.0
        self._views: list[Any] = []
        self.node.create_subscription(TwistStamped, 'cmd_vel', self._on_command, 10)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, 10)

    def look(self, looks: bool) -> None:
        """Listen to what people look at, or do not."""
        if looks:
            self._views = [
                self.node.create_subscription(KINDS[one.kind], one.topic, lambda _: None, 1)
                for one in ALL]
        else:
            for view in self._views:
                self.node.destroy_subscription(view)
            self._views = []

    def listen(self, seconds_: float) -> None:
        """Listen for so long."""
        end_s = time.monotonic() + seconds_
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.02)

    def wait(self, until: Callable[[], Any], limit_s: float) -> None:
        """Listen until it is so."""
        end_s = time.monotonic() + limit_s
        while not until():
            self.listen(0.05)
            if time.monotonic() > end_s:
                raise SystemExit(f'nothing came within {limit_s:g} s: {self.said}')

    def _on_command(self, message: TwistStamped) -> None:
        stamp_s = seconds(message.header.stamp)
        # The first command of each frame; others repeat its stamp.
        if stamp_s > self._stamp_s and message.twist.linear.x:
            now_s = self.node.get_clock().now().nanoseconds / NANOSECONDS
            self.latencies_ms.append(1000 * (now_s - stamp_s))
        self._stamp_s = max(self._stamp_s, stamp_s)

    def _on_status(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.said[status.name.partition(': ')[2]] = readings(status)


def measure_design(name: str, seconds_: float, ear: Ear) -> dict[str, float]:
    """Return the latency from stamp to command of a rejected design."""
    reliable = DESIGNS[name].qos is DEFAULT
    children = [_child('--camera', CAMERA_RELIABLE='1' if reliable else '0'),
                _child('--design', name)]
    try:
        ear.latencies_ms.clear()
        ear.wait(lambda: ear.latencies_ms, START_S)
        ear.latencies_ms.clear()
        ear.listen(seconds_)
        return _summary(ear.latencies_ms)
    finally:
        _end(children)


def measure_node(bundle: str, seconds_: float, turns: int, ear: Ear, folder: Path) -> Any:
    """Return what the node says of its stages, with and without somebody who looks."""
    spec, = planner_graph(bundle)
    more: tuple[tuple[str, Any], ...] = (
        ('enable_stamped_cmd_vel', True), ('camera_freeze_s', 0.0),
        ('region_left', (WIDTH - 224) // 2), ('region_top', (HEIGHT - 224) // 2),
        ('region_width', 224), ('region_height', 224))
    found: dict[str, list[dict[str, float]]] = {'unseen': [], 'seen': []}
    with Processes(folder, dict(os.environ)) as processes:
        processes.start(replace(spec, parameters=(*spec.parameters, *more)))
        children = [_child('--camera')]
        try:
            ear.latencies_ms.clear()
            ear.wait(lambda: ear.latencies_ms, START_S)
            for turn in range(2 * turns):
                seen = turn % 2 == 1
                ear.look(seen)
                ear.listen(2.0)
                _reset(ear)
                ear.latencies_ms.clear()
                ear.listen(seconds_)
                latency = {key: float(value) for key, value in ear.said['latency'].items()}
                found['seen' if seen else 'unseen'].append(
                    {**latency, **{f'heard ms {k}': v
                                   for k, v in _summary(ear.latencies_ms).items()}})
            camera_says = ear.said['camera']
        finally:
            _end(children)
    return {'camera': camera_says,
            **{name: _medians(rows) for name, rows in found.items()}}


def _reset(ear: Ear) -> None:
    """Let the node's numbers begin anew."""
    client = ear.node.create_client(Trigger, 'planner_node/reset')
    ear.wait(client.service_is_ready, 10.0)
    answer = client.call_async(Trigger.Request())
    ear.wait(answer.done, 10.0)
    ear.node.destroy_client(client)


def _medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: round(float(np.median([row[key] for row in rows])), 3) for key in rows[0]}


def _summary(times_ms: Sequence[float]) -> dict[str, float]:
    times = percentiles(times_ms)
    return {'p50': round(times.p50, 2), 'p95': round(times.p95, 2), 'p99': round(times.p99, 2),
            'jitter': round(spread(times_ms), 2), 'count': len(times_ms)}


def _child(*words: str, **environment: str) -> 'subprocess.Popen[bytes]':
    return subprocess.Popen(
        [sys.executable, __file__, *words], env={**os.environ, **environment})


def _end(children: Sequence['subprocess.Popen[bytes]']) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.wait(PATIENCE_S)


def _print(results: dict[str, Any]) -> None:
    node = results['node']
    print(f'{"stage of the node":22} {"p50":>8} {"p95":>8} {"p99":>8}   and seen: p99')
    for stage in STAGES:
        values = [node['unseen'][f'{stage} ms {p}'] for p in ('p50', 'p95', 'p99')]
        print(f'{stage:22}', *(f'{v:8.2f}' for v in values),
              f'   {node["seen"][f"{stage} ms p99"]:8.2f}')
    print(f'{"stamp to command of":44} {"p50":>8} {"p95":>8} {"jitter":>8}')
    for name, row in results['designs'].items():
        print(f'{DESIGNS[name].meaning:44} {row["p50"]:8.1f} {row["p95"]:8.1f} '
              f'{row["jitter"]:8.1f}')
    print('camera:', node['camera'])


def main() -> None:
    """Measure, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description='What the node adds to the planning.')
    parser.add_argument('--bundle', default='rooms', help='the model (%(default)s)')
    parser.add_argument('--seconds', type=float, default=30.0, help='of each turn (%(default)s)')
    parser.add_argument('--turns', type=int, default=3,
                        help='seen and unseen, each so often (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here')
    parser.add_argument('--camera', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--design', choices=DESIGNS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.camera or args.design:
        # Whoever started it ends it, wherever it is.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        camera() if args.camera else rejected(DESIGNS[args.design])
        return
    with own_domain() as domain, tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            isolated(domain), ROS_LOG_DIR=folder, **dict(profile_environment()))
        rclpy.init()
        ear = Ear()
        results = {
            'load_before': os.getloadavg()[0],
            'node': measure_node(args.bundle, args.seconds, args.turns, ear, Path(folder)),
            'work_ms': 1000 * WORK_S,
            'designs': {name: measure_design(name, args.seconds, ear) for name in DESIGNS}}
        rclpy.try_shutdown()
    _print(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
