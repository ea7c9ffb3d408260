# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where config/, launch/ and models/ are, however the package was installed. It reads none."""

from collections.abc import Iterator
import os
from pathlib import Path

from sparse_imagination_ros.errors import SparseImaginationError

PACKAGE = 'sparse_imagination_ros'


def share_path(*parts: str) -> Path:
    """Find a file or folder that ships with the package, by its parts: models, rooms."""
    share = share_folder(Path(__file__).resolve(), os.environ.get('AMENT_PREFIX_PATH', ''))
    path = share.joinpath(*parts)
    if not path.exists():
        raise SparseImaginationError(
            f'{path}: not found, though {PACKAGE} keeps its files in {share}; '
            'check the name, or install the package again (docs/install.md)'
        )
    return path


def bundle_path(name: str) -> Path:
    """Find a bundle: one that ships in models/, by its name, or any folder, by a path with a /."""
    return Path(name).expanduser() if os.sep in name else share_path('models', name)


def share_folder(code: Path, ament_prefix_path: str) -> Path:
    """Find the share folder that belongs to `code`, the path of a module of the package."""
    for share in _candidates(code.parent.parent, ament_prefix_path):
        if (share / 'package.xml').is_file():
            return share
    raise SparseImaginationError(
        f'share/{PACKAGE} (package.xml, config, launch, models): found neither around '
        f'{code.parent} nor on AMENT_PREFIX_PATH ({ament_prefix_path or "not set"}); '
        'install the package with pip or colcon (docs/install.md)'
    )


def _candidates(home: Path, ament_prefix_path: str) -> Iterator[Path]:
    """
    Yield the folders that may be the share folder; `home` holds the folder of the package.

    What came with the running code goes first, so that code and data are of one version: in a
    source tree package.xml stands beside the code, and pip, colcon and apt put code in
    PREFIX/lib/... and data in PREFIX/share. The ament index serves code outside every prefix.
    """
    yield home
    for prefix in (home, *home.parents):
        yield prefix / 'share' / PACKAGE
    for prefix_text in filter(None, ament_prefix_path.split(os.pathsep)):
        yield Path(prefix_text) / 'share' / PACKAGE
