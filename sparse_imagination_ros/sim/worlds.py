# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which worlds there are, by the name of the robot in them."""

from sparse_imagination_ros.errors import WorldError
from sparse_imagination_ros.sim.camera import CameraConfig
from sparse_imagination_ros.sim.pusht import PushT
from sparse_imagination_ros.sim.robots import ROBOTS
from sparse_imagination_ros.sim.rooms import Rooms
from sparse_imagination_ros.sim.world import State, World

STATES: dict[str, State] = {
    **dict.fromkeys(ROBOTS, Rooms.state), PushT.robot.name: PushT.state}


def make_world(robot: str, picture_size: int = CameraConfig().size) -> World:
    """Return the world that a robot moves in, with a camera of square pictures."""
    if robot not in STATES:
        raise WorldError(f'robot `{robot}` is not known; choose one of {", ".join(STATES)}')
    if robot == PushT.robot.name:
        return PushT(picture_size)
    return Rooms(robot, CameraConfig(size=picture_size))
