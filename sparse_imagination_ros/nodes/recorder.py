# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to a ROS graph and writes all that is said into a bag, as it came over the wire."""

from collections.abc import Callable
from importlib import import_module
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from sparse_imagination_ros.bags.recording import Bag

# Long enough for the writing of a chunk.
DEPTH = 500

Listener = Callable[[str, int, bytes], None]


class Recorder:
    """Records topics; `listener` is told topic, time in nanoseconds and serialised message."""

    def __init__(self, node: Node, bag: Bag, listener: Listener) -> None:
        self._node, self._bag, self._listener = node, bag, listener
        self._subscriptions: dict[str, Subscription] = {}
        self._refused: set[str] = set()

    def follow(
        self, topic: str, message_type: str, latched: bool = False, reliable: bool = True,
    ) -> None:
        """Record a topic, whether or not anybody publishes it yet."""
        topic = self._node.resolve_topic_name(topic)
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self._bag.add_topic(topic, message_type, latched)

        def receive(data: bytes, info: dict[str, int]) -> None:
            sent_ns = info['source_timestamp'] or time.time_ns()
            self._bag.write(topic, sent_ns, data)
            self._listener(topic, sent_ns, data)

        self._subscriptions[topic] = self._node.create_subscription(
            message_class(message_type), topic, receive, QoSProfile(
                depth=DEPTH, durability=durability, reliability=reliability),
            raw=True)

    def follow_others(self) -> None:
        """Record also what is published and was not named."""
        for topic, types in self._node.get_topic_names_and_types():
            if topic in self._subscriptions or topic in self._refused:
                continue
            publishers = self._node.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            if not self._bag.knows(types[0]):
                self._refused.add(topic)
                self._node.get_logger().warning(
                    f'{topic} is not recorded: the type {types[0]} is not known')
                continue
            offered = [publisher.qos_profile for publisher in publishers]
            self.follow(
                topic, types[0],
                latched=all(o.durability == DurabilityPolicy.TRANSIENT_LOCAL for o in offered),
                reliable=all(o.reliability == ReliabilityPolicy.RELIABLE for o in offered))

    def hears(self, *topics: str) -> bool:
        """Tell whether these are published by somebody who was found."""
        return all(
            self._subscriptions[self._node.resolve_topic_name(topic)].get_publisher_count()
            for topic in topics)


def message_class(name: str) -> Any:
    """Return the class of a message type such as sensor_msgs/msg/Image."""
    package, kind, message = name.split('/')
    return getattr(import_module(f'{package}.{kind}'), message)
