# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One fault: how it is caused, what must come of it, and whether it did."""

from collections.abc import Callable
from dataclasses import dataclass
import time

from sparse_imagination_ros.evaluation.faults import FaultRow
from sparse_imagination_ros.nodes.faults.stage import PLAIN, Setup, Stage
from sparse_imagination_ros.nodes.settings import NodeConfig
from sparse_imagination_ros.tokens.trust import TrustConfig

STALENESS_S, FREEZE_S = NodeConfig().staleness_s, TrustConfig().freeze_s
# For timers, discovery and a machine that does other things, too.
GRACE_S = 0.5
# Who stood for so long stands.
SETTLED_S = 0.5
# How long is waited for what ought to come, beyond its limit.
PATIENCE_S = 5.0
READ_S, SILENT_S, RECOVERY_S = 15.0, 2.5, 60.0
SILENCE = 'nothing: /diagnostics falls silent'


def nothing(stage: Stage) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Fault:
    """
    A fault.

    spoil: causes it, and may return what was answered; noticed_s: after how long the robot must
    begin to brake, or None if it may drive on: then it is told to rest while the fault is there;
    words: what the operator must read, empty if nothing is wrong; silent: whether nothing is said,
    since nobody is left to say it; mend: takes the cause away; person: what a person must do then,
    and act: does it; either: whether it depends on the machine whether it drives on.
    """

    name: str
    cause: str
    does: str
    spoil: Callable[[Stage], str | None]
    noticed_s: float | None = None
    words: str = ''
    silent: bool = False
    mend: Callable[[Stage], None] = Stage.make_good
    person: str = ''
    act: Callable[[Stage], None] = nothing
    setup: Setup = PLAIN
    either: bool = False


def tried(stage: Stage, fault: Fault) -> FaultRow:
    """Cause a fault to a robot that drives, and return what came of it."""
    stage.wait(stage.drives, RECOVERY_S, f'the robot to drive before `{fault.name}`')
    stage.observer.forget()
    audit, base = stage.observer.audit, stage.observer.base
    commands, outside = audit.commands, audit.outside
    braking_s = max(limit / change for limit, change in zip(
        stage.robot.limit, stage.robot.acceleration, strict=True))
    limit_s = (fault.noticed_s or 0.0) + braking_s + GRACE_S
    missed: list[str] = []
    stage.mark()
    reads = fault.spoil(stage) or ''
    began_s = stage.caused_s
    if fault.noticed_s is None:
        # A plan from before the fault counts no longer then.
        stage.listen(STALENESS_S + braking_s + SETTLED_S)
        if not fault.either and not stage.waited(stage.drives, RECOVERY_S):
            missed.append('it does not drive on')
        reads = reads or _read(stage, fault, missed)
        began_s = time.monotonic()
        stage.enable(False)
    if not stage.waited(lambda: stage.stands_since(SETTLED_S), limit_s + PATIENCE_S):
        missed.append('it does not come to rest')
    reads = reads or _read(stage, fault, missed)
    if not fault.silent and fault.words not in reads:
        missed.append(f'the operator reads `{reads}`, without `{fault.words}`')
    rest_s = max(0.0, base.moved_s - began_s)
    if fault.noticed_s is None:
        stage.enable(True)
    fault.mend(stage)
    if fault.person:
        fault.act(stage)
    recovered = stage.waited(stage.drives, RECOVERY_S)
    # What comes while it starts again counts, too.
    stage.listen(SETTLED_S)
    missed += [f'sent {command}' for command in stage.observer.unsafe]
    return FaultRow(
        fault.name, fault.cause, fault.does, audit.commands - commands, audit.outside - outside,
        fault.noticed_s is None, round(1000 * rest_s, 1), round(1000 * limit_s, 1), recovered,
        # Where it was tried is of no matter.
        fault.person, reads.replace(f'{stage.folder}/', ''), '; '.join(missed))


def _read(stage: Stage, fault: Fault, missed: list[str]) -> str:
    """Return what the operator reads of it."""
    observer, caused_s = stage.observer, stage.caused_s
    if fault.silent:
        silent = stage.waited(
            lambda: time.monotonic() - observer.told_s > SILENT_S, SILENT_S + PATIENCE_S)
        if not silent:
            missed.append('somebody still speaks on /diagnostics')
        return SILENCE if silent else observer.status
    if fault.words:
        stage.waited(lambda: observer.read(fault.words, caused_s), READ_S)
        return observer.read(fault.words, caused_s) or observer.status
    return observer.status
