# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Who plays the robot around the planner: a camera, goals, odometry and a clock, which can be spoilt.

Each is a peer of its own on the network. Nobody here waits: `tick` sends what is due.
"""

from collections.abc import Callable
import time

from nav_msgs.msg import Odometry
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from sparse_imagination_ros.nodes.messages import image_from, stamp_at
from sparse_imagination_ros.nodes.publishing import LATCHED, NEWEST, RELIABLE
from sparse_imagination_ros.tokens.frames import Picture

CAMERA_PERIOD_S, ODOMETRY_PERIOD_S, CLOCK_PERIOD_S = 0.1, 0.05, 0.02
# Of the sensor: pictures of the same scene differ by as much.
NOISE = 3

SpoilImage = Callable[[Image], None]


class Peer:
    """A node in a context of its own, which can leave the network and return."""

    def __init__(self, name: str, domain: int, period_s: float) -> None:
        self._name, self._domain, self.period_s = name, domain, period_s
        self._due_s = 0.0
        self.join()

    def join(self) -> None:
        """Come onto the network."""
        self._context = Context()
        rclpy.init(context=self._context, domain_id=self._domain)
        self.node = Node(
            self._name, context=self._context, enable_rosout=False, start_parameter_services=False)
        self.there = True
        self._open()

    def pause(self, span_s: float) -> None:
        """Send nothing for so long."""
        self._due_s = time.monotonic() + span_s

    def leave(self) -> None:
        """Leave it."""
        if self.there:
            self.there = False
            self.node.destroy_node()
            rclpy.try_shutdown(context=self._context)

    def tick(self, now_s: float) -> None:
        """Send what is due, at this time on the clock of the robot."""
        steady_s = time.monotonic()
        if self.there and steady_s >= self._due_s:
            # Who was late does not hurry.
            self._due_s = max(self._due_s + self.period_s, steady_s - self.period_s)
            self._send(now_s)

    def _open(self) -> None:
        raise NotImplementedError

    def _send(self, now_s: float) -> None:
        raise NotImplementedError


class Camera(Peer):
    """
    Shows one picture, with the noise of a sensor.

    on: whether it sends; noisy: whether pictures differ at all; stamped: turns now into a stamp;
    spoil: what is done to a message before it is sent.
    """

    def __init__(self, domain: int, picture: Picture, name: str = 'camera') -> None:
        self._sound = picture
        self._random = np.random.default_rng(0)
        self.make_good()
        super().__init__(name, domain, CAMERA_PERIOD_S)

    def make_good(self) -> None:
        """Be as a camera should be."""
        self.picture, self.on, self.noisy = self._sound, True, True
        self.stamped: Callable[[float], float] = lambda now_s: now_s
        self.spoil: SpoilImage = lambda message: None

    def _open(self) -> None:
        self._image = self.node.create_publisher(Image, 'image', NEWEST)

    def _send(self, now_s: float) -> None:
        if not self.on:
            return
        picture = self.picture
        if self.noisy:
            noise = self._random.integers(0, NOISE, picture.shape, np.uint8)
            picture = np.minimum(picture, 255 - NOISE) + noise
        message = image_from(picture, stamp_at(self.stamped(now_s)), 'camera')
        self.spoil(message)
        self._image.publish(message)


class Goals(Peer):
    """Shows a goal picture to whoever comes, and what is sensed there."""

    def __init__(self, domain: int, picture: Picture, sensing: bool) -> None:
        self.picture, self._sensing = picture, sensing
        super().__init__('goals', domain, float('inf'))

    def show(
        self, picture: Picture | None = None, spoil: SpoilImage = lambda message: None,
    ) -> None:
        """Set a goal; without a picture, the one that is sound."""
        message = image_from(
            self.picture if picture is None else picture, stamp_at(time.time()), 'camera')
        spoil(message)
        self._image.publish(message)
        if self._sensing:
            self._sensed.publish(Odometry())

    def _open(self) -> None:
        self._image = self.node.create_publisher(Image, 'goal_image', LATCHED)
        self._sensed = self.node.create_publisher(Odometry, 'goal_sensed', LATCHED)

    def _send(self, now_s: float) -> None:
        pass


class Odometer(Peer):
    """Says where the robot is, as a bundle with senses wants it."""

    def __init__(self, domain: int) -> None:
        self.make_good()
        super().__init__('odometer', domain, ODOMETRY_PERIOD_S)

    def make_good(self) -> None:
        """Be as odometry should be."""
        self.on, self.x = True, 0.0

    def _open(self) -> None:
        self._odometry = self.node.create_publisher(Odometry, 'sensed', RELIABLE)

    def _send(self, now_s: float) -> None:
        if self.on:
            message = Odometry()
            message.header.stamp = stamp_at(now_s)
            message.pose.pose.position.x = self.x
            self._odometry.publish(message)


class SimulatedTime(Peer):
    """Publishes /clock. runs: whether its time goes on."""

    def __init__(self, domain: int) -> None:
        self.runs, self._time_s, self._seen_s = True, 1000.0, time.monotonic()
        super().__init__('clock', domain, CLOCK_PERIOD_S)

    def now_s(self) -> float:
        """Return the time."""
        steady_s = time.monotonic()
        if self.runs:
            self._time_s += steady_s - self._seen_s
        self._seen_s = steady_s
        return self._time_s

    def turn(self, time_s: float) -> None:
        """Go on from another time."""
        self.now_s()
        self._time_s = time_s

    def _open(self) -> None:
        self._clock = self.node.create_publisher(Clock, '/clock', RELIABLE)

    def _send(self, now_s: float) -> None:
        self._clock.publish(Clock(clock=stamp_at(now_s)))
