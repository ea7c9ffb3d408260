# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A planner in a process of its own, a cast that plays its robot, and an observer beside them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
import os
from pathlib import Path
import shutil
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from sparse_imagination_ros.cli.domains import isolated
from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.errors import NodeError, WorldError
from sparse_imagination_ros.graph import planner_graph
from sparse_imagination_ros.nodes.asking import ask
from sparse_imagination_ros.nodes.faults import flooding
from sparse_imagination_ros.nodes.faults.bundles import sensing
from sparse_imagination_ros.nodes.faults.cast import Camera, Goals, Odometer, Peer, SimulatedTime
from sparse_imagination_ros.nodes.faults.observer import Observer
from sparse_imagination_ros.nodes.faults.spoilt_planner import FILE_VARIABLE, NOTHING
from sparse_imagination_ros.sim.camera import CameraConfig
from sparse_imagination_ros.sim.robots import ROBOTS
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.world_models.bundle import Bundle

NODE = 'planner_node'
# A planner that starts on a busy machine, and an answer there.
START_S, ANSWER_S = 180.0, 30.0
# So long nothing is done but to listen.
LISTEN_S = 0.01
# Faster than this, as a share of what it may, the robot drives.
DRIVES = 0.02


@dataclass(frozen=True)
class Setup:
    """
    What kind of planner is started.

    inside: one in which things can go wrong; timed: one whose time comes from /clock; sensing: one
    whose bundle wants odometry.
    """

    inside: bool = False
    timed: bool = False
    sensing: bool = False


PLAIN = Setup()


class Stage:
    """Enter it, start a planner, and spoil what you like; `make_good` puts all right."""

    def __init__(self, domain: int, bundle: Path, folder: Path) -> None:
        loaded = Bundle.load(bundle)
        if loaded.manifest.robot not in ROBOTS:
            raise WorldError(
                f'bundle `{loaded.manifest.name}` drives the robot `{loaded.manifest.robot}`; '
                f'limits are known of {", ".join(ROBOTS)}')
        self.domain, self.folder = domain, folder
        self.robot = ROBOTS[loaded.manifest.robot]
        # One that may be damaged.
        self.bundle = folder / 'bundle'
        self._sound_bundle = bundle
        self.restore_bundle()
        self._sensing_bundle = sensing(loaded, folder / 'sensing')
        self._spoilt = folder / 'spoilt'
        world = Rooms(self.robot.name, CameraConfig(size=loaded.manifest.picture_size[0]))
        self.camera = Camera(domain, world.picture())
        self.goals = Goals(domain, world.picture_at(world.goal), sensing=True)
        self.odometer = Odometer(domain)
        self.clock: SimulatedTime | None = None
        self.more: list[Peer] = []
        self.observer = Observer(domain, self.robot, NODE)
        self.processes = Processes(folder / 'logs', isolated(domain))
        self.number, self.caused_s = 0, 0.0
        self._clients: dict[str, Any] = {}
        self._flood: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> 'Stage':
        """Enter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        self.end_flood()
        for name in self.processes.names:
            self.processes.end(name, self.listen)
        for peer in (self.camera, self.goals, self.odometer, *self.more, self.clock):
            if peer is not None:
                peer.leave()
        self.observer.close()

    # What is started.

    def start(self, setup: Setup) -> None:
        """Start a planner of a kind, in place of one that runs."""
        self.end()
        self.setup = setup
        if self.clock is not None:
            self.clock.leave()
        self.clock = SimulatedTime(self.domain) if setup.timed else None
        self.make_good()
        bundle = self._sensing_bundle if setup.sensing else self.bundle
        spec, = planner_graph(str(bundle), use_sim_time=str(setup.timed).lower())
        spec = replace(spec, parameters=(
            *spec.parameters, ('goal_folder', str(self.folder / 'goals'))))
        if setup.inside:
            spec = replace(
                spec, executable='faults.spoilt_planner', called=NODE,
                environment=(*spec.environment, (FILE_VARIABLE, str(self._spoilt))))
        self.number = self.processes.start(spec)
        self.wait(self.drives, START_S, 'the planner to drive')

    def start_second(self) -> None:
        """Start another planner for the same robot."""
        spec, = planner_graph(str(self.bundle))
        self.processes.start(replace(spec, called='second_planner'))

    def end_second(self) -> None:
        """End it."""
        self.processes.end('second_planner', self.listen)

    def start_flood(self, rate_hz: float) -> None:
        """Have a process send pictures so often, in place of the camera."""
        picture = self.folder / 'picture.npy'
        np.save(picture, self.camera.picture)
        self._flood = subprocess.Popen([
            sys.executable, '-m', flooding.__name__, str(rate_hz), str(picture)],
            env={**os.environ, **isolated(self.domain)})
        node = self.observer.node
        self.wait(lambda: node.count_publishers('/image') > 1, START_S, 'the flood')
        self.camera.on = False

    def end_flood(self) -> None:
        """End that process, if there is one."""
        if self._flood is not None:
            self._flood.kill()
            self._flood.wait()
            self._flood = None

    def end(self) -> None:
        """End the planner, if one runs."""
        if NODE in self.processes.names:
            self.processes.end(NODE, self.listen)

    def again(self) -> None:
        """Start the planner again, as somebody who found it ended."""
        self.start(self.setup)

    # What is put right.

    def make_good(self) -> None:
        """Have everything around the planner as it should be."""
        for peer in self.more:
            peer.leave()
        self.more.clear()
        self.end_flood()
        self.spoil_inside(NOTHING)
        for one in (self.camera, self.odometer):
            one.make_good()
            if not one.there:
                one.join()
        self.goals.show()

    def restore_bundle(self) -> None:
        """Have the bundle on disk as it should be."""
        shutil.rmtree(self.bundle, ignore_errors=True)
        shutil.copytree(self._sound_bundle, self.bundle)

    def spoil_inside(self, what: str) -> None:
        """Have something go wrong inside a planner that is made for it."""
        unfinished = self._spoilt.with_suffix('.unfinished')
        unfinished.write_text(what)
        unfinished.replace(self._spoilt)

    def mark(self) -> None:
        """Say that the fault begins now."""
        self.caused_s = time.monotonic()

    # Time.

    def now_s(self) -> float:
        """Return the time of the robot."""
        return time.time() if self.clock is None else self.clock.now_s()

    def listen(self, span_s: float = LISTEN_S) -> None:
        """Play and listen for a while."""
        end_s = time.monotonic() + span_s
        while True:
            now_s = self.now_s()
            for peer in (self.camera, self.odometer, *self.more, self.clock):
                if peer is not None:
                    peer.tick(now_s)
            self.observer.listen(LISTEN_S)
            if time.monotonic() >= end_s:
                return

    def waited(self, until: Callable[[], Any], limit_s: float) -> bool:
        """Play and listen until it is so; tell whether it came to be within the limit."""
        end_s = time.monotonic() + limit_s
        while not until():
            if time.monotonic() > end_s:
                return False
            self.listen()
        return True

    def wait(self, until: Callable[[], Any], limit_s: float, what: str) -> None:
        """Play and listen until it is so; complain if it does not come to be."""
        if not self.waited(until, limit_s):
            raise NodeError(
                f'waited {limit_s:g} s for {what}; the planner says: {self.observer.status}; its '
                'log is in '
                f'{self.folder / "logs"}')

    # What the robot does.

    def drives(self) -> bool:
        """Tell whether the robot drives."""
        return self.observer.base.speed > DRIVES * min(self.robot.limit)

    def stands_since(self, span_s: float) -> bool:
        """Tell whether the robot has stood for so long."""
        return time.monotonic() - self.observer.base.moved_s > span_s

    # What is asked of the planner.

    def enable(self, wanted: bool) -> str:
        """Call ~/enable."""
        return str(self._ask(SetBool, 'enable', SetBool.Request(data=wanted)).message)

    def save_goal(self) -> str:
        """Call ~/save_goal."""
        return str(self._ask(Trigger, 'save_goal', Trigger.Request()).message)

    def change(self, **values: Any) -> list[str]:
        """Set parameters; return why each was refused, or an empty text."""
        answer = self._ask(SetParameters, 'set_parameters', SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]))
        return ['' if one.successful else str(one.reason) for one in answer.results]

    def transition(self, number: int) -> bool:
        """Ask for a transition of the lifecycle; tell whether it was done."""
        request = ChangeState.Request(transition=Transition(id=number))
        return bool(self._ask(ChangeState, 'change_state', request).success)

    def configure_again(self) -> None:
        """Deactivate, clean up, configure and activate."""
        for number in (
                Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
                Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            self.transition(number)

    def signal(self, number: int) -> None:
        """Send a signal to the process of the planner."""
        os.kill(self.number, number)

    def _ask(self, kind: Any, name: str, request: Any) -> Any:
        if name not in self._clients:
            self._clients[name] = self.observer.node.create_client(kind, f'{NODE}/{name}')
        return ask(self._clients[name], request, self.listen, ANSWER_S)
