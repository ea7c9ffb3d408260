# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The planner as a managed node: camera and goal picture in, velocity commands out.

Here are its life and its parameters; what it does while it is configured is in driving.py.
"""

from collections.abc import Mapping, Sequence
import sys

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from sparse_imagination_ros.nodes.driving import Driving
from sparse_imagination_ros.nodes.health import Mode
from sparse_imagination_ros.nodes.parameters import Parameters, Proposal
from sparse_imagination_ros.nodes.publishing import ERROR, OK, Reporter, Status, steady_clock, WARN
from sparse_imagination_ros.nodes.runtime import refuse_wrong_transitions, run_node, transition
from sparse_imagination_ros.nodes.settings import GROUPS, settings_of

SUCCESS = TransitionCallbackReturn.SUCCESS
UNCONFIGURED = {'state': Mode.UNCONFIGURED.value}


class PlannerNode(LifecycleNode):
    """Translates between ROS and the room of the planner."""

    def __init__(self) -> None:
        super().__init__('planner_node', automatically_declare_parameters_from_overrides=True)
        refuse_wrong_transitions(self)
        self._driving: Driving | None = None
        self._settings = Parameters(self, GROUPS, self._consider, self._adjust)
        self._ending = False
        self._problem = ''
        self._said = ''
        self._reporter = Reporter(self, 'planning', self._status, '', self._details)
        if self.get_parameter('autostart').value:
            self._once = self.create_timer(0.01, self._start_up, clock=steady_clock())

    def close(self) -> None:
        """Stop the robot, and say the last words."""
        self._ending = True
        self._release()
        self._reporter.close()

    def report(self, problem: str) -> None:
        """Log why a transition failed, and show it on /diagnostics until another one succeeds."""
        self._problem = problem
        self.get_logger().error(problem)
        self._reporter.report()

    @transition
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, warm it up and open the topics."""
        self._driving = Driving(self, settings_of(self._settings))
        self._reporter.watch(*self._driving.outlets)
        self._settings.fixed_because = (
            'it is read when the node is configured; deactivate it and clean it up first')
        self._problem = ''
        return SUCCESS

    @transition
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let plans become commands."""
        if self._driving is not None:
            self._driving.begin()
        return SUCCESS

    @transition
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring the robot to rest; the commands go on until it is."""
        if self._driving is not None:
            self._driving.rest()
        return SUCCESS

    @transition
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the topics and let go of the model."""
        self._release()
        return SUCCESS

    @transition
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the robot for good."""
        self._release()
        return SUCCESS

    def _start_up(self) -> None:
        self.destroy_timer(self._once)
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _consider(self, proposal: Proposal) -> None:
        """Raise why parameters cannot change so."""
        if self._driving is not None:
            self._driving.consider(settings_of(proposal))

    def _adjust(self) -> None:
        """Go on by the parameters as they are now."""
        if self._driving is not None:
            self._driving.adjust(settings_of(self._settings))

    def _details(self) -> Mapping[str, Status]:
        return self._driving.details() if self._driving is not None else {}

    def _release(self) -> None:
        if self._driving is not None:
            self._driving.close()
        self._driving = None
        self._settings.fixed_because = ''

    def _status(self) -> Status:
        if self._ending:
            status = Status(OK, 'ended')
        elif self._driving is not None:
            status = self._driving.status()
        elif self._problem:
            status = Status(ERROR, f'not configured: {self._problem}', UNCONFIGURED)
        else:
            status = Status(
                WARN, 'not configured: waits for the transition `configure`', UNCONFIGURED)
        self._log_change(status)
        return status

    def _log_change(self, status: Status) -> None:
        # What stands before the colon says what is going on; the rest may change every second.
        said, self._said = self._said, status.text.partition(':')[0]
        if said == self._said or self._problem:
            return
        # rclpy wants one place in the code for each severity.
        if status.level == OK:
            self.get_logger().info(status.text)
        else:
            self.get_logger().warning(status.text)


def main(args: Sequence[str] | None = None) -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(PlannerNode, args))


if __name__ == '__main__':
    main()
