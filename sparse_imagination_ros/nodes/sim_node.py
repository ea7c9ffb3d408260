# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated robot seen by a ceiling camera, in real time. The world itself is in sim/."""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
import json
import sys
import time

from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import SparseImaginationError
from sparse_imagination_ros.nodes.messages import (
    image_from,
    pose_from,
    stamp_from,
    twist_from,
    values_from,
)
from sparse_imagination_ros.nodes.parameters import Group, Parameters
from sparse_imagination_ros.nodes.publishing import (
    LATCHED,
    OK,
    Outlet,
    RELIABLE,
    Reporter,
    Status,
    steady_clock,
    WARN,
)
from sparse_imagination_ros.nodes.runtime import run_node
from sparse_imagination_ros.sim.camera import CameraConfig
from sparse_imagination_ros.sim.robots import BaseConfig, ROBOTS
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.sim.world import PHYSICS_STEP_S, SPLITS

# REP 103: x to the right of the picture, y down, z along the view.
CAMERA_FRAME = 'ceiling_camera_optical_frame'
WORLD_FRAME = 'odom'
BASE_FRAME = 'base_link'


@dataclass(frozen=True)
class SimConfig:
    """What the simulated robot is, and how often it speaks."""

    robot: str = setting('omnidirectional', 'how the base moves', choices=tuple(ROBOTS))
    seed: int = setting(0, 'draws the layout, start and goal of the next reset', 0, 2**31 - 1)
    split: str = setting('held_out', 'which doors the next reset draws from', choices=SPLITS)
    odom_rate_hz: float = setting(20.0, 'odometry messages per second', 1.0, 50.0)


@dataclass(frozen=True)
class FeedConfig:
    """How the pictures of the camera leave it."""

    enabled: bool = setting(True, 'whether pictures are published')
    rate_hz: float = setting(10.0, 'pictures per second', 0.5, 50.0)
    latency_s: float = setting(0.0, 'time from the exposure to the message, seconds', 0.0, 1.0)


GROUPS = (
    Group(SimConfig, read_only=('robot', 'odom_rate_hz')),
    Group(FeedConfig, 'camera_', read_only=('rate_hz', 'latency_s')),
    Group(CameraConfig, 'camera_', read_only=('size', 'noise', 'lighting')),
    Group(BaseConfig, 'base_', read_only=('drift',)))


class SimNode(Node):
    """Runs the world on the steady clock; nobody can make it wait."""

    def __init__(self) -> None:
        super().__init__('sim_node', automatically_declare_parameters_from_overrides=True)
        self._settings = Parameters(self, GROUPS)
        config = self._settings.config(SimConfig)
        feed = self._settings.config(FeedConfig)
        self._world = Rooms(
            config.robot, self._settings.config(CameraConfig), self._settings.config(BaseConfig))
        self._latency_s = feed.latency_s
        self._waiting: deque[tuple[float, Image]] = deque()
        self._complained = False

        self._image = Outlet(self, Image, 'image', RELIABLE)
        self._odom = Outlet(self, Odometry, 'odom', RELIABLE)
        self._goal_image = Outlet(self, Image, 'goal_image', LATCHED)
        self._goal_pose = Outlet(self, PoseStamped, 'goal_pose', LATCHED)
        self._reporter = Reporter(self, 'world', self._status, config.robot)
        self._reporter.watch(self._image, self._odom, self._goal_image, self._goal_pose)

        self.create_subscription(Twist, 'cmd_vel', self._on_command, RELIABLE)
        self.create_service(Trigger, '~/reset', self._on_reset)
        for period_s, callback in (
                (PHYSICS_STEP_S, self._advance), (1 / feed.rate_hz, self._expose),
                (1 / config.odom_rate_hz, self._publish_odometry)):
            self.create_timer(period_s, callback, clock=steady_clock())
        self._reset(config)

    def close(self) -> None:
        """Say the last words."""
        self._reporter.close()

    def _reset(self, config: SimConfig) -> None:
        self._world.reset(config.seed, config.split)
        self._config = config
        self._began_s = time.monotonic()
        self._waiting.clear()
        self._began_ns = self.get_clock().now().nanoseconds
        now = stamp_from(self._began_ns)
        goal = PoseStamped(pose=pose_from(*self._world.layout.goal))
        goal.header.stamp, goal.header.frame_id = now, WORLD_FRAME
        self._goal_pose.publish(goal)
        picture = self._world.picture_at(self._world.goal)
        self._goal_image.publish(image_from(picture, now, CAMERA_FRAME))

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            self._reset(self._settings.config(SimConfig))
        except SparseImaginationError as error:
            response.message = str(error)
            return response
        layout = self._world.layout
        response.success = True
        response.message = json.dumps({
            'stamp_ns': self._began_ns, 'seed': self._config.seed,
            'split': self._config.split, 'robot': self._config.robot, 'start': layout.start,
            'goal': layout.goal, 'size_m': layout.size_m,
            'blocks': [asdict(block) for block in layout.blocks]})
        self.get_logger().info(f'new world: {self._config.split} {self._config.seed}')
        return response

    def _advance(self) -> None:
        """Bring the world to the present."""
        now_s = time.monotonic()
        self._world.advance(now_s - self._began_s - self._world.time_s)
        while self._waiting and self._waiting[0][0] <= now_s:
            self._image.publish(self._waiting.popleft()[1])

    def _on_command(self, message: Twist) -> None:
        self._advance()
        try:
            self._world.send(values_from(message, self._world.robot.action_names))
        except SparseImaginationError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)

    def _expose(self) -> None:
        if not self._settings.config(FeedConfig).enabled:
            return
        self._advance()
        stamp = stamp_from(self.get_clock().now().nanoseconds)
        message = image_from(self._world.picture(), stamp, CAMERA_FRAME)
        if self._latency_s:
            self._waiting.append((time.monotonic() + self._latency_s, message))
        else:
            self._image.publish(message)

    def _publish_odometry(self) -> None:
        self._advance()
        message = Odometry(child_frame_id=BASE_FRAME)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = WORLD_FRAME
        message.pose.pose = pose_from(*self._world.pose)
        message.twist.twist = twist_from(self._world.velocity, self._world.robot.action_names)
        self._odom.publish(message)

    def _status(self) -> Status:
        values = {
            'seed': self._config.seed, 'split': self._config.split, 'robot': self._config.robot,
            'world time s': round(self._world.time_s, 2),
            'goal distance m': round(self._world.goal_distance_m(), 3)}
        if self._settings.config(FeedConfig).enabled:
            return Status(OK, 'running', values)
        return Status(WARN, 'camera is off: set camera_enabled to true', values)


def main(args: Sequence[str] | None = None) -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(SimNode, args))


if __name__ == '__main__':
    main()
