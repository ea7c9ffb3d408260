# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Watches the planner drive in the simulator for long, and counts what goes in and comes out.

It is no ROS executable: it lives in the process of `sparse-imagination soak`, which spins it.
"""

from collections.abc import Callable
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from sparse_imagination_ros.errors import NodeError
from sparse_imagination_ros.evaluation.audit import Audit
from sparse_imagination_ros.evaluation.soak import Frames
from sparse_imagination_ros.nodes.asking import (
    ANSWER_TIME_S,
    Lifecycle,
    Simulator,
    START_TIME_S,
)
from sparse_imagination_ros.nodes.messages import NANOSECONDS, readings, values_from
from sparse_imagination_ros.nodes.referee_node import PLANNER, SIM
from sparse_imagination_ros.sim.robots import Robot

# Discovery is complete on one side a moment before it is on the other.
SETTLE_S = 1.0
# So many reports say the same when all that was on the way has come.
REPORTS = 3
# Nothing that comes is to be lost because we look at something else.
EVERYTHING = QoSProfile(depth=1000)


class Watcher(Node):
    """
    Hears commands, cycles and diagnostics.

    cycles: when each was told, on the steady clock, and what it took in ms. on_wait: called while
    it waits; it raises if the nodes are gone.
    """

    def __init__(self, robot: Robot, on_wait: Callable[[], None]) -> None:
        super().__init__('watcher')
        self._on_wait, self._names = on_wait, robot.action_names
        self.audit = Audit(robot)
        self.cycles: list[tuple[float, float]] = []
        self._said: dict[str, dict[str, str]] = {}
        self._reports = 0
        self._speed = 0.0
        self._command_inlet = self.create_subscription(
            Twist, 'cmd_vel', self._on_command, EVERYTHING)
        self._cycle_inlet = self.create_subscription(
            DiagnosticStatus, f'{PLANNER}/cycle', self._on_cycle, EVERYTHING)
        self.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, EVERYTHING)
        self._simulator = Simulator(self, SIM, self.listen)
        self._planner = Lifecycle(self, PLANNER, self.listen)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def close(self) -> None:
        """Listen no more."""
        self._executor.shutdown()
        self.destroy_node()

    def begin(self) -> None:
        """Let it drive, once nothing that it hears or says can be missed."""
        self._bring('configure')
        self.wait(
            lambda: self._command_inlet.get_publisher_count()
            and self._cycle_inlet.get_publisher_count(),
            START_TIME_S, f'{PLANNER} has no publishers: see its log')
        self.listen(SETTLE_S)
        self._bring('activate')
        self._simulator.adjust(camera_enabled=True)

    def drive_anew(self, seed: int) -> None:
        """Give the robot another world, and so another goal."""
        self._simulator.draw(seed)

    def rest(self) -> Frames:
        """Switch the camera off and bring the robot to rest; return what became of the frames."""
        self._simulator.adjust(camera_enabled=False)
        began = self._reports
        self.wait(lambda: self._reports >= began + 2 * REPORTS, ANSWER_TIME_S,
                  f'{PLANNER} says nothing on /diagnostics: see its log')
        frames = self._frames()
        self._bring('deactivate')
        self.wait(lambda: self._speed == 0.0, ANSWER_TIME_S,
                  f'{PLANNER} does not stop the robot: see its log')
        return frames

    def reading(self, task: str, key: str) -> str:
        """Return what a node last said of one of its tasks."""
        self.wait(lambda: key in self._said.get(task, {}), ANSWER_TIME_S,
                  f'nobody says `{key}` of {task} on /diagnostics: see the logs')
        return self._said[task][key]

    def listen(self, seconds: float) -> None:
        """Listen for a while."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.02)
        self._on_wait()

    def wait(self, until: Callable[[], object], limit_s: float, otherwise: str) -> None:
        """Listen until it is so; raise what else there is to say."""
        end_s = time.monotonic() + limit_s
        while not until():
            self.listen(0.05)
            if time.monotonic() > end_s:
                raise NodeError(otherwise)

    def _frames(self) -> Frames:
        def count(key: str) -> int:
            return int(self.reading(f'{PLANNER}: camera', key))
        return Frames(
            published=int(self.reading(f'{SIM}: world', 'sent /image')), heard=count('heard'),
            unreadable=count('not readable'), doubted=count('not believed'),
            at_rest=count('heard at rest'), senseless=count('without senses'),
            planned=count('planned from'),
            replaced=count('replaced before they were planned from'),
            dropped=count('dropped with their goal'), waiting=count('waiting'))

    def _bring(self, name: str) -> None:
        if not self._planner.bring(name):
            raise NodeError(f'{PLANNER} cannot {name}: see its log')

    def _on_command(self, message: Twist, info: dict[str, int]) -> None:
        values = values_from(message, self._names)
        self._speed = float(abs(values).max())
        self.audit.add((info['source_timestamp'] or time.time_ns()) / NANOSECONDS, values)

    def _on_cycle(self, message: DiagnosticStatus) -> None:
        self.cycles.append((time.monotonic(), float(readings(message)['total_ms'])))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._said[status.name] = readings(status)
            self._reports += status.name.startswith(f'{PLANNER}: planning')
