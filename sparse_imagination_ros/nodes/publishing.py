# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Publishers that count, and the status that a node reports once a second on /diagnostics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from sparse_imagination_ros.nodes.messages import status_from

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE)

STATUS_PERIOD_S = 1.0
LAST_WORDS_S = 1.0

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
# For what is said once and must be heard by those who come later.
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# For pictures: only the newest is worth having. It matches reliable publishers, too.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# For what people look at: RViz asks for reliable publishers.
NEWEST_RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Status:
    """What a node says of itself."""

    level: bytes
    text: str
    values: Mapping[str, object] = field(default_factory=dict)


class Outlet:
    """A publisher that counts the messages it sent while anybody listened."""

    def __init__(self, node: Node, kind: type[Any], topic: str, qos: QoSProfile) -> None:
        self._node = node
        self._publisher = node.create_publisher(kind, topic, qos)
        self._latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        self._open = True
        self.sent = 0

    @property
    def topic(self) -> str:
        """Return the name that the messages are sent under."""
        return str(self._publisher.topic_name)

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return int(self._publisher.get_subscription_count())

    def publish(self, message: Any) -> None:
        """Send."""
        # Latched messages reach those who come later, so that they always count.
        if self._latched or self._publisher.get_subscription_count():
            self.sent += 1
        self._publisher.publish(message)

    def flush(self) -> None:
        """Wait until reliable listeners have what was sent."""
        if self._open:
            self._publisher.wait_for_all_acked(Duration(seconds=LAST_WORDS_S))

    def close(self) -> None:
        """Publish no more, once what was sent is there."""
        self.flush()
        self.drop()

    def drop(self) -> None:
        """Publish no more, whoever still waits."""
        self._open = False
        self._node.destroy_publisher(self._publisher)


class Reporter:
    """
    Publishes `status()` on /diagnostics, on a clock that never stands still.

    details: returns what stands behind it, by task; it comes after the status.
    """

    def __init__(
        self, node: Node, task: str, status: Callable[[], Status], hardware: str,
        details: Callable[[], Mapping[str, Status]] = dict,
    ) -> None:
        self._node, self._status, self._hardware = node, status, hardware
        self._task, self._details = task, details
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._outlet = Outlet(node, DiagnosticArray, '/diagnostics', RELIABLE)
        self._outlets: dict[str, Outlet] = {self._outlet.topic: self._outlet}
        node.create_timer(STATUS_PERIOD_S, self.report, clock=steady_clock())

    def watch(self, *outlets: Outlet) -> None:
        """Report how many messages these have sent, and earlier ones on the same topics."""
        for outlet in outlets:
            if outlet.topic in self._outlets:
                outlet.sent += self._outlets[outlet.topic].sent
            self._outlets[outlet.topic] = outlet

    def report(self) -> None:
        """Publish the status now."""
        status = self._status()
        sent = {f'sent {topic}': outlet.sent for topic, outlet in self._outlets.items()}
        # This message counts itself.
        sent[f'sent {self._outlet.topic}'] += 1
        statuses = {self._task: replace(status, values={**status.values, **sent}),
                    **self._details()}
        message = DiagnosticArray(status=[
            status_from(f'{self._name}: {task}', one.level, one.text, one.values, self._hardware)
            for task, one in statuses.items()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._outlet.publish(message)

    def close(self) -> None:
        """Report for the last time, and see it off."""
        self.report()
        for outlet in self._outlets.values():
            outlet.flush()


def publishers(node: Node, topic: str) -> list[str]:
    """Return the names of the nodes that publish on a topic, as often as they have publishers."""
    return sorted(one.node_name for one in node.get_publishers_info_by_topic(topic))


def steady_clock() -> Clock:
    """Return a clock that runs whatever simulated time does."""
    return Clock(clock_type=ClockType.STEADY_TIME)
