# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all."""

import os
from pathlib import Path
import tempfile


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
