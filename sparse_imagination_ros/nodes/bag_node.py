# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Plays a bag to the planner's node, picture by picture: the next one goes when a plan has come back.

Where goals come from and what is known when is decided in replay/; here it only goes over topics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import (
    ConfigError,
    NodeError,
    PlanningError,
    SparseImaginationError,
)
from sparse_imagination_ros.nodes.asking import Lifecycle
from sparse_imagination_ros.nodes.messages import (
    image_from,
    readings,
    stamp_at,
    twist_from,
)
from sparse_imagination_ros.nodes.parameters import Group, Parameters
from sparse_imagination_ros.nodes.publishing import LATCHED, Outlet, RELIABLE
from sparse_imagination_ros.nodes.runtime import end_in_peace
from sparse_imagination_ros.planning.plan import Array, Plan
from sparse_imagination_ros.planning.planner import Cycle
from sparse_imagination_ros.replay.drive import Known, replay_chapter
from sparse_imagination_ros.replay.legs import chapters
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import make_tape
from sparse_imagination_ros.share import bundle_path
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Manifest

PLANNER = 'planner_node'
PATIENCE_S = 60.0
# Discovery is complete on one side a moment before it is on the other, and for those who watch.
SETTLE_S = 1.0
CAMERA_FRAME = 'camera_optical_frame'


@dataclass(frozen=True)
class PlayConfig:
    """What is played, for which model."""

    bag: str = setting('', 'the bag: a folder with metadata.yaml, or one file of it')
    bundle: str = setting(
        'rooms', 'the model: a bundle that ships in models/, by name, or the path of a folder')


GROUPS = (Group(PlayConfig), Group(ReplayConfig))


class BagNode(Node):
    """The planner's node as something that plans: pictures go out, reports of cycles come back."""

    def __init__(self) -> None:
        super().__init__('bag_node', automatically_declare_parameters_from_overrides=True)
        settings = Parameters(self, GROUPS)
        self._play = settings.config(PlayConfig)
        self._config = settings.config(ReplayConfig)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._reports: list[dict[str, str]] = []
        self._heard_s = float('-inf')
        self._image = Outlet(self, Image, 'image', RELIABLE)
        self._goal = Outlet(self, Image, 'goal_image', LATCHED)
        self._driven = Outlet(self, TwistStamped, 'driven', RELIABLE)
        self._clock = Outlet(self, Clock, '/clock', RELIABLE)
        self.create_subscription(
            DiagnosticStatus, f'{PLANNER}/cycle',
            lambda message: self._reports.append(readings(message)), RELIABLE)
        self._planner = Lifecycle(
            self, PLANNER, lambda span_s: self._executor.spin_once(timeout_sec=span_s))

    def play(self) -> int:
        """Play the bag to its end; return how many plans came back."""
        if not self._play.bag:
            raise ConfigError('`bag` is empty; name what is to be played, as bag:=my_bags/monday')
        bundle = Bundle.load(bundle_path(self._play.bundle))
        self._manifest: Manifest = bundle.manifest
        path, plans = Path(self._play.bag), 0
        with tempfile.TemporaryDirectory() as folder, \
                open_bag(path, forgiving=True) as bag, open_bag(path, forgiving=True) as ahead:
            tape = make_tape(path, bundle, self._config, Path(folder))
            for fault in tape.findings.faults:
                self.get_logger().warning(f'{path}: {fault}')
            found = chapters(tape, self._config.goal_s)
            for number, chapter in enumerate(found):
                self._renew(first=number == 0)
                for _ in replay_chapter(
                        tape, bag, ahead, chapter, self, self._manifest, self._config,
                        budget_s=None):
                    plans += 1
                self.get_logger().info(f'part {number + 1} of {len(found)}: {plans} plans so far')
        return plans

    def set_goal(self, picture: Picture, sensed: Array | None = None) -> None:
        """Show a goal."""
        self._no_senses()
        self._goal.publish(image_from(picture, stamp_at(0.0), CAMERA_FRAME))
        self._settle()

    def plan(
        self, frame: Frame, sent: Known, deadline_s: float = inf, waited_s: float = 0.0,
    ) -> Cycle:
        """
        Show a picture, after the commands before it, and wait for what comes back.

        The planner's node keeps its own time, and none if it is timeless.
        """
        del deadline_s, waited_s
        new = sent.times > self._heard_s
        for at_s, values in zip(sent.times[new], sent.values[new], strict=True):
            message = TwistStamped(twist=twist_from(values, self._manifest.actions.names))
            message.header.stamp = stamp_at(float(at_s))
            self._driven.publish(message)
            self._settle()
            self._heard_s = float(at_s)
        stamp = stamp_at(frame.stamp_s)
        self._clock.publish(Clock(clock=stamp))
        self._reports.clear()
        self._image.publish(image_from(frame.rgb, stamp, CAMERA_FRAME))
        self._wait(lambda: self._reports, f'a plan of {PLANNER}; see its log and /diagnostics')
        report = self._reports[0]
        actions = np.array(report['plan'].split(), np.float32).reshape(
            -1, len(self._manifest.actions.names))
        return Cycle(
            Plan(frame.stamp_s, frame.stamp_s, self._manifest.step_s / self._manifest.frameskip,
                 actions),
            float(report['encode_ms']), float(report['imagine_ms']), float(report['total_ms']),
            int(report['tokens']), int(report['candidates']), int(report['iterations']),
            int(report['encodes']), np.array(report['subset'].split(), np.int64),
            float(report['cost']))

    def _no_senses(self) -> None:
        if self._manifest.senses:
            raise PlanningError(
                f'bundle `{self._manifest.name}` takes what is sensed, which is not played; '
                'use `sparse-imagination replay`')

    def _renew(self, first: bool) -> None:
        """Let the planner begin anew, as a fresh one does for each part of a bag."""
        for name in ('configure', 'activate') if first else (
                'deactivate', 'cleanup', 'configure', 'activate'):
            if not self._planner.bring(name):
                raise NodeError(f'{PLANNER} cannot {name}: see its log')
        self._heard_s = float('-inf')
        self._wait(lambda: all(
            outlet.listeners for outlet in (self._image, self._goal, self._driven)),
            f'{PLANNER} to listen')
        end_s = time.monotonic() + SETTLE_S
        self._wait(lambda: time.monotonic() > end_s, 'the clock')

    def _settle(self) -> None:
        """
        Wait until the message that was just published is not only there but taken.

        Between two processes messages and questions keep their order, and a node takes what is
        there of its topics before it answers. (Waiting for acknowledgements takes far longer.)
        """
        self._planner.state()

    def _wait(self, until: Callable[[], Any], what: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not until():
            self._executor.spin_once(timeout_sec=0.02)
            if time.monotonic() > end_s:
                raise NodeError(f'waited {PATIENCE_S:g} s for {what}')


def main(args: Sequence[str] | None = None) -> None:
    """Play a bag and end."""
    rclpy.init(args=args)
    try:
        node = BagNode()
        node.get_logger().info(f'{node.play()} plans; the bag is through')
    except SparseImaginationError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, ExternalShutdownException):
        sys.exit(130)
    finally:
        rclpy.try_shutdown()
        end_in_peace()


if __name__ == '__main__':
    main()
