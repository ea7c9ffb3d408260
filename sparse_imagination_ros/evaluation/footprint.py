# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a process holds of the machine, as Linux tells it. It judges nothing."""

from dataclasses import dataclass
from pathlib import Path

from sparse_imagination_ros.errors import NodeError

PROC = Path('/proc')


@dataclass(frozen=True)
class Footprint:
    """What a process holds at one moment."""

    memory_kb: int
    handles: int
    threads: int


def footprint(process: int) -> Footprint:
    """Return what a process holds now."""
    folder = PROC / str(process)
    try:
        handles = sum(1 for _ in (folder / 'fd').iterdir())
        lines = (folder / 'status').read_text(encoding='utf-8').splitlines()
        told = dict(line.split(':', 1) for line in lines if ':' in line)
        return Footprint(int(told['VmRSS'].split()[0]), handles, int(told['Threads']))
    except (OSError, KeyError) as error:
        raise NodeError(
            f'process {process} tells nothing of what it holds ({error!r}): it has ended, or this '
            'is no Linux') from error
