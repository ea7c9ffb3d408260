# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What exists while the planner's node is configured: the planner's thread, the gate and the topics.

Planning and commanding are two loops that never wait for each other: the planner's thread makes
plans, and a timer reads the newest one through the gate. What they do is in planning/.
"""

from dataclasses import dataclass, replace
import sys
import time
import traceback

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist, TwistStamped
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
import torch

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.cycle_fields import cycle_fields
from sparse_imagination_ros.errors import FrameError, SparseImaginationError
from sparse_imagination_ros.nodes.messages import (
    check_action_names,
    frame_from,
    NANOSECONDS,
    picture_from,
    seconds,
    status_from,
    twist_from,
    values_from,
)
from sparse_imagination_ros.nodes.publishing import (
    ERROR,
    LATCHED,
    NEWEST,
    OK,
    Outlet,
    RELIABLE,
    STALE,
    Status,
    steady_clock,
    WARN,
)
from sparse_imagination_ros.nodes.senses import KINDS, SenseInlet
from sparse_imagination_ros.nodes.tally import Tally
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.gate import Command, Gate, GateState, Rung
from sparse_imagination_ros.planning.latency import latency_file, read_latency, write_latency
from sparse_imagination_ros.planning.plan import CommandHistory, HISTORY_S
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.planning.watchdog import Watchdog
from sparse_imagination_ros.planning.worker import Finished, Matter, PlannerThread
from sparse_imagination_ros.share import bundle_path
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.world_models.bundle import Bundle

# A problem that keeps on happening is logged this often.
LOG_PERIOD_S = 5.0
# After so many periods without a command, and so many seconds, the watchdog takes over.
WATCHDOG_PERIODS, WATCHDOG_S = 5, 0.2
# A plan whose frame is older than two cycles and this is not what there should be.
CAMERA_S = 0.1
# More misses than this are worth a warning.
TOLERATED_MISSES = 0.1


@dataclass(frozen=True)
class NodeConfig:
    """What the node does around its planner."""

    bundle: str = setting(
        'rooms', 'the model: a bundle that ships in models/, by name, or the path of a folder')
    command_rate_hz: float = setting(20.0, 'commands per second', 1.0, 200.0)
    staleness_s: float = setting(
        0.5, 'the robot stops when the newest frame is older than this, seconds', 0.05, 5.0)
    threads: int = setting(
        1, 'processor threads of the network; 0 leaves it to PyTorch', 0, 256)
    sensed_type: str = setting(
        'odometry', 'type of the topics sensed and goal_sensed, for a bundle that takes them',
        choices=tuple(KINDS))
    shadow: bool = setting(
        False, 'whether another drives: what it tells the robot is heard on the topic `driven`, '
               'and cmd_vel only says what the planner would do')
    timeless: bool = setting(
        False, 'plan as if planning took no time, and without a deadline, so that plans can be '
               'repeated')
    autostart: bool = setting(
        False, 'whether the node configures and activates itself at its start')


class Driving:
    """What exists while the node is configured: the planner's thread, the gate and the topics."""

    def __init__(self, node: Node, config: NodeConfig, planning: PlannerConfig) -> None:
        self._node, self._config = node, config
        began_s = time.monotonic()
        path = bundle_path(config.bundle)
        bundle = Bundle.load(path)
        self._names = bundle.manifest.actions.names
        self._total_tokens = bundle.manifest.total_tokens
        check_action_names(self._names, str(path))
        self._sent = CommandHistory(len(self._names), HISTORY_S)
        self._gate = Gate(replace(
            bundle.limits(config.staleness_s), fresh_s=planning.budget_ms / 500 + CAMERA_S))
        self._command = Command(self._sent.last(), GateState.STOPPED, Rung.STANDING)
        self._barks = 0
        self._tally = Tally(planning.budget_ms)
        # What is wrong now, by what it is about.
        self._problems: dict[str, str] = {}
        self._logged_s: dict[str, float] = {}
        self._active, self._at_rest = False, True
        self._active_since_s = self._arrived_s = self._tick_s = 0.0
        self._age_s = 0.0

        def make() -> Planner:
            if config.threads:
                torch.set_num_threads(config.threads)
            if config.timeless:
                return charged(bundle, planning, 0.0)
            # The threads are part of what is known of this machine.
            self._latency_file = latency_file(path, planning.engine)
            self._latency = read_latency(self._latency_file)
            planner = Planner(bundle, planning, latency=self._latency)
            write_latency(self._latency_file, self._latency)
            return planner

        self.worker = PlannerThread(
            make, self._sent, self._on_cycle, self._on_problem, config.timeless)
        self.worker.start()
        self.command = Outlet(node, Twist, 'cmd_vel', RELIABLE)
        self.cycle = Outlet(node, DiagnosticStatus, '~/cycle', RELIABLE)
        self._image = node.create_subscription(Image, 'image', self._on_image, NEWEST)
        self._goal = node.create_subscription(Image, 'goal_image', self._on_goal, LATCHED)
        # A goal that is not whole yet.
        self._goal_picture: Picture | None = None
        senses = bundle.manifest.senses
        self._sensed = SenseInlet(node, config.sensed_type, 'sensed', senses, NEWEST)
        self._goal_sensed = SenseInlet(
            node, config.sensed_type, 'goal_sensed', senses, LATCHED, self._take_goal)
        self._driven = node.create_subscription(
            TwistStamped, 'driven', self._on_driven, RELIABLE) if config.shadow else None
        period_s = 1 / config.command_rate_hz
        self._timer = node.create_timer(period_s, self._send_command, clock=steady_clock())
        self._watchdog = Watchdog(
            max(WATCHDOG_PERIODS * period_s, WATCHDOG_S), period_s, self._on_silence)
        node.get_logger().info(
            f'bundle {path} for an {bundle.manifest.robot} robot, ready in '
            f'{time.monotonic() - began_s:.1f} s: {planning.tokens} of '
            f'{bundle.manifest.total_tokens} tokens, budget {planning.budget_ms:g} ms, '
            f'torch {torch.__version__} of {sys.executable}')

    def begin(self) -> None:
        """Let plans become commands."""
        self._active, self._at_rest = True, False
        self._active_since_s = time.monotonic()
        self._watchdog.wake()

    def rest(self) -> None:
        """Bring the robot to rest."""
        self._active = False
        # Nothing is read while it rests.
        self._problems.pop('bad senses', None)
        self.worker.rest()

    def close(self) -> None:
        """Stop the robot and let go of everything."""
        self._node.destroy_timer(self._timer)
        self._watchdog.close()
        if not self._at_rest:
            # The base limits how hard it brakes; no time is left here to do it.
            self.command.publish(Twist())
        self.worker.close()
        if not self._config.timeless:
            write_latency(self._latency_file, self._latency)
        for outlet in (self.command, self.cycle):
            outlet.close()
        for inlet in (self._image, self._goal):
            self._node.destroy_subscription(inlet)
        if self._driven is not None:
            self._node.destroy_subscription(self._driven)
        for sense in (self._sensed, self._goal_sensed):
            sense.close()

    def status(self) -> Status:
        """Say how it goes, the worst first."""
        status = self._judge()
        return Status(status.level, status.text, {
            **self._tally.values(), 'gate': self._command.state.value,
            'ladder': self._command.rung.value, 'watchdog took over': self._barks,
            'commands': self.command.sent, 'frame age ms': round(1000 * self._age_s, 1)})

    def _judge(self) -> Status:
        image, goal = self._image.topic_name, self._goal.topic_name
        limit_s = self._config.staleness_s
        for about in ('bad goal', 'bad image', 'unfit image', 'bad senses', 'planning fails'):
            if about in self._problems:
                return Status(ERROR, f'{about}: {self._problems[about]}')
        if not self._active:
            return Status(OK, 'inactive: the robot stands still')
        silent_s = time.monotonic() - max(self._arrived_s, self._active_since_s)
        if silent_s > limit_s:
            return Status(
                STALE, f'stale camera: no image on {image} for {silent_s:.1f} s, the limit is '
                f'{limit_s:g} s; check that the camera runs and that its topic is remapped')
        if not self.worker.has_goal:
            there = self._goal_sensed.topic
            return Status(
                WARN, f'no goal: publish a goal picture on {goal}, transient local'
                + (f', and what is sensed there on {there}' if there else ''))
        if self._command.state is GateState.NOT_FINITE:
            return Status(ERROR, 'bad plan: it holds values that are not finite; '
                          'restore the bundle or train it again')
        if self._command.state is GateState.STALE and abs(self._age_s) > limit_s:
            return Status(
                ERROR, f'stale stamps: the newest image on {image} was taken {self._age_s:.1f} s '
                f'before now, the limit is {limit_s:g} s; synchronise the clocks, or set '
                'use_sim_time to what the camera uses')
        if self._command.state is GateState.STALE:
            return Status(ERROR, 'late plans: planning takes longer than the staleness limit of '
                          f'{limit_s:g} s; lower budget_ms, or the load of this machine')
        if self._command.state is not GateState.DRIVING:
            return Status(WARN, 'no plan: the first one is being made')
        share = self._tally.recent_share_missed()
        if share > TOLERATED_MISSES:
            return Status(WARN, f'driving late: {share:.0%} of the cycles take longer than the '
                          'budget; raise budget_ms, or lower the load of this machine')
        return Status(OK, 'driving')

    def _on_image(self, message: Image) -> None:
        self._arrived_s = time.monotonic()
        try:
            frame = frame_from(message)
        except FrameError as error:
            self._note('bad image', f'{self._image.topic_name}: {error}')
            return
        self._problems.pop('bad image', None)
        self._age_s = self._now_s() - frame.stamp_s
        if not self._active:
            return
        try:
            sensed = self._sensed.read(self._config.staleness_s)
        except FrameError as error:
            self._note('bad senses', str(error))
            return
        self._problems.pop('bad senses', None)
        self.worker.offer(replace(frame, sensed=sensed), self._arrived_s, self._age_s)

    def _on_driven(self, message: TwistStamped) -> None:
        self._sent.add(
            seconds(message.header.stamp),
            values_from(message.twist, self._names).astype(np.float32))

    def _on_goal(self, message: Image) -> None:
        self._problems.pop('bad goal', None)
        try:
            self._goal_picture = picture_from(message)
        except FrameError as error:
            self._goal_picture = None
            self.worker.drop_goal()
            self._note('bad goal', f'{self._goal.topic_name}: {error}')
            return
        self._take_goal()

    def _take_goal(self) -> None:
        """Take a goal when both parts of it are here."""
        # Until then there is none: the old one is not what is wanted any more.
        self.worker.drop_goal()
        if self._goal_picture is None or self._goal_sensed.waiting:
            return
        try:
            sensed = self._goal_sensed.read()
        except FrameError as error:
            self._note('bad goal', str(error))
            return
        self._problems.pop('bad goal', None)
        self.worker.set_goal(self._goal_picture, sensed)
        self._goal_picture = None
        self._goal_sensed.clear()

    def _send_command(self) -> None:
        self._watchdog.feed()
        if not self._active and self._at_rest:
            return
        now_s, steady_s = self._now_s(), time.monotonic()
        if now_s < self._tick_s and self._driven is None:
            self._sent.clear()
        self._tick_s = now_s
        finished = self.worker.current
        command = self._gate.command(
            finished.cycle.plan if finished else None, now_s, stopped=not self._active,
            steady_s=steady_s, arrived_s=finished.arrived_s if finished else None)
        self.command.publish(twist_from(command.values, self._names))
        if self._driven is None:
            self._sent.add(now_s, command.values)
        self._command = command
        self._at_rest = not self._active and not command.values.any()
        if self._at_rest:
            self._watchdog.sleep()

    def _on_silence(self) -> None:
        """Bring the robot to rest, since nobody else sends commands; called by the watchdog."""
        self._barks += 1
        command = self._gate.command(
            None, self._tick_s, stopped=True, steady_s=time.monotonic())
        self.command.publish(twist_from(command.values, self._names))
        self._command = command

    def _on_cycle(self, finished: Finished) -> None:
        """Report a cycle; called in the planner's thread."""
        self._problems.pop('planning fails', None)
        self._problems.pop('unfit image', None)
        self._tally.add(finished)
        cycle, missed = finished.cycle, self._tally.missed(finished)
        self.cycle.publish(status_from(
            f'{self._node.get_name()}: cycle', WARN if missed else OK,
            'over budget' if missed else 'in time', {
                **cycle_fields(
                    cycle, finished.frame.stamp_s, finished.total_ms, missed, self._total_tokens,
                    cycle.subset, cycle.plan.actions),
                'encodes': cycle.encodes}))

    def _on_problem(self, matter: Matter, problem: Exception) -> None:
        """Note what a goal or a frame raised; called in the planner's thread."""
        goal = matter is Matter.GOAL
        topic = (self._goal if goal else self._image).topic_name
        if isinstance(problem, FrameError):
            self._note('bad goal' if goal else 'unfit image', f'{topic}: {problem}')
        elif isinstance(problem, SparseImaginationError):
            self._note('planning fails', str(problem))
        else:
            # Not the user's doing: the developers need the traceback, in the log.
            trace = ''.join(traceback.format_exception(problem))
            self._note('planning fails', f'{problem!r}; this is a bug, please report it', trace)

    def _note(self, about: str, problem: str, trace: str = '') -> None:
        self._problems[about] = problem
        now_s = time.monotonic()
        if now_s - self._logged_s.get(about, float('-inf')) > LOG_PERIOD_S:
            self._logged_s[about] = now_s
            self._node.get_logger().error(trace or f'{about}: {problem}')

    def _now_s(self) -> float:
        return float(self._node.get_clock().now().nanoseconds / NANOSECONDS)
