# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table of faults: all of them, or some, one after another."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.evaluation.faults import FaultRow
from sparse_imagination_ros.nodes.faults.camera_faults import CAMERA_FAULTS
from sparse_imagination_ros.nodes.faults.fault import Fault, tried
from sparse_imagination_ros.nodes.faults.other_faults import OTHER_FAULTS
from sparse_imagination_ros.nodes.faults.planner_faults import INSIDE_FAULTS, PROCESS_FAULTS
from sparse_imagination_ros.nodes.faults.stage import Stage

# Of one kind of planner together: starting one takes longer than most faults.
FAULTS: tuple[Fault, ...] = tuple(sorted(
    (*CAMERA_FAULTS, *OTHER_FAULTS, *PROCESS_FAULTS, *INSIDE_FAULTS),
    key=lambda fault: (fault.setup.timed, fault.setup.sensing, fault.setup.inside)))


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these names, or all."""
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise ConfigError(f'no fault is called `{name}`; there are {", ".join(known)}')
    return tuple(fault for fault in FAULTS if not names or fault.name in names)


def try_all(
    faults: Sequence[Fault], domain: int, bundle: Path, folder: Path,
    on_row: Callable[[FaultRow], None],
) -> list[FaultRow]:
    """Cause each of the faults to a planner with this bundle; its logs come into the folder."""
    rows = []
    with Stage(domain, bundle, folder) as stage:
        for setup, several in groupby(faults, key=lambda fault: fault.setup):
            stage.start(setup)
            for fault in several:
                rows.append(tried(stage, fault))
                on_row(rows[-1])
    return rows
