# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The referee of a demonstration: starts episodes, judges and records what the other nodes do.

It is no ROS executable: it lives in the process of `sparse-imagination demo`, which spins it. It
knows only what goes over topics and services.
"""

from collections import deque
from collections.abc import Callable
import json
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from sparse_imagination_ros.bags.recording import Bag
from sparse_imagination_ros.errors import NodeError
from sparse_imagination_ros.evaluation.audit import Audit
from sparse_imagination_ros.evaluation.run import (
    CycleRecord,
    EpisodeRecord,
    TopicRecord,
)
from sparse_imagination_ros.nodes.asking import (
    ANSWER_TIME_S,
    Lifecycle,
    Simulator,
    START_TIME_S,
)
from sparse_imagination_ros.nodes.episode import EpisodeCollector, Progress
from sparse_imagination_ros.nodes.messages import (
    NANOSECONDS,
    readings,
    seconds,
    TWIST_PARTS,
    values_from,
)
from sparse_imagination_ros.nodes.recorder import Recorder
from sparse_imagination_ros.sim.robots import Robot

SIM, PLANNER = 'sim_node', 'planner_node'
CYCLE = f'{PLANNER}/cycle'
# topic, type, latched: followed before anything is published, so that the bag misses nothing.
TOPICS = (
    ('image', 'sensor_msgs/msg/Image', False),
    ('odom', 'nav_msgs/msg/Odometry', False),
    ('goal_image', 'sensor_msgs/msg/Image', True),
    ('goal_pose', 'geometry_msgs/msg/PoseStamped', True),
    ('cmd_vel', 'geometry_msgs/msg/Twist', False),
    (CYCLE, 'diagnostic_msgs/msg/DiagnosticStatus', False),
    (f'{PLANNER}/arrived', 'std_msgs/msg/Bool', True),
    (f'{PLANNER}/transition_event', 'lifecycle_msgs/msg/TransitionEvent', False),
    ('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', False),
    ('/rosout', 'rcl_interfaces/msg/Log', True),
    ('/parameter_events', 'rcl_interfaces/msg/ParameterEvent', False),
)
SPLIT = 'held_out'
# Discovery is complete on one side a moment before it is on the other.
SETTLE_S = 0.5
FRAMES_KEPT = 30


class Referee(Node):
    """Drives the demonstration step by step; while it waits it listens, records and ticks."""

    def __init__(
        self, robot: Robot, bag: Bag, time_limit_s: float,
        on_tick: Callable[[Progress | None], None],
    ) -> None:
        super().__init__('referee_node')
        self._robot, self._bag, self._on_tick = robot, bag, on_tick
        self._time_limit_s = time_limit_s
        self._episode: EpisodeCollector | None = None
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._frames: deque[Image] = deque(maxlen=FRAMES_KEPT)
        self._goals: deque[Image | PoseStamped] = deque(maxlen=2)
        self._speed = 0.0
        self._ticked_s = 0.0
        self.cycles: tuple[CycleRecord, ...] = ()
        self.audit = Audit(robot)
        self._listeners: dict[str, tuple[Any, Callable[[Any, int], None]]] = {
            self.resolve_topic_name(topic): (kind, listen) for topic, kind, listen in (
                ('image', Image, self._on_image),
                ('odom', Odometry, self._on_odometry),
                ('goal_image', Image, self._on_goal),
                ('goal_pose', PoseStamped, self._on_goal),
                ('cmd_vel', Twist, self._on_command),
                (CYCLE, DiagnosticStatus, self._on_cycle),
                ('/diagnostics', DiagnosticArray, self._on_diagnostics))}
        self._recorder = Recorder(self, bag, self._listen)
        for topic, message_type, latched in TOPICS:
            self._recorder.follow(topic, message_type, latched)
        self._simulator = Simulator(self, SIM, self.listen)
        self._planner = Lifecycle(self, PLANNER, self.listen)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def close(self) -> None:
        """Listen no more."""
        self._executor.shutdown()
        self.destroy_node()

    def start_planner(self) -> None:
        """Bring the planner to life, once nothing that it or the simulator says can be missed."""
        self._wait(
            lambda: self._recorder.hears('image', 'odom', 'goal_image', 'goal_pose'),
            START_TIME_S, f'{SIM} publishes nothing: see its log')
        self._bring('configure')
        self._wait(
            lambda: self._recorder.hears('cmd_vel', CYCLE), ANSWER_TIME_S,
            f'{PLANNER} has no publishers: see its log')
        self.listen(SETTLE_S)
        self._bring('activate')

    def drive(self, number: int, seed: int) -> EpisodeRecord:
        """Run one episode to its end."""
        self._recorder.follow_others()
        said = self._simulator.draw(seed, split=SPLIT)
        episode = self._episode = EpisodeCollector(number, json.loads(said), self._robot)
        # The goal was published before the answer.
        for goal in self._goals:
            episode.add_goal(goal)
        self._wait(
            lambda: episode.success or episode.elapsed_s >= self._time_limit_s,
            self._time_limit_s + ANSWER_TIME_S, f'{SIM} sends no odometry any more: see its log')
        self._episode = None
        self.cycles += episode.cycles
        return episode.record()

    def stop_planner(self) -> None:
        """Have the robot brought to rest."""
        self._bring('deactivate')
        self._wait(lambda: self._speed == 0.0, ANSWER_TIME_S,
                   f'{PLANNER} does not stop the robot: see its log')

    def listen(self, seconds: float) -> None:
        """Record for a while."""
        end_s = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() >= end_s, math.inf, '')

    def topics(self) -> tuple[TopicRecord, ...]:
        """Return what was recorded of each topic, and what its nodes say they published."""
        published: dict[str, int] = {}
        for status in self._statuses.values():
            for key, value in readings(status).items():
                if key.startswith('sent '):
                    topic = key.removeprefix('sent ')
                    published[topic] = published.get(topic, 0) + int(value)
        return tuple(
            TopicRecord(topic, self._bag.type_of(topic), count, published.get(topic))
            for topic, count in sorted(self._bag.counts.items()))

    def reading(self, node: str, key: str) -> str:
        """Return what a node last said of itself on /diagnostics."""
        self._wait(lambda: key in self._readings(node), ANSWER_TIME_S,
                   f'{node} says nothing of its {key} on /diagnostics; see its log')
        return self._readings(node)[key]

    def _wait(self, until: Callable[[], bool], limit_s: float, otherwise: str) -> None:
        end_s = time.monotonic() + limit_s
        while not until():
            self._executor.spin_once(timeout_sec=0.05)
            now_s = time.monotonic()
            if now_s > end_s:
                raise NodeError(otherwise)
            if now_s > self._ticked_s + 0.2:
                self._ticked_s = now_s
                self._on_tick(self._episode.progress() if self._episode else None)

    def _bring(self, name: str) -> None:
        if not self._planner.bring(name):
            # Its own words arrive by another way, perhaps a moment later.
            self.listen(SETTLE_S)
            raise NodeError(f'{PLANNER} cannot {name}: {self._said(PLANNER)}')

    def _said(self, node: str) -> str:
        status = self._status(node)
        return str(status.message) if status else 'it says nothing on /diagnostics; see its log'

    def _readings(self, node: str) -> dict[str, str]:
        status = self._status(node)
        return readings(status) if status else {}

    def _status(self, node: str) -> DiagnosticStatus | None:
        for name, status in self._statuses.items():
            if name.startswith(f'{node}:'):
                return status
        return None

    def _listen(self, topic: str, sent_ns: int, data: bytes) -> None:
        if topic in self._listeners:
            kind, listener = self._listeners[topic]
            listener(deserialize_message(data, kind), sent_ns)

    def _on_image(self, message: Image, sent_ns: int) -> None:
        self._frames.append(message)

    def _on_odometry(self, message: Odometry, sent_ns: int) -> None:
        if self._episode is not None:
            position = message.pose.pose.position
            self._episode.add_position(seconds(message.header.stamp), position.x, position.y)

    def _on_goal(self, message: Image | PoseStamped, sent_ns: int) -> None:
        self._goals.append(message)
        if self._episode is not None:
            self._episode.add_goal(message)

    def _on_command(self, message: Twist, sent_ns: int) -> None:
        names = self._robot.action_names
        values = values_from(message, names)
        others = values_from(message, [part for part in TWIST_PARTS if part not in names])
        self._speed = float(abs(values).max())
        self.audit.add(sent_ns / NANOSECONDS, values, float(abs(others).max()))
        if self._episode is not None:
            self._episode.add_command(sent_ns / NANOSECONDS, values)

    def _on_cycle(self, message: DiagnosticStatus, sent_ns: int) -> None:
        if self._episode is not None:
            self._episode.add_cycle(readings(message), sent_ns / NANOSECONDS, self._frames)

    def _on_diagnostics(self, message: DiagnosticArray, sent_ns: int) -> None:
        self._statuses.update({status.name: status for status in message.status})
