# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the planner's node is, in words: the worst first, with what to do about it."""

from dataclasses import dataclass

from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import ERROR, OK, STALE, Status, WARN
from sparse_imagination_ros.planning.gate import Command, GateState

# More misses than this are worth a warning.
TOLERATED_MISSES = 0.1
PROBLEMS = ('bad goal', 'bad image', 'unfit image', 'bad senses', 'planning fails')


@dataclass(frozen=True)
class Vitals:
    """
    What is known at one moment.

    image: the camera's topic; silent_s: how long nothing came from it; age_s: how old the newest
    picture was when it came; wanted_goal: what would be one; missed: share of the last cycles;
    imagines: which engine, and why, if it is not the one that was asked for.
    """

    active: bool
    enabled: bool
    image: str
    silent_s: float
    age_s: float
    limit_s: float
    has_goal: bool
    wanted_goal: str
    arrived: bool
    command: Command
    missed: float
    imagines: str


def judged(vitals: Vitals, problems: Problems) -> Status:
    """Return how it goes."""
    limit_s, state = vitals.limit_s, vitals.command.state
    problem = problems.first(*PROBLEMS)
    if problem:
        return Status(ERROR, problem)
    if not vitals.active:
        return Status(OK, 'inactive: the robot stands still')
    if not vitals.enabled:
        return Status(WARN, 'disabled: the robot stands still until ~/enable is called with true')
    if vitals.silent_s > limit_s:
        return Status(
            STALE, f'stale camera: no image on {vitals.image} for {vitals.silent_s:.1f} s, the '
            f'limit is {limit_s:g} s; check that the camera runs, that its topic is remapped and, '
            'if its pictures are large, that it runs with config/fastdds.xml, too')
    if not vitals.has_goal:
        return Status(WARN, f'no goal: {vitals.wanted_goal}')
    if state is GateState.NOT_FINITE:
        return Status(ERROR, 'bad plan: it holds values that are not finite; '
                      'restore the bundle or train it again')
    if state is GateState.STALE and abs(vitals.age_s) > limit_s:
        return Status(
            ERROR, f'stale stamps: the newest image on {vitals.image} was taken '
            f'{vitals.age_s:.1f} s before now, the limit is {limit_s:g} s; synchronise the '
            'clocks, or set use_sim_time to what the camera uses')
    if state is GateState.STALE:
        return Status(ERROR, 'late plans: planning takes longer than the staleness limit of '
                      f'{limit_s:g} s; lower budget_ms, or the load of this machine')
    if vitals.arrived:
        return Status(OK, 'arrived: the goal is reached')
    if state is not GateState.DRIVING:
        return Status(WARN, 'no plan: the first one is being made')
    if vitals.missed > TOLERATED_MISSES:
        return Status(WARN, f'driving late: {vitals.missed:.0%} of the cycles take longer than '
                      'the budget; raise budget_ms, or lower the load of this machine')
    if vitals.imagines:
        return Status(WARN, f'driving, but {vitals.imagines}')
    return Status(OK, 'driving')
