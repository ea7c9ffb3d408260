# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What exists while the planner's node is configured: the planner's thread, and what it is tied to.

Planning and commanding are two loops that never wait for each other: the planner's thread makes
plans, and commanding.py reads the newest one through the gate. What they do is in planning/.
"""

from collections.abc import Mapping
from dataclasses import replace
import sys
import time
import traceback

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
import torch

from sparse_imagination_ros.bags.goals import write_goal
from sparse_imagination_ros.cycle_fields import cycle_fields
from sparse_imagination_ros.errors import FrameError, SparseImaginationError
from sparse_imagination_ros.imagination.sparing import is_of_memory
from sparse_imagination_ros.nodes.commanding import Commanding
from sparse_imagination_ros.nodes.display import Display
from sparse_imagination_ros.nodes.goals import Goals, goals_from
from sparse_imagination_ros.nodes.health import judged, mode_of, Vitals
from sparse_imagination_ros.nodes.inlets import CameraInlet
from sparse_imagination_ros.nodes.messages import seconds, status_from, values_from
from sparse_imagination_ros.nodes.outlets import CommandOutlet, wired
from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import NEWEST, OK, Outlet, RELIABLE, Status, WARN
from sparse_imagination_ros.nodes.senses import SenseInlet
from sparse_imagination_ros.nodes.services import Services
from sparse_imagination_ros.nodes.settings import Settings
from sparse_imagination_ros.nodes.tally import RECEIVE, Tally
from sparse_imagination_ros.planning.equipped import equipped
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.planning.limits import narrowed
from sparse_imagination_ros.planning.machine import machine_values
from sparse_imagination_ros.planning.plan import CommandHistory, HISTORY_S
from sparse_imagination_ros.planning.planner import Planner
from sparse_imagination_ros.planning.realtime import Realtime
from sparse_imagination_ros.planning.route import Goal, name_of_now
from sparse_imagination_ros.planning.worker import Finished, Matter, PlannerThread
from sparse_imagination_ros.share import bundle_path
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.tokens.trust import Trust
from sparse_imagination_ros.world_models.bundle import Bundle

# A plan whose frame is older than two cycles and this is not what there should be.
CAMERA_S = 0.1


class Driving:
    """What exists while the node is configured."""

    def __init__(self, node: Node, settings: Settings) -> None:
        self._node, self._settings = node, settings
        config, planning = settings.node, settings.planning
        began_s = time.monotonic()
        path = bundle_path(config.bundle)
        self._bundle = bundle = Bundle.load(path)
        manifest = bundle.manifest
        # What may be refused comes first: nothing is left behind then.
        wires = wired(config.command_form, manifest.actions.names, str(path))
        limits, goals = self._limits(settings), goals_from(settings, manifest)
        self._realtime = Realtime(settings.realtime)
        self._sent = CommandHistory(len(manifest.actions.names), HISTORY_S)
        self._tally = Tally(planning.budget_ms)
        self._problems = Problems(node.get_logger().error)
        # In the shadow of another nothing moves by what is planned.
        self._trust = None if config.shadow else Trust(settings.trust)
        self._active, self._enabled = False, True
        self._active_since_s = 0.0
        # Frames that were not given to the planner, and why.
        self._at_rest = self._senseless = 0

        def make() -> Planner:
            self._realtime.place_planner()
            if config.threads:
                torch.set_num_threads(config.threads)
            self._equipped = equipped(bundle, planning, config.timeless)
            if self._equipped.notes:
                node.get_logger().warning(self._imagines())
            planner = self._equipped.planner
            planner.adjust(self._equipped.suited(planning), limits)
            self._realtime.begin_planner()
            return planner

        self.worker = PlannerThread(
            make, self._sent, self._on_cycle, self._on_problem, config.timeless)
        self.worker.start()
        self.cycle = Outlet(node, DiagnosticStatus, '~/cycle', RELIABLE)
        self._goals = Goals(node, settings, manifest, self.worker, self._problems)
        self._commanding = Commanding(
            node, CommandOutlet(node, wires), limits, config.command_rate_hz,
            lambda: self.worker.current, self._waits, None if config.shadow else self._sent,
            self._tally, self._alone(settings))
        self._display = Display(node, bundle, config)
        self._camera = CameraInlet(
            node, config.image_transport, settings.region, manifest.picture_size, self._on_frame,
            self._problems, self._trust, lambda: self._commanding.moves,
            self.worker.rest)
        self._sensed = SenseInlet(node, config.sensed_type, 'sensed', manifest.senses, NEWEST)
        self._driven = node.create_subscription(
            TwistStamped, 'driven', self._on_driven, RELIABLE) if config.shadow else None
        self._services = Services(node, self)
        self._realtime.begin_commands()
        for refusal in self._realtime.refused:
            node.get_logger().warning(refusal)
        node.get_logger().info(
            f'bundle {path} for an {manifest.robot} robot, ready in '
            f'{time.monotonic() - began_s:.1f} s: {planning.tokens} of {manifest.total_tokens} '
            f'tokens, budget {planning.budget_ms:g} ms, torch {torch.__version__} of '
            f'{sys.executable}')
        if goals:
            self._goals.follow(goals)

    @property
    def outlets(self) -> tuple[Outlet, ...]:
        """Return what is always published."""
        return self._commanding.out, self.cycle, self._goals.arrived

    def begin(self) -> None:
        """Let plans become commands."""
        self._active = True
        self._go()

    def rest(self) -> None:
        """Bring the robot to rest."""
        self._active = False
        self._halt()

    def close(self) -> None:
        """Stop the robot and let go of everything."""
        self._commanding.close()
        self._realtime.end()
        self.worker.close()
        self._equipped.keep_latency()
        if self._driven is not None:
            self._node.destroy_subscription(self._driven)
        for part in (self._camera, self._sensed, self._goals, self._display, self._services,
                     self.cycle):
            part.close()

    # What services ask for.

    def enable(self, wanted: bool) -> str:
        """Let plans become commands, or bring the robot to rest and keep the goal."""
        self._enabled = wanted
        if not wanted:
            self._halt()
            return 'disabled: the robot comes to rest and keeps its goal'
        if self._active:
            self._go()
        return 'enabled' + ('' if self._active else ', but inactive: activate the node')

    def stop(self) -> str:
        """Bring the robot to rest and drop the goal."""
        self._enabled = False
        self._goals.follow(())
        self._halt()
        return 'stopped: the goal is dropped; set another and call ~/enable with true'

    def reset(self) -> str:
        """Forget what was seen and planned, and begin the route anew."""
        self.worker.rest()
        self._goals.restart()
        self._tally.clear()
        return 'reset: what was seen and planned is forgotten, and the route begins anew'

    def set_goal_from_camera(self) -> str:
        """Take what the camera sees now as the goal."""
        goal = self._seen_now()
        self._problems.clear('bad goal')
        self._goals.follow([goal])
        return f'the goal is what the camera saw at {goal.name}'

    def save_goal(self) -> str:
        """Keep what the camera sees now, as a goal for later."""
        return f'saved {write_goal(self._settings.node.goal_path, self._seen_now())}'

    def _seen_now(self) -> Goal:
        limit_s = self._settings.node.staleness_s
        return Goal(self._camera.see(limit_s), self._sensed.read(limit_s), name_of_now())

    # Settings that change while it is in use.

    def consider(self, settings: Settings) -> None:
        """Raise why these settings cannot be taken, if they cannot."""
        self._limits(settings)
        if settings.node.goals != self._settings.node.goals:
            goals_from(settings, self._bundle.manifest)

    def adjust(self, settings: Settings) -> None:
        """Go on by other settings, of which only such differ that may."""
        before, self._settings = self._settings, settings
        limits, planning = self._limits(settings), self._equipped.suited(settings.planning)
        self._commanding.adjust(limits, settings.node.command_rate_hz, self._alone(settings))
        if self._trust is not None:
            self._trust.adjust(settings.trust)
        self._tally.budget_ms = planning.budget_ms
        self.worker.change(lambda planner: planner.adjust(planning, limits))
        self._goals.adjust(settings)
        self._display.adjust(settings.node)
        if settings.node.goals != before.node.goals:
            self._node.get_logger().warning(
                'other goals: the last plan is dropped, and the robot slows down until there is '
                'another')
            self._goals.follow(goals_from(settings, self._bundle.manifest))

    def _limits(self, settings: Settings) -> Limits:
        return narrowed(
            replace(self._bundle.limits(settings.node.staleness_s),
                    fresh_s=settings.planning.budget_ms / 500 + CAMERA_S),
            self._bundle.manifest.actions.names, settings.limits)

    def _alone(self, settings: Settings) -> bool:
        return settings.node.exclusive_commands and not settings.node.shadow

    # What is said of it.

    def status(self) -> Status:
        """Say how it goes, the worst first."""
        commanding, camera = self._commanding, self._camera
        silent_s = time.monotonic() - max(camera.arrived_s, self._active_since_s)
        finished = self.worker.current
        vitals = Vitals(
            self._active, self._enabled, camera.topic, silent_s, camera.repeats, camera.age_s,
            self._settings.node.staleness_s, commanding.out.topic,
            commanding.out.rivals if commanding.has_rivals else '', commanding.is_heard,
            self.worker.busy_s, self.worker.death, finished.cycle.not_finite if finished else 0,
            self.worker.has_goal, self._goals.wanted, self._goals.is_reached, commanding.command,
            self._tally.recent_share_missed(), self._imagines() if self._equipped.notes else '')
        status = judged(vitals, self._problems)
        plan_age = 'none' if finished is None else round(
            1000 * (commanding.now_s() - finished.cycle.plan.frame_stamp_s), 1)
        return Status(status.level, status.text, {
            'state': mode_of(vitals, status).value,
            **self._tally.values(), **self._goals.values(),
            'gate': commanding.command.state.value, 'ladder': commanding.command.rung.value,
            'engine': str(self._equipped.planner.engine.variant),
            'watchdog took over': commanding.barks, 'commands': commanding.out.sent,
            'frame age ms': round(1000 * camera.age_s, 1), 'plan age ms': plan_age})

    def details(self) -> Mapping[str, Status]:
        """Say what stands behind it, by task."""
        return {
            'camera': Status(OK, 'what the stamps of its pictures say', {
                'topic': self._camera.topic, **self._camera.rhythm.values(),
                **self._frames()}),
            'latency': Status(OK, 'how long each stage takes', self._tally.stages()),
            'machine': Status(OK, 'what this machine tells', machine_values()),
            'real time': Status(
                WARN if self._realtime.refused else OK,
                '; '.join(self._realtime.refused) or 'as it is asked for',
                self._realtime.values())}

    def _frames(self) -> dict[str, object]:
        """Say what became of all frames that were heard: the others sum up to the first."""
        worker = self.worker
        return {
            'heard': self._camera.heard, 'not readable': self._camera.unread,
            'not believed': self._camera.doubted,
            'heard at rest': self._at_rest, 'without senses': self._senseless,
            'planned from': worker.planned,
            'replaced before they were planned from': worker.replaced,
            'dropped with their goal': worker.dropped, 'waiting': int(worker.has_frame)}

    def _imagines(self) -> str:
        return f'{self._equipped.planner.engine.variant} imagines: {self._equipped.notes}'

    # What is heard and planned.

    def _go(self) -> None:
        if self._enabled:
            self._active_since_s = time.monotonic()
            self._commanding.begin()

    def _halt(self) -> None:
        self._commanding.rest()
        # Nothing is read while it rests.
        self._problems.clear('bad senses')
        self.worker.rest()

    def _waits(self) -> bool:
        return self._settings.route.rest_at_goal and self._goals.is_reached

    def _on_frame(self, frame: Frame) -> None:
        if not self._commanding.drives:
            self._at_rest += 1
            return
        try:
            sensed = self._sensed.read(self._settings.node.staleness_s)
        except FrameError as error:
            self._senseless += 1
            self._problems.note('bad senses', str(error))
            return
        self._problems.clear('bad senses')
        self.worker.offer(
            replace(frame, sensed=sensed), self._camera.arrived_s, self._camera.age_s)
        self._tally.note(RECEIVE, 1000 * (time.monotonic() - self._camera.arrived_s))

    def _on_driven(self, message: TwistStamped) -> None:
        wiring = self._commanding.out.wiring
        self._sent.add(
            seconds(message.header.stamp), wiring.back(values_from(message.twist, wiring.places)))

    def _on_cycle(self, finished: Finished) -> None:
        """Report a cycle; called in the planner's thread."""
        self._commanding.hurry()
        self._problems.clear('planning fails', 'unfit image')
        self._tally.add(finished)
        self._goals.advance(finished)
        cycle, missed = finished.cycle, self._tally.missed(finished)
        self.cycle.publish(status_from(
            f'{self._node.get_name()}: cycle', WARN if missed else OK,
            'over budget' if missed else 'in time', {
                **cycle_fields(
                    cycle, finished.frame.stamp_s, finished.total_ms, missed,
                    self._bundle.manifest.total_tokens, cycle.subset, cycle.plan.actions),
                'encodes': cycle.encodes}))
        self._display.offer(finished, self._goals.current, self._tally)

    def _on_problem(self, matter: Matter, problem: Exception) -> None:
        """Note what a goal or a frame raised; called in the planner's thread."""
        goal = self._goals.current
        if isinstance(problem, FrameError) and matter is Matter.GOAL:
            self._problems.note('bad goal', f'{goal.name if goal else ""}: {problem}')
        elif isinstance(problem, FrameError):
            self._problems.note('unfit image', f'{self._camera.topic}: {problem}')
        elif is_of_memory(problem):
            self._problems.note(
                'planning fails', 'memory does not suffice to imagine a single candidate; free '
                f'some, or lower `tokens` ({problem})')
        elif isinstance(problem, SparseImaginationError):
            self._problems.note('planning fails', str(problem))
        else:
            # Not the user's doing: the developers need the traceback, in the log.
            self._problems.note(
                'planning fails', f'{problem!r}; this is a bug, please report it',
                ''.join(traceback.format_exception(problem)))
