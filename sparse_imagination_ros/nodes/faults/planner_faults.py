# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the planner: what breaks inside it, what is done to its process, and wrong orders."""

from collections.abc import Callable
from math import inf, nan
import resource
import signal
from typing import Any

from lifecycle_msgs.msg import Transition

from sparse_imagination_ros.nodes.faults import spoilt_planner as inside
from sparse_imagination_ros.nodes.faults.fault import Fault, STALENESS_S
from sparse_imagination_ros.nodes.faults.stage import Setup, Stage
from sparse_imagination_ros.sim.robots import Robot

INSIDE = Setup(inside=True)
# After so long a base that hears nothing brakes by itself.
TIMEOUT_S = Robot.command_timeout_s
# Until a watchdog notices that a loop is silent.
WATCHDOG_S = 0.3
# What no parameter can be; all of these may change while the robot drives.
SENSELESS: dict[str, Any] = {
    'budget_ms': -1.0, 'sigma': nan, 'staleness_s': 0.0, 'vx_max': -1.0, 'ax_max': 0.0,
    'command_rate_hz': inf, 'optimiser': 'luck', 'iterations': 'many', 'tokens': 4,
    'bundle': '/nowhere', 'goals': ['/nowhere.png']}
CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE, SHUTDOWN = (
    Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_ACTIVE_SHUTDOWN)
AGAIN = 'deactivated it, cleaned it up, configured and activated it'
STARTED = 'started it again (`use_respawn:=true` does)'


def breaks(what: str) -> Callable[[Stage], None]:
    """Return what makes something go wrong inside."""
    return lambda stage: stage.spoil_inside(what)


def told(number: int) -> Callable[[Stage], None]:
    """Return what sends a signal to the process."""
    return lambda stage: stage.signal(number)


def senseless(stage: Stage) -> str:
    """Set parameters to what they cannot be; return what is answered to the worst of them."""
    answers = stage.change(**SENSELESS)
    taken = [name for name, refused in zip(SENSELESS, answers, strict=True) if not refused]
    return f'taken though senseless: {", ".join(taken)}' if taken else answers[0]


def replaced(stage: Stage) -> None:
    """Overwrite the weights where they lie, and cut them short."""
    for path in stage.bundle.glob('*.safetensors'):
        with path.open('r+b') as file:
            file.write(bytes(1000))
            file.truncate(2000)


def reconfigured(stage: Stage) -> None:
    """Have the bundle damaged, and the node configured anew."""
    replaced(stage)
    stage.configure_again()


def no_room(stage: Stage) -> str:
    """Refuse the planner to write, as a full disk does, and have it write; return its answer."""
    resource.prlimit(stage.number, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    return stage.save_goal()


def room(stage: Stage) -> None:
    """Let it write again."""
    resource.prlimit(
        stage.number, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def wrongly(*numbers: int, before: tuple[int, ...] = ()) -> Callable[[Stage], str]:
    """Return what asks for transitions, first for right ones, then for wrong ones."""
    def spoil(stage: Stage) -> str:
        for number in before:
            stage.transition(number)
        done = [number for number in numbers if stage.transition(number)]
        stage.waited(lambda: stage.observer.read('is refused', 0.0), STALENESS_S)
        return (f'done though wrong: {done}' if done
                else stage.observer.read('is refused', 0.0))
    return spoil


def transitions(*numbers: int) -> Callable[[Stage], None]:
    """Return what asks for transitions."""
    def act(stage: Stage) -> None:
        for number in numbers:
            stage.transition(number)
    return act


def restored(stage: Stage) -> None:
    """Restore the bundle, and configure the node."""
    stage.restore_bundle()
    transitions(CONFIGURE, ACTIVATE)(stage)


PROCESS_FAULTS = (
    Fault('parameters_senseless', f'{len(SENSELESS)} parameters set to what they cannot be',
          'drives on', senseless, words='budget_ms'),
    Fault('bundle_replaced', 'weights overwritten and cut short on disk', 'drives on', replaced,
          mend=Stage.restore_bundle),
    Fault('bundle_damaged', 'the same, and the node is configured anew', 'comes to rest',
          reconfigured, 2.0, 'is damaged',
          person='restored the bundle, configured and activated it', act=restored),
    Fault('disk_full', 'nothing can be written, and `~/save_goal` is called', 'drives on',
          no_room, words='cannot be written', mend=room),
    Fault('lifecycle_active', 'configure, activate and cleanup while it is active', 'drives on',
          wrongly(CONFIGURE, ACTIVATE, CLEANUP), words='is refused'),
    Fault('lifecycle_inactive', 'deactivated; then configure, deactivate and a wrong shutdown',
          'comes to rest', wrongly(CONFIGURE, DEACTIVATE, SHUTDOWN, before=(DEACTIVATE,)), 1.0,
          'is refused', person='activated it', act=transitions(ACTIVATE)),
    Fault('lifecycle_unconfigured', 'cleaned up; then activate, deactivate and cleanup',
          'comes to rest', wrongly(
              ACTIVATE, DEACTIVATE, CLEANUP, before=(DEACTIVATE, CLEANUP)), 1.0,
          'is refused', person='configured and activated it',
          act=transitions(CONFIGURE, ACTIVATE)),
    Fault('process_stopped', 'SIGSTOP, and SIGCONT later', 'falls silent: the base stops',
          told(signal.SIGSTOP), TIMEOUT_S, silent=True, mend=told(signal.SIGCONT)),
    Fault('process_ended', 'SIGTERM', 'comes to rest and ends', told(signal.SIGTERM), 0.2,
          'ended', person=STARTED, act=Stage.again),
    Fault('process_killed', 'SIGKILL', 'falls silent: the base stops', told(signal.SIGKILL),
          TIMEOUT_S, silent=True, person=STARTED, act=Stage.again),
    Fault('lifecycle_shutdown', 'shut down, then all other transitions', 'comes to rest',
          wrongly(CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE, before=(SHUTDOWN,)), 1.0,
          'is refused', person=STARTED, act=Stage.again))

INSIDE_FAULTS = (
    Fault('engine_slow', f'the engine takes {inside.SLOWER:g} times as long',
          'drives on with less; if the machine is too slow for that, comes to rest',
          breaks(inside.SLOW), setup=INSIDE, either=True),
    Fault('engine_raises', 'the engine raises an error', 'comes to rest', breaks(inside.RAISES),
          STALENESS_S, 'planning fails', setup=INSIDE),
    Fault('engine_no_numbers', 'the engine returns what is no number', 'comes to rest',
          breaks(inside.NO_NUMBERS), STALENESS_S, 'bad numbers', setup=INSIDE),
    Fault('memory_refused', 'the engine gets no memory', 'comes to rest', breaks(inside.MEMORY),
          STALENESS_S, 'memory does not suffice', setup=INSIDE),
    Fault('planner_hangs', 'a cycle does not end', 'comes to rest', breaks(inside.HANGS),
          STALENESS_S, 'planning hangs', setup=INSIDE),
    Fault('planner_dies', "the planner's thread ends", 'comes to rest', breaks(inside.DIES),
          STALENESS_S, 'planning died', person=AGAIN, act=Stage.configure_again, setup=INSIDE),
    Fault('commands_hang', 'the loop of the commands does not return',
          'comes to rest by the watchdog', breaks(inside.LOOP_HANGS), WATCHDOG_S, silent=True,
          setup=INSIDE))
