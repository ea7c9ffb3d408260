# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where the robot is to go: goals that come by topics, from files or from the camera.

Whether one is reached is judged in planning/route.py, from what each cycle says of its distance.
"""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Bool

from sparse_imagination_ros.bags.goals import read_goals
from sparse_imagination_ros.errors import FrameError
from sparse_imagination_ros.nodes.messages import picture_from
from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import LATCHED, Outlet
from sparse_imagination_ros.nodes.senses import SenseInlet
from sparse_imagination_ros.nodes.settings import Settings
from sparse_imagination_ros.planning.route import Goal, Route
from sparse_imagination_ros.planning.worker import Finished, PlannerThread
from sparse_imagination_ros.tokens.frames import cut, Picture, Region
from sparse_imagination_ros.world_models.manifest import Manifest


def goals_from(settings: Settings, manifest: Manifest) -> list[Goal]:
    """Read the goals that the settings name, as large as the bundle takes them."""
    return [replace(goal, picture=_fitted(goal.picture, settings.region, manifest.picture_size))
            for goal in read_goals(settings.node.goals, manifest.senses)]


def _fitted(picture: Picture, region: Region, size: tuple[int, int]) -> Picture:
    """Return the region of a camera's picture; what is as large as it is to be is cut already."""
    height, width = picture.shape[:2]
    return picture if (width, height) == size else cut(picture, region, size)


class Goals:
    """The route that is driven; a goal that comes by topic or service is a route of one."""

    def __init__(
        self, node: Node, settings: Settings, manifest: Manifest, worker: PlannerThread,
        problems: Problems,
    ) -> None:
        self._node, self._config, self._worker = node, settings.route, worker
        self._problems, self._senses = problems, manifest.senses
        self._region, self._size = settings.region, manifest.picture_size
        self._lock = Lock()
        self._route: Route | None = None
        # A goal from the topics that is not whole yet.
        self._picture: Picture | None = None
        self.arrived = Outlet(node, Bool, '~/arrived', LATCHED)
        self._said = False
        self.arrived.publish(Bool(data=False))
        self._inlets = [
            node.create_subscription(Image, 'goal_image', self._on_picture, LATCHED),
            node.create_subscription(
                CompressedImage, node.resolve_topic_name('goal_image') + '/compressed',
                self._on_picture, LATCHED)]
        self._sensed = SenseInlet(
            node, settings.node.sensed_type, 'goal_sensed', manifest.senses, LATCHED, self._join)

    @property
    def wanted(self) -> str:
        """Say what would be a goal, for who has none."""
        there = self._sensed.topic
        return (f'publish a goal picture on {self.topic}, transient local'
                + (f', and what is sensed there on {there}' if there else ''))

    @property
    def topic(self) -> str:
        """Return where goal pictures are heard."""
        return str(self._inlets[0].topic_name)

    @property
    def current(self) -> Goal | None:
        """Return the goal that is driven to."""
        route = self._route
        return route.goal if route else None

    @property
    def is_reached(self) -> bool:
        """Tell whether the last goal is reached."""
        return self._said

    def follow(self, goals: Sequence[Goal]) -> None:
        """Drive to these, one after another; the route before is forgotten."""
        with self._lock:
            self._route = Route(goals, self._config) if goals else None
            self._say(False)
            if self._route is None:
                self._worker.drop_goal()
            else:
                self._set()

    def restart(self) -> None:
        """Begin with the first goal again."""
        with self._lock:
            if self._route is not None:
                self._route.restart()
                self._say(False)
                self._set()

    def advance(self, finished: Finished) -> None:
        """Take in how far the goal is; called in the planner's thread."""
        with self._lock:
            route = self._route
            if route is None:
                return
            left = route.goal.name
            if route.advance(finished.cycle.goal_distance, finished.frame.stamp_s):
                self._node.get_logger().info(
                    f'goal {left} is done; next is {route.goal.name}, number '
                    f'{route.number + 1} of {len(route.goals)}')
                self._set()
            self._say(route.is_last and route.reached)

    def adjust(self, settings: Settings) -> None:
        """Judge by other settings."""
        with self._lock:
            self._config = settings.route
            if self._route is not None:
                self._route.adjust(settings.route)

    def values(self) -> dict[str, object]:
        """Return what there is to say of the route."""
        with self._lock:
            if self._route is None:
                return {'goal': 'none', 'arrived': False}
            return {
                'goal': self._route.goal.name,
                'goal number': f'{self._route.number + 1} of {len(self._route.goals)}',
                'goal is reached below': f'{self._route.near:.4g}', 'arrived': self._said}

    def close(self) -> None:
        """Listen no more."""
        self.arrived.close()
        for inlet in self._inlets:
            self._node.destroy_subscription(inlet)
        self._sensed.close()

    def _set(self) -> None:
        if self._route is not None:
            goal = self._route.goal
            self._worker.set_goal(goal.picture, goal.sensed)

    def _say(self, reached: bool) -> None:
        if reached != self._said:
            self._said = reached
            self.arrived.publish(Bool(data=reached))

    def _on_picture(self, message: Image | CompressedImage) -> None:
        self._problems.clear('bad goal')
        try:
            self._picture = _fitted(picture_from(message), self._region, self._size)
        except FrameError as error:
            self._picture = None
            self.follow(())
            self._problems.note('bad goal', f'{self.topic}: {error}')
            return
        self._join()

    def _join(self) -> None:
        """Take a goal when both parts of it are here."""
        # Until then there is none: the old one is not what is wanted any more.
        self.follow(())
        if self._picture is None or self._sensed.waiting:
            return
        try:
            sensed = self._sensed.read()
        except FrameError as error:
            self._problems.note('bad goal', str(error))
            return
        self._problems.clear('bad goal')
        picture, self._picture = self._picture, None
        self._sensed.clear()
        self.follow([Goal(picture, sensed, self.topic)])
