# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the planner's node is, in words: the worst first, with what to do about it."""

from dataclasses import dataclass
from enum import Enum

from sparse_imagination_ros.nodes.inlets import DOUBTS
from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import ERROR, OK, STALE, Status, WARN
from sparse_imagination_ros.planning.gate import Command, GateState, Rung
from sparse_imagination_ros.planning.worker import HANGS_S

# More misses than this are worth a warning.
TOLERATED_MISSES = 0.1
PROBLEMS = ('bad goal', 'bad image', *DOUBTS, 'unfit image', 'bad senses', 'planning fails')
AGAIN = 'deactivate the node, clean it up, and configure it again'


class Mode(Enum):
    """What the node is, for who wants one word; docs/safety.md has the picture."""

    UNCONFIGURED = 'unconfigured'
    INACTIVE = 'inactive'
    ACTIVE = 'active'
    DEGRADED = 'degraded'
    STOPPED = 'stopped'


@dataclass(frozen=True)
class Vitals:
    """
    What is known at one moment.

    image: the camera's topic; silent_s: how long nothing new came from it; repeats: whether the
    same stamp comes again and again; age_s: how old the newest picture was when it came; commands:
    the topic of the commands; rivals: who else sends there; heard: whether
    anybody listens there; busy_s: how long the cycle that runs
    has taken; death: what ended the planner's thread; not_finite: how many numbers of the last
    cycle were none; wanted_goal: what would be a goal; missed: share of the last cycles; imagines:
    which engine, and why, if it is not the one that was asked for.
    """

    active: bool
    enabled: bool
    image: str
    silent_s: float
    repeats: bool
    age_s: float
    limit_s: float
    commands: str
    rivals: str
    heard: bool
    busy_s: float
    death: BaseException | None
    not_finite: int
    has_goal: bool
    wanted_goal: str
    arrived: bool
    command: Command
    missed: float
    imagines: str


def judged(vitals: Vitals, problems: Problems) -> Status:
    """Return how it goes."""
    limit_s, state = vitals.limit_s, vitals.command.state
    if vitals.death is not None:
        return Status(ERROR, f'planning died of {vitals.death!r}, and the robot stands; {AGAIN}')
    if vitals.busy_s > HANGS_S:
        return Status(
            ERROR, f'planning hangs: a cycle runs for {vitals.busy_s:.0f} s, and the robot '
            f'stands; if it does not end, {AGAIN}')
    problem = problems.first(*PROBLEMS)
    if problem:
        return Status(ERROR, problem)
    if not vitals.active:
        return Status(OK, 'inactive: the robot stands still')
    if not vitals.enabled:
        return Status(WARN, 'disabled: the robot stands still until ~/enable is called with true')
    if vitals.rivals:
        return Status(
            ERROR, f'others command: {vitals.rivals} on {vitals.commands}, too, and the robot '
            'stands; end them, let a multiplexer choose (docs/safety.md), or set '
            'exclusive_commands to false')
    if vitals.silent_s > limit_s:
        if vitals.repeats:
            return Status(
                STALE, f'stale camera: no new image on {vitals.image} for {vitals.silent_s:.1f} '
                's, only the same stamp again and again; restart the camera driver, or let '
                'simulated time go on')
        return Status(
            STALE, f'stale camera: no image on {vitals.image} for {vitals.silent_s:.1f} s, the '
            f'limit is {limit_s:g} s; check that the camera runs, that its topic is remapped and, '
            'if its pictures are large, that it runs with config/fastdds.xml, too')
    if not vitals.has_goal:
        return Status(WARN, f'no goal: {vitals.wanted_goal}')
    if not vitals.heard:
        return Status(
            WARN, f'nobody listens on {vitals.commands}: start the base, or remap cmd_vel to what '
            'it listens to')
    if state is GateState.NOT_FINITE:
        return Status(ERROR, 'bad plan: it holds values that are not finite; '
                      'restore the bundle or train it again')
    if state is GateState.STALE and abs(vitals.age_s) > limit_s:
        return Status(
            ERROR, f'stale stamps: the newest image on {vitals.image} was taken '
            f'{vitals.age_s:.1f} s before now, the limit is {limit_s:g} s; synchronise the '
            'clocks, or set use_sim_time to what the camera uses')
    if state is GateState.STALE and vitals.not_finite:
        return Status(
            ERROR, f'bad numbers: {vitals.not_finite} of the last cycle were none, and no plan '
            'was left; restore the bundle, or take another engine')
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


def mode_of(vitals: Vitals, status: Status) -> Mode:
    """Return the same in one word: a robot that stands or slows down though it may drive stops."""
    if not vitals.active:
        return Mode.INACTIVE
    if vitals.command.rung in (Rung.SLOWING, Rung.STANDING):
        return Mode.STOPPED
    sound = status.level == OK and vitals.command.rung is Rung.FRESH
    return Mode.ACTIVE if sound else Mode.DEGRADED
