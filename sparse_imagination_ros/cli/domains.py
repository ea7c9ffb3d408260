# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain for one run alone: two runs on one machine never meet."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
from random import sample
import tempfile

from sparse_imagination_ros.errors import ConfigError

# Above 101 the ports of a domain may be taken by any program; 0 is everybody's.
DOMAINS = range(1, 102)


@contextmanager
def own_domain(wanted: int | None = None) -> Iterator[int]:
    """Lend a domain that no other run has; keep the file open as long as it is used."""
    if wanted is not None and wanted not in DOMAINS:
        raise ConfigError(
            f'domain {wanted} is not allowed; the range is [{DOMAINS[0]}, {DOMAINS[-1]}]')
    folder = Path(tempfile.gettempdir()) / 'sparse_imagination_domains'
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        # For all users of the machine, as the temporary folder itself.
        folder.chmod(0o1777)
    # By chance: programs that choose for themselves tend to take the low numbers.
    for domain in [wanted] if wanted is not None else sample(DOMAINS, len(DOMAINS)):
        try:
            descriptor = os.open(folder / f'{domain}.lock', os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        try:
            yield domain
        finally:
            os.close(descriptor)
        return
    taken = f'{DOMAINS[0]} to {DOMAINS[-1]}' if wanted is None else str(wanted)
    raise ConfigError(
        f'ROS domain {taken}: in use by other runs; wait for their end, or name another with '
        '--domain')


def isolated(domain: int) -> dict[str, str]:
    """Return the environment variables that keep ROS on a domain, and on this machine."""
    return {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
