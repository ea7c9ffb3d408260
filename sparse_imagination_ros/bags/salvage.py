# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What can still be read of a damaged bag, file by file. Nothing on disk is changed.

How the files of each kind are mended lives in `salvage_mcap.py` and `salvage_sqlite.py`.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_imagination_ros.bags.salvage_mcap import is_cut_off, mended
from sparse_imagination_ros.bags.salvage_sqlite import journals, Rescued, with_journal
from sparse_imagination_ros.errors import DataError

METADATA = 'metadata.yaml'
STORAGES = MCAP, SQLITE = '.mcap', '.db3'


@dataclass(frozen=True)
class Part:
    """
    One file of a bag. place: what a reader is to open, which need not lie on disk.

    storage: what reads it in place of the reader's own storage, where that cannot. faults: what
    is wrong with it, in words.
    """

    place: Any
    storage: Any = None
    faults: tuple[str, ...] = ()


def looks_whole(path: Path) -> bool:
    """Tell whether a bag may be opened as it is: if its writer came to an end, at first sight."""
    if not (path / METADATA).is_file():
        return False
    return not any(
        is_cut_off(file) if file.suffix == MCAP else journals(file) for file in _files(path))


def parts_of(path: Path, stack: ExitStack) -> tuple[list[Part], list[str]]:
    """
    Return what is left of a bag that cannot be opened as it is, and the reasons for what is not.

    What is needed beside the bag lives as long as `stack`.
    """
    files = _files(path) if path.is_dir() else [path] if path.suffix in STORAGES else []
    if not files:
        raise DataError(
            f'{path} is no bag: neither a folder with {METADATA}, nor one with files that end '
            f'in {" or ".join(STORAGES)}, nor such a file')
    parts, lost = [], []
    for file in files:
        try:
            parts.append(_mcap(file) if file.suffix == MCAP else _sqlite(file, stack))
        except DataError as error:
            lost.append(str(error))
    if not parts:
        raise DataError(f'{path} cannot be read as a bag ({"; ".join(lost)})')
    return parts, lost


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in STORAGES)


def _mcap(file: Path) -> Part:
    if not is_cut_off(file) and _opens(file):
        return Part(file)
    whole = mended(file)
    if not _opens(whole):
        raise DataError(f'{file.name} holds nothing that can be read')
    return Part(whole, None, (whole.fault,))


def _sqlite(file: Path, stack: ExitStack) -> Part:
    faults: tuple[str, ...] = ()
    if journals(file):
        file, faults = with_journal(file, stack), (
            f'{file.name} was not closed: what lies in its journal was added',)
    if _opens(file):
        return Part(file, None, faults)
    rescued = Rescued(file, stack)
    return Part(rescued.place, rescued, (*faults, rescued.fault))


def _opens(place: Any) -> bool:
    from rosbags.rosbag2 import Reader

    try:
        with Reader(place):
            return True
    except Exception:
        # Whatever a reader trips over in damaged data.
        return False
