# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The loop of the commands: reads the newest plan through the gate, at a rate and when a plan is new.

A watchdog brings the robot to rest if the loop falls silent. Who plans is not known here.
"""

from collections.abc import Callable
from dataclasses import replace
from threading import Event
import time

from builtin_interfaces.msg import Time
from rclpy.node import Node

from sparse_imagination_ros.nodes.messages import NANOSECONDS, stamp_at
from sparse_imagination_ros.nodes.outlets import CommandOutlet
from sparse_imagination_ros.nodes.publishing import steady_clock
from sparse_imagination_ros.nodes.tally import SEND, STAMP_TO_COMMAND, Tally
from sparse_imagination_ros.planning.gate import Command, Gate, GateState, Limits, Rung
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.watchdog import Watchdog
from sparse_imagination_ros.planning.worker import Finished

# After so many periods without a command, and so many seconds, the watchdog takes over.
WATCHDOG_PERIODS, WATCHDOG_S = 5, 0.2
# Who else commands, and who listens, is found within this time.
DISCOVERY_S = 2.0
# Who is told to end brakes within the limits, but for no longer than this.
FAREWELL_S = 2.0
# So long the planner waits at most until the first command of its plan has left.
COURTESY_S = 0.005


class Commanding:
    """
    Sends commands while the robot is to drive, and after that until it stands.

    newest: returns the cycle whose plan counts; waits: tells whether the robot is to stand though
    it may drive; sent: where commands are noted, or None if another's are. alone: whether the
    robot is to stand while others command on the same topic.
    """

    def __init__(
        self, node: Node, out: CommandOutlet, limits: Limits, rate_hz: float,
        newest: Callable[[], Finished | None], waits: Callable[[], bool],
        sent: CommandHistory | None, tally: Tally, alone: bool,
    ) -> None:
        self._node, self.out, self._newest, self._waits = node, out, newest, waits
        self._sent, self._tally, self._alone = sent, tally, alone
        self._period_s = 1 / rate_hz
        self._gate = Gate(replace(limits, silence_s=_silence_s(rate_hz)))
        self.command = Command(0 * limits.low, GateState.STOPPED, Rung.STANDING)
        self.drives, self._at_rest, self._open = False, True, True
        self.barks, self.has_rivals, self.is_heard = 0, False, True
        # Whether it still looks for others, and whether it said nothing when it was its turn.
        self._looks = self._silent = False
        self._tick_s = 0.0
        self._opened_s = time.monotonic()
        # The last plan of which a command was sent.
        self._obeyed: Finished | None = None
        self._timer = node.create_timer(1 / rate_hz, self._send_next, clock=steady_clock())
        # A plan is read at once when it is there, and from then on at the rate.
        self._planned = node.create_guard_condition(self._send_early)
        self._read = Event()
        self._watchdog = Watchdog(*_patience(rate_hz), self._on_silence)

    def begin(self) -> None:
        """Let plans become commands."""
        self.drives, self._at_rest = True, False
        self._watchdog.wake()

    def rest(self) -> None:
        """Bring the robot to rest; the commands go on until it is."""
        self.drives = False

    def hurry(self) -> None:
        """
        Have the newest plan read at once, and wait a little for that; called in another thread.

        Threads of Python take turns: what else the caller has to do would hold the command up.
        """
        if self._open:
            self._read.clear()
            self._planned.trigger()
            self._read.wait(COURTESY_S)

    @property
    def moves(self) -> bool:
        """Tell whether the robot is told to move."""
        return bool(self.command.values.any())

    def adjust(self, limits: Limits, rate_hz: float, alone: bool) -> None:
        """Go on within other limits and at another rate."""
        self._period_s, self._alone = 1 / rate_hz, alone
        self._gate.change(replace(limits, silence_s=_silence_s(rate_hz)))
        self._timer.timer_period_ns = round(NANOSECONDS / rate_hz)
        self._watchdog.pace(*_patience(rate_hz))

    def close(self) -> None:
        """Bring the robot to rest, and send no more."""
        self._open = False
        self._node.destroy_timer(self._timer)
        self._node.destroy_guard_condition(self._planned)
        self._watchdog.close()
        end_s = time.monotonic() + FAREWELL_S
        while not self._at_rest:
            self._send(self._resting(), None)
            self._at_rest = not self.moves
            if not self._at_rest and time.monotonic() > end_s:
                self.out.send(0 * self.command.values, self._now())
                break
            time.sleep(0 if self._at_rest else self._period_s)
        self.out.close()

    def _send_early(self) -> None:
        """Send the first command of a new plan, and the next one a period later."""
        if self.drives:
            self._timer.reset()
            self._send_next()
        self._read.set()

    def _send_next(self) -> None:
        self._watchdog.feed()
        if not self.drives and self._at_rest:
            return
        now_s, steady_s = self.now_s(), time.monotonic()
        if now_s < self._tick_s and self._sent is not None:
            self._sent.clear()
        self._tick_s = now_s
        self.has_rivals = self._alone and self.out.has_rivals
        # A base that comes, or returns, shall be told to move from rest.
        self.is_heard = self._sent is None or self.out.listeners > 0
        self._looks = self._alone and steady_s < self._opened_s + DISCOVERY_S
        # Who was silent says first that the robot stands.
        waits = (self._waits() or self.has_rivals or not self.is_heard or self._looks
                 or self._silent)
        finished = self._newest()
        command = self._gate.command(
            finished.cycle.plan if finished else None, now_s,
            stopped=not self.drives or waits, steady_s=steady_s,
            arrived_s=finished.arrived_s if finished else None)
        self._send(command, finished)
        if self._sent is not None:
            self._sent.add(now_s, command.values)
        if command.state is GateState.DRIVING and finished and finished is not self._obeyed:
            self._obeyed = finished
            self._tally.note(SEND, 1000 * (time.monotonic() - finished.ended_s))
            self._tally.note(STAMP_TO_COMMAND, 1000 * (now_s - finished.frame.stamp_s))
        self._at_rest = not self.drives and not command.values.any()
        if self._at_rest:
            self._watchdog.sleep()

    def _on_silence(self) -> None:
        """Bring the robot to rest, since nobody else sends commands; called by the watchdog."""
        self.barks += 1
        self._send(self._resting(), None)

    def _resting(self) -> Command:
        return self._gate.command(None, self._tick_s, stopped=True, steady_s=time.monotonic())

    def _send(self, command: Command, finished: Finished | None) -> None:
        """Send a command with the stamp of what it comes from; if nothing, with that of now."""
        stamp = self._now()
        if command.state is GateState.DRIVING and finished is not None:
            stamp = stamp_at(finished.cycle.plan.frame_stamp_s)
        was_moving, self.command = self.moves, command
        # At rest nothing is said between what others say, or may say.
        self._silent = (self.has_rivals or self._looks) and not was_moving and not self.moves
        if not self._silent:
            self.out.send(command.values, stamp)

    def _now(self) -> Time:
        return self._node.get_clock().now().to_msg()

    def now_s(self) -> float:
        """Return the time of the node's clock."""
        return float(self._node.get_clock().now().nanoseconds / NANOSECONDS)


def _patience(rate_hz: float) -> tuple[float, float]:
    """Return how long the watchdog waits for commands of this rate, and how often it sends."""
    return max(WATCHDOG_PERIODS / rate_hz, WATCHDOG_S), 1 / rate_hz


def _silence_s(rate_hz: float) -> float:
    """Return after how long without a command the whole process must have stood still."""
    return sum(_patience(rate_hz))
