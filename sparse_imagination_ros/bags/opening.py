# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opens bags as they are or, if one is forgiving, what is left of them; it reads no message."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, ExitStack
from pathlib import Path
from typing import Any, TYPE_CHECKING

from sparse_imagination_ros.bags.reading import Bag
from sparse_imagination_ros.bags.salvage import looks_whole, METADATA, Part, parts_of
from sparse_imagination_ros.errors import DataError

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader


@contextmanager
def open_bag(path: Path, forgiving: bool = False) -> Iterator[Bag]:
    """
    Open the folder of a bag.

    A forgiving reader also opens single files and recordings that were cut off, reads what is
    left, and notes what was wrong.
    """
    if not path.exists():
        raise DataError(f'{path} is not there; name the folder of a bag')
    if not forgiving and path.is_dir() and not (path / METADATA).is_file():
        raise DataError(
            f'{path} holds no {METADATA}: it is no bag, or its recording was cut off; '
            '`ros2 bag reindex` makes it anew')
    with ExitStack() as stack:
        try:
            reader, faults = _reader(path, forgiving, stack)
        except OSError as error:
            raise DataError(f'{path} cannot be read ({error})') from error
        bag = Bag(path, reader, forgiving)
        for fault in faults:
            bag.note(fault)
        yield bag


def _reader(path: Path, forgiving: bool, stack: ExitStack) -> tuple['AnyReader', list[str]]:
    """Open a bag as it is or, if that cannot be and we are to be forgiving, what is left of it."""
    faults = []
    if not forgiving or looks_whole(path):
        try:
            return _opened([Part(path)], path, stack), []
        except DataError as error:
            if not forgiving:
                raise
            faults.append(f'its files were read one by one, since {error.__cause__}')
    elif path.is_dir() and not (path / METADATA).is_file():
        faults.append(f'it has no {METADATA}: its recording was cut off')
    parts, lost = parts_of(path, stack)
    faults += [*lost, *(fault for part in parts for fault in part.faults)]
    return _opened(parts, path, stack), faults


def _opened(parts: Sequence[Part], path: Path, stack: ExitStack) -> 'AnyReader':
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import get_typestore, Stores

    try:
        # Bags of older distributions do not hold the definitions of their messages.
        reader = AnyReader(
            [part.place for part in parts], default_typestore=get_typestore(Stores.ROS2_HUMBLE))
        # Typed as those of ROS 1, too, which have no storage.
        own: Any
        for own, part in zip(reader.readers, parts, strict=True):
            if part.storage is not None:
                own.storage = part.storage
        reader.open()
    except Exception as error:
        # Whatever a reader trips over in damaged data.
        raise DataError(f'{path} cannot be read as a bag ({error})') from error
    stack.callback(reader.close)
    return reader


def find_bags(paths: Sequence[Path]) -> list[Path]:
    """Return all bags among paths: each is a bag, or a folder with bags somewhere inside."""
    found = []
    for path in paths:
        inside = sorted(file.parent for file in path.rglob('metadata.yaml'))
        if not inside:
            with open_bag(path):
                pass
            inside = [path]
        found += inside
    return found
