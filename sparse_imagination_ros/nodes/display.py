# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What people see of the planning, in RViz, Foxglove or a plot.

All of it is made in a thread of its own, of low priority, and only while somebody looks. What is
shown is worked out in views/.
"""

from collections.abc import Callable
from dataclasses import dataclass
import os
from threading import Condition, get_native_id, Thread
import time
from typing import Any

from builtin_interfaces.msg import Time
from nav_msgs.msg import Path
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Float64
from visualization_msgs.msg import MarkerArray

from sparse_imagination_ros.nodes.drawing import candidate_markers, path_from
from sparse_imagination_ros.nodes.messages import image_from, stamp_at
from sparse_imagination_ros.nodes.publishing import NEWEST_RELIABLE, Outlet
from sparse_imagination_ros.nodes.settings import NodeConfig
from sparse_imagination_ros.nodes.tally import STAMP_TO_COMMAND, Tally
from sparse_imagination_ros.planning.route import Goal
from sparse_imagination_ros.planning.worker import Finished
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.views.future import imagined_future
from sparse_imagination_ros.views.overlay import token_mask
from sparse_imagination_ros.views.plottable import caption, cycle_numbers, NUMBERS
from sparse_imagination_ros.views.rollouts import chosen, colours, planar, poses
from sparse_imagination_ros.world_models.bundle import Bundle

# Of a thread; the planner's has 0.
NICENESS = 10
PATIENCE_S = 5.0
# So many candidates are shown, or lines would hide each other.
CANDIDATES = 32


@dataclass(frozen=True)
class _Shown:
    """One cycle to show."""

    finished: Finished
    goal: Goal | None
    budget_ms: float
    stamp_to_command_ms: float


class Display:
    """Shows the newest cycle; those that come while it is busy are left out."""

    def __init__(self, node: Node, bundle: Bundle, config: NodeConfig) -> None:
        self._bundle, self._names = bundle, bundle.manifest.actions.names
        self._frame, self._period_s = config.base_frame, 1 / config.display_rate_hz
        self._scale = np.array(bundle.manifest.actions.high, np.float32)
        self._log = node.get_logger()
        self._numbers = {
            name: Outlet(node, Float64, f'~/debug/{name}', NEWEST_RELIABLE) for name in NUMBERS}
        self._views: dict[Outlet, Callable[[_Shown], Any]] = {}
        makers: dict[str, tuple[type[Any], Callable[[_Shown], Any]]] = {
            'tokens': (Image, self._tokens), 'goal': (Image, self._goal)}
        if bundle.decoder is not None:
            makers['future'] = (Image, self._future)
        if planar(self._names):
            makers['candidates'] = (MarkerArray, self._candidates)
            makers['plan'] = (Path, self._plan)
        for name, (kind, make) in makers.items():
            self._views[Outlet(node, kind, f'~/debug/{name}', NEWEST_RELIABLE)] = make
        self._change = Condition()
        self._next: _Shown | None = None
        self._closing = False
        self._complained = False
        self._thread = Thread(target=self._run, name='display', daemon=True)
        self._thread.start()

    def adjust(self, config: NodeConfig) -> None:
        """Show more or less often."""
        self._period_s = 1 / config.display_rate_hz

    def offer(self, finished: Finished, goal: Goal | None, tally: Tally) -> None:
        """Offer a cycle; called in the planner's thread, which it hardly keeps."""
        with self._change:
            self._next = _Shown(finished, goal, tally.budget_ms, tally.last_ms(STAMP_TO_COMMAND))
            self._change.notify()

    def close(self) -> None:
        """Show no more."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(PATIENCE_S)
        for outlet in (*self._numbers.values(), *self._views):
            outlet.drop()

    def _run(self) -> None:
        _step_back()
        due_s = 0.0
        while (shown := self._wait()) is not None:
            try:
                self._plot(shown)
                if time.monotonic() >= due_s:
                    due_s = time.monotonic() + self._period_s
                    self._show(shown)
            except Exception as error:
                # Nobody drives by it; but it must not go unnoticed.
                if not self._complained:
                    self._complained = True
                    self._log.error(
                        f'the display fails: {error!r}; this is a bug, please report it')

    def _wait(self) -> _Shown | None:
        with self._change:
            self._change.wait_for(lambda: self._closing or self._next is not None)
            shown, self._next = self._next, None
            return None if self._closing else shown

    def _plot(self, shown: _Shown) -> None:
        numbers = cycle_numbers(shown.finished, shown.budget_ms, shown.stamp_to_command_ms)
        for name, outlet in self._numbers.items():
            if outlet.listeners:
                outlet.publish(Float64(data=float(numbers[name])))

    def _show(self, shown: _Shown) -> None:
        for outlet, make in self._views.items():
            message = make(shown) if outlet.listeners else None
            if message is not None:
                outlet.publish(message)

    def _tokens(self, shown: _Shown) -> Image:
        finished, encoder = shown.finished, self._bundle.manifest.encoder
        lines = caption(finished, self._bundle.manifest.total_tokens, shown.budget_ms)
        return self._image(
            token_mask(finished.frame.rgb, encoder.grid, finished.cycle.subset, lines), finished)

    def _goal(self, shown: _Shown) -> Image | None:
        return self._image(shown.goal.picture, shown.finished) if shown.goal else None

    def _future(self, shown: _Shown) -> Image | None:
        cycle = shown.finished.cycle
        if cycle.record is None or cycle.optimum is None:
            return None
        return self._image(
            imagined_future(self._bundle, cycle.record.question, cycle.optimum.actions),
            shown.finished)

    def _candidates(self, shown: _Shown) -> MarkerArray | None:
        optimum = shown.finished.cycle.optimum
        if optimum is None or not len(optimum.costs):
            return None
        elites = len(optimum.elites)
        some = chosen(optimum.costs, elites, max(CANDIDATES, elites))
        return candidate_markers(
            self._ways(optimum.candidates[some] * self._scale, shown),
            colours(optimum.costs[some]), elites, self._frame, self._stamp(shown.finished))

    def _plan(self, shown: _Shown) -> Path:
        plan = shown.finished.cycle.plan
        way, = self._ways(plan.actions[None], shown)
        return path_from(way, plan.step_s, self._frame, stamp_at(plan.frame_stamp_s))

    def _ways(self, actions: NDArray[np.floating], shown: _Shown) -> NDArray[np.float64]:
        return poses(actions, self._names, shown.finished.cycle.plan.step_s)

    def _image(self, picture: Picture, finished: Finished) -> Image:
        return image_from(picture, self._stamp(finished), self._frame)

    @staticmethod
    def _stamp(finished: Finished) -> Time:
        return stamp_at(finished.frame.stamp_s)


def _step_back() -> None:
    """Let the planner's thread go first."""
    try:
        os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)
    except OSError:
        # Not everywhere can a thread have a priority of its own; then it has not.
        return
