# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of goals, of odometry, of clocks, and of those who want to command, too."""

from math import nan

import numpy as np

from sparse_imagination_ros.nodes.faults.camera_faults import unknown
from sparse_imagination_ros.nodes.faults.fault import Fault, STALENESS_S
from sparse_imagination_ros.nodes.faults.stage import Setup, Stage

TIMED, SENSING = Setup(timed=True), Setup(sensing=True)
START_S = 120.0
# The middleware tells one node earlier than another who is there.
FOUND_S = 2.5
JUMP_S = 1000.0


def bad_goal(stage: Stage) -> None:
    """Show a goal that cannot be read."""
    stage.goals.show(spoil=unknown)


def small_goal(stage: Stage) -> None:
    """Show a goal of another size."""
    stage.goals.show(np.ascontiguousarray(stage.goals.picture[::2, ::2]))


def other_goals(stage: Stage) -> None:
    """Show other goals in mid-plan, one after the other."""
    for turns in (1, 2, 3):
        stage.goals.show(np.ascontiguousarray(np.rot90(stage.goals.picture, turns)))
        stage.listen(0.15)


def odometry_stops(stage: Stage) -> None:
    """Have nothing be said of where the robot is."""
    stage.odometer.on = False


def odometry_nan(stage: Stage) -> None:
    """Have the robot be nowhere."""
    stage.odometer.x = nan


def clock_pauses(stage: Stage) -> None:
    """Have simulated time stand still, as a simulator that is paused."""
    assert stage.clock is not None
    stage.clock.runs = False


def clock_goes_on(stage: Stage) -> None:
    """Have it go on."""
    assert stage.clock is not None
    stage.clock.runs = True


def clock_resets(stage: Stage) -> None:
    """Have simulated time begin anew."""
    assert stage.clock is not None
    stage.clock.turn(0.0)


def clock_jumps(stage: Stage) -> None:
    """Have it jump ahead."""
    assert stage.clock is not None
    stage.clock.turn(stage.clock.now_s() + JUMP_S)


def clock_dies(stage: Stage) -> None:
    """Have nobody tell the time, while the camera goes on by it."""
    assert stage.clock is not None
    stage.clock.leave()


def clock_lives(stage: Stage) -> None:
    """Have it told again."""
    assert stage.clock is not None
    stage.clock.join()


def second_planner(stage: Stage) -> None:
    """Start another planner for the same robot; return when it can be seen."""
    stage.start_second()
    node = stage.observer.node
    stage.wait(lambda: node.count_publishers('/cmd_vel') > 1, START_S, 'the second planner')
    stage.mark()


def only_one(stage: Stage) -> None:
    """End it."""
    stage.end_second()


OTHER_FAULTS = (
    Fault('goal_bad', 'a goal that cannot be read', 'comes to rest', bad_goal, STALENESS_S,
          'bad goal'),
    Fault('goal_size', 'a goal of another size', 'comes to rest', small_goal, STALENESS_S,
          'bad goal'),
    Fault('goal_replaced', 'three other goals in mid-plan', 'drives on', other_goals),
    Fault('two_planners', 'another planner commands the same robot', 'comes to rest',
          second_planner, FOUND_S, 'others command', mend=only_one),
    Fault('odometry_stops', 'no odometry comes any more', 'comes to rest', odometry_stops,
          2 * STALENESS_S, 'bad senses: nothing on /sensed', setup=SENSING),
    Fault('odometry_nan', 'a position that is no number', 'comes to rest', odometry_nan,
          STALENESS_S, 'which is no number', setup=SENSING),
    Fault('clock_pauses', 'simulated time stands still, and the camera with it', 'comes to rest',
          clock_pauses, STALENESS_S, 'stale camera: no new image', mend=clock_goes_on,
          setup=TIMED),
    Fault('clock_resets', 'simulated time begins anew', 'drives on', clock_resets, setup=TIMED),
    Fault('clock_jumps', f'simulated time jumps ahead by {JUMP_S:g} s', 'drives on', clock_jumps,
          setup=TIMED),
    Fault('clock_dies', 'nobody publishes /clock any more', 'comes to rest', clock_dies,
          STALENESS_S, 'stale stamps', mend=clock_lives, setup=TIMED))
