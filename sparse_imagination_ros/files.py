# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all, and folders that are not left."""

from collections.abc import Iterable
import os
from pathlib import Path
import tempfile

from sparse_imagination_ros.errors import ConfigError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in place of one that may be there; if that fails, the old one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix='.unfinished-')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
        # As any other file: mkstemp keeps what it makes from others.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def check_confined(path: Path, folders: Iterable[str], setting: str) -> None:
    """
    Refuse a path that leads out of all these folders, also by links or by `..`.

    Without any folder, all are allowed. `setting` is where the path comes from.
    """
    allowed = [Path(folder).expanduser().resolve() for folder in folders if folder]
    if allowed and not any(path.expanduser().resolve().is_relative_to(one) for one in allowed):
        raise ConfigError(
            f'`{setting}` is {path}, which lies in none of the `file_folders` '
            f'({", ".join(map(str, allowed))}); put it there, or start the node with other ones')
