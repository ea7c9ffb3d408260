# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera and a goal for the planner's node, and an ear for its commands, over real ROS."""

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
import numpy as np
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import Graph
from sensor_msgs.msg import Image

from sparse_imagination_ros.nodes.messages import image_from, values_from
from sparse_imagination_ros.sim.robots import robot
from sparse_imagination_ros.sim.rooms import Rooms

NAMES = robot('omnidirectional').action_names


class Stage:
    """A camera and a goal for the planner, and an ear for its commands."""

    def __init__(self, graph: Graph, kind: type = Twist) -> None:
        """Hear commands of this type."""
        self.graph, node = graph, graph.node
        self.world = Rooms('omnidirectional')
        self.picture, self.encoding, self.age_s = self.world.picture(), 'rgb8', 0.0
        self.noise = 0
        self.commands: list[Any] = graph.listen(kind, 'cmd_vel')
        self.cycles: list[DiagnosticStatus] = graph.listen(DiagnosticStatus, 'planner_node/cycle')
        self._image = node.create_publisher(Image, 'image', 1)
        self._goal = node.create_publisher(Image, 'goal_image', QoSProfile(
            depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self._timer = node.create_timer(0.1, self._expose)

    def make_good(self) -> None:
        self.picture, self.encoding, self.age_s = self.world.picture(), 'rgb8', 0.0
        self.show_goal()
        self.camera_on()

    def show_goal(self, picture: np.ndarray | None = None, encoding: str = 'rgb8') -> None:
        if picture is None:
            picture = self.world.picture_at(self.world.goal)
        message = self._message(picture)
        message.encoding = encoding
        self._goal.publish(message)

    def camera_off(self) -> None:
        self._timer.cancel()

    def camera_on(self) -> None:
        self._timer.reset()

    def speeds(self) -> list[float]:
        return [float(abs(values_from(command, NAMES)).max()) for command in self.commands]

    def drives(self) -> bool:
        return any(self.speeds())

    def wait_until_it_drives(self) -> None:
        del self.commands[:]
        self.graph.wait(self.drives, 'a command to move')

    def wait_until_it_stands(self) -> None:
        """Wait for a second of zeros, or of silence after one."""
        def stands() -> bool:
            del self.commands[:]
            self.graph.spin(0.5)
            return not self.drives()
        self.graph.wait(stands, 'the commands to be zero')

    def _expose(self) -> None:
        # No real camera shows the same twice, to the last bit.
        self.noise ^= 1
        picture = self.picture.copy()
        picture[0, 0, 0] ^= self.noise
        message = self._message(picture)
        message.encoding = self.encoding
        self._image.publish(message)

    def _message(self, picture: np.ndarray) -> Image:
        clock = self.graph.node.get_clock()
        stamp = (clock.now() - Duration(seconds=self.age_s)).to_msg()
        return image_from(picture, stamp, 'camera')
