# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the planner's node can be asked for while it is configured, and how it answers."""

from collections.abc import Callable
from typing import Protocol

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from sparse_imagination_ros.errors import SparseImaginationError


class Deeds(Protocol):
    """What the services do; each says in words what was done, or raises why it was not."""

    def enable(self, wanted: bool) -> str:
        """Let plans become commands, or bring the robot to rest and keep the goal."""

    def stop(self) -> str:
        """Bring the robot to rest and drop the goal."""

    def reset(self) -> str:
        """Forget what was seen and planned, and begin the route anew."""

    def set_goal_from_camera(self) -> str:
        """Take what the camera sees now as the goal."""

    def save_goal(self) -> str:
        """Keep what the camera sees now, as a goal for later."""


class Services:
    """Offers the deeds as services."""

    def __init__(self, node: Node, deeds: Deeds) -> None:
        self._node, self._deeds = node, deeds
        triggers: dict[str, Callable[[], str]] = {
            '~/stop': deeds.stop, '~/reset': deeds.reset,
            '~/set_goal_from_camera': deeds.set_goal_from_camera, '~/save_goal': deeds.save_goal}
        self._services = [
            node.create_service(SetBool, '~/enable', self._on_enable),
            *(node.create_service(Trigger, name, self._answering(deed))
              for name, deed in triggers.items())]

    def close(self) -> None:
        """Offer them no more."""
        for service in self._services:
            self._node.destroy_service(service)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        return self._answer(response, lambda: self._deeds.enable(bool(request.data)))

    def _answering(
        self, deed: Callable[[], str],
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        return lambda request, response: self._answer(response, deed)

    def _answer(
        self, response: SetBool.Response | Trigger.Response, deed: Callable[[], str],
    ) -> SetBool.Response | Trigger.Response:
        try:
            response.message, response.success = deed(), True
            self._node.get_logger().info(response.message)
        except SparseImaginationError as error:
            response.message, response.success = str(error), False
            self._node.get_logger().error(response.message)
        return response
