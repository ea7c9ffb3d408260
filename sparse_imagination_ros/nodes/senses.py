# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the robot senses beside its camera, for a bundle that takes it."""

from collections.abc import Callable, Sequence
from math import inf, isfinite
import time
from typing import Any

from nav_msgs.msg import Odometry
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sparse_imagination_ros.errors import FrameError
from sparse_imagination_ros.nodes.messages import numbers_from

KINDS = {'odometry': Odometry, 'joint_state': JointState, 'numbers': Float64MultiArray}


class SenseInlet:
    """Keeps the newest message of a topic, from which it reads the numbers of these names."""

    def __init__(
        self, node: Node, kind: str, topic: str, names: Sequence[str], qos: QoSProfile,
        on_message: Callable[[], None] = lambda: None,
    ) -> None:
        self._node, self._names, self._on_message = node, names, on_message
        self._newest: Any = None
        self._arrived_s = 0.0
        # Most bundles want nothing but pictures.
        self._inlet = node.create_subscription(
            KINDS[kind], topic, self._keep, qos) if names else None
        self.topic = self._inlet.topic_name if self._inlet else ''

    @property
    def waiting(self) -> bool:
        """Tell whether a message is wanted and none is here."""
        return self._inlet is not None and self._newest is None

    def read(self, limit_s: float = inf) -> NDArray[np.float32]:
        """Return the newest numbers [Q]; raise why there are none, or none so young."""
        if self._inlet is None:
            return np.zeros(0, np.float32)
        if self._newest is None or time.monotonic() - self._arrived_s > limit_s:
            raise FrameError(
                f'nothing on {self.topic} for {limit_s:g} s; the bundle takes '
                f'{", ".join(self._names)}: check that its topic is remapped')
        numbers = numbers_from(self._newest, self._names, self.topic)
        for name, number in zip(self._names, numbers, strict=True):
            if not isfinite(number):
                raise FrameError(
                    f'{self.topic}: {name} is {number}, which is no number; check what '
                    'publishes it')
        return numbers

    def clear(self) -> None:
        """Wait for another message."""
        self._newest = None

    def close(self) -> None:
        """Listen no more."""
        if self._inlet is not None:
            self._node.destroy_subscription(self._inlet)

    def _keep(self, message: Any) -> None:
        self._newest, self._arrived_s = message, time.monotonic()
        self._on_message()
