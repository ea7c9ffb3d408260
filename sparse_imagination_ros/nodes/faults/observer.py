# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Hears what a planner commands and says, and judges it by the robot alone.

It shares nothing with the planner but the topics.
"""

from collections.abc import Mapping
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
import numpy as np
from rcl_interfaces.msg import Log
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from sparse_imagination_ros.evaluation.audit import Audit
from sparse_imagination_ros.evaluation.coasting import Coasting
from sparse_imagination_ros.nodes.messages import NANOSECONDS, readings, TWIST_PARTS, values_from
from sparse_imagination_ros.sim.robots import Robot

# Nothing is lost while its process does other things for a second.
DEPTH = QoSProfile(depth=1000)


class Observer:
    """An ear for commands, diagnostics and the log; commands are judged one by one."""

    def __init__(self, domain: int, robot: Robot, planner: str) -> None:
        """Listen to what the planner of this name says, and to all commands."""
        self._robot, self._planner = robot, planner
        self._others = [part for part in TWIST_PARTS if part not in robot.action_names]
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node('observer', context=self._context, enable_rosout=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.audit, self.base = Audit(robot), Coasting(robot)
        # In words, what was outside, and the last command before.
        self.unsafe: list[str] = []
        self._last = 0.0, np.zeros(len(robot.limit))
        # The newest status; what was said, and when, on the steady clock; readings by task.
        self.status = ''
        self._said: list[tuple[float, str]] = []
        self._readings: dict[str, dict[str, str]] = {}
        self.told_s = float('-inf')
        for kind, topic, listen in (
                (Twist, 'cmd_vel', self._on_command),
                (DiagnosticArray, '/diagnostics', self._on_diagnostics),
                (Log, '/rosout', self._on_log)):
            self.node.create_subscription(kind, topic, listen, DEPTH)

    def close(self) -> None:
        """Hear no more."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def listen(self, span_s: float) -> None:
        """Hear of others for at most so long."""
        self._executor.spin_once(timeout_sec=span_s)
        self.base.advance(time.monotonic())

    def hear(self, sent_s: float, message: Twist) -> None:
        """Take a command that was sent at this time."""
        values = values_from(message, self._robot.action_names)
        rest = float(np.abs(values_from(message, self._others)).max())
        if not self.audit.add(sent_s, values, rest):
            last_s, last = self._last
            self.unsafe.append(f'{values}, {1000 * (sent_s - last_s):.0f} ms after {last}')
        self._last = sent_s, values
        self.base.hear(time.monotonic(), np.nan_to_num(values))

    def read(self, words: str, since_s: float) -> str:
        """Return the newest text with these words that was said since then; empty if none."""
        return next((text for said_s, text in reversed(self._said)
                     if said_s >= since_s and words in text), '')

    def reading(self, task: str, key: str) -> str:
        """Return the newest reading of a task on /diagnostics; empty if there is none."""
        return self._readings.get(task, {}).get(key, '')

    def forget(self) -> None:
        """Forget what was said."""
        self._said.clear()
        self.unsafe.clear()
        self._readings.clear()

    def _on_command(self, message: Twist, info: Mapping[str, Any]) -> None:
        self.hear((info['source_timestamp'] or time.time_ns()) / NANOSECONDS, message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name, _, task = status.name.partition(': ')
            if name == self._planner:
                self.told_s = time.monotonic()
                self._readings[task] = readings(status)
                if task == 'planning':
                    self.status = status.message
                    self._said.append((self.told_s, self.status))

    def _on_log(self, message: Log) -> None:
        if message.name == self._planner:
            self._said.append((time.monotonic(), message.msg))
