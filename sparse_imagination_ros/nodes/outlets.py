# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands on their way out, in the form that a robot takes. They have passed the gate before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist, TwistStamped
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from sparse_imagination_ros.nodes.messages import (
    check_action_names,
    duration_from,
    twist_from,
)
from sparse_imagination_ros.nodes.publishing import Outlet, publishers, RELIABLE
from sparse_imagination_ros.planning.wiring import read_wiring, Wiring

TRAJECTORY_FIELDS = ('velocities', 'positions')


@dataclass(frozen=True)
class CommandForm:
    """
    How commands are to look.

    period_s: how long the controller of a joint trajectory may take to get there.
    """

    kind: str
    stamped: bool
    wires: str
    trajectory_field: str
    frame_id: str
    period_s: float


# What makes a message from values [A] and the stamp of the frame that they come from.
Make = Callable[[NDArray[np.floating], Time], Any]


@dataclass(frozen=True)
class Wired:
    """A form, for the actions of a bundle: what is sent, where, and how it is made."""

    wiring: Wiring
    kind: type[Any]
    topic: str
    make: Make


def wired(form: CommandForm, names: Sequence[str], source: str) -> Wired:
    """Prepare a form for the actions of these names; errors say that they are of `source`."""
    wiring = read_wiring(form.wires, names, numbered=form.kind == 'numbers')
    if form.kind == 'twist':
        check_action_names(wiring.places, source)
    return COMMANDS[form.kind](form, wiring)


class CommandOutlet(Outlet):
    """Sends actions [A] as one kind of message."""

    def __init__(self, node: Node, wires: Wired) -> None:
        super().__init__(node, wires.kind, wires.topic, RELIABLE)
        self.wiring, self._make = wires.wiring, wires.make

    @property
    def has_rivals(self) -> bool:
        """Tell whether others command on the same topic."""
        return bool(self._node.count_publishers(self.topic) > 1)

    @property
    def rivals(self) -> str:
        """Return the names of the others."""
        names = publishers(self._node, self.topic)
        if self._node.get_name() in names:
            names.remove(self._node.get_name())
        return ', '.join(names)

    def send(self, values: NDArray[np.floating], stamp: Time) -> None:
        """Send actions; stamp: of the frame that they come from."""
        self.publish(self._make(values, stamp))


def _twist(form: CommandForm, wiring: Wiring) -> Wired:
    def plain(values: NDArray[np.floating], stamp: Time) -> Twist:
        return twist_from(wiring.out(values), wiring.places)

    def stamped(values: NDArray[np.floating], stamp: Time) -> TwistStamped:
        message = TwistStamped(twist=plain(values, stamp))
        message.header.stamp, message.header.frame_id = stamp, form.frame_id
        return message

    if form.stamped:
        return Wired(wiring, TwistStamped, 'cmd_vel', stamped)
    return Wired(wiring, Twist, 'cmd_vel', plain)


def _numbers(form: CommandForm, wiring: Wiring) -> Wired:
    def make(values: NDArray[np.floating], stamp: Time) -> Float64MultiArray:
        row = wiring.row(values)
        message = Float64MultiArray(data=row.tolist())
        message.layout.dim = [MultiArrayDimension(label='action', size=len(row), stride=len(row))]
        return message
    return Wired(wiring, Float64MultiArray, 'commands', make)


def _joint_trajectory(form: CommandForm, wiring: Wiring) -> Wired:
    def make(values: NDArray[np.floating], stamp: Time) -> JointTrajectory:
        point = JointTrajectoryPoint(time_from_start=duration_from(form.period_s))
        setattr(point, form.trajectory_field, wiring.out(values).tolist())
        # Without a stamp it counts from now: a controller takes what began with the frame for
        # over. Only the next point is told, since what comes later has not passed the gate.
        return JointTrajectory(joint_names=list(wiring.places), points=[point])
    return Wired(wiring, JointTrajectory, 'joint_trajectory', make)


COMMANDS: dict[str, Callable[[CommandForm, Wiring], Wired]] = {
    'twist': _twist, 'numbers': _numbers, 'joint_trajectory': _joint_trajectory}
