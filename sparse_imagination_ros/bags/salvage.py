# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can still be read of a bag whose recording was cut off. Nothing on disk is changed."""

from io import BytesIO, RawIOBase
import os
from pathlib import Path
from typing import Any, BinaryIO

from sparse_imagination_ros.errors import DataError

MAGIC = b'\x89MCAP0\r\n'
# The shortest end of a file that has no index: end of data, footer, magic.
TAIL = (b'\x0f' + (4).to_bytes(8, 'little') + bytes(4)
        + b'\x02' + (20).to_bytes(8, 'little') + bytes(20) + MAGIC)
DATA_END, FOOTER = 0x0F, 0x02
STORAGES = ('.mcap', '.db3')


def readable(path: Path) -> tuple[list[Any], list[str]]:
    """Return what a reader is to open in place of a bag, and what is wrong with it."""
    if path.is_dir() and (path / 'metadata.yaml').is_file():
        files = sorted(path.glob('*.mcap'))
        if all(_is_whole(file) for file in files):
            return [path], []
    elif path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in STORAGES)
    else:
        files = [path] if path.suffix in STORAGES else []
    if not files:
        raise DataError(
            f'{path} is no bag: neither a folder with metadata.yaml, nor one with files that end '
            f'in {" or ".join(STORAGES)}, nor such a file')
    faults = []
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        faults.append('it has no metadata.yaml: its recording was cut off')
    places: list[Any] = []
    for file in files:
        if file.suffix == '.mcap' and not _is_whole(file):
            whole = _WholePart(file)
            faults.append(f'{file.name} is cut off: what follows byte {whole.length} is lost')
            places.append(whole)
        else:
            places.append(file)
    return places, faults


def _is_whole(file: Path) -> bool:
    size = file.stat().st_size
    with file.open('rb') as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            # No MCAP file at all; the reader says so.
            return True
        stream.seek(max(0, size - len(MAGIC)))
        return size > 2 * len(MAGIC) and stream.read() == MAGIC


class _WholePart:
    """The complete records of an MCAP file, as a path that is read like any other."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.length = _end_of_records(file)
        self.stem, self.suffix = file.stem, file.suffix
        self.open = self._open

    def __str__(self) -> str:
        """Return its name."""
        return str(self._file)

    def exists(self) -> bool:
        """Tell whether it is there."""
        return self._file.exists()

    def is_dir(self) -> bool:
        """Tell that it is a file."""
        return False

    def _open(self, mode: str) -> BinaryIO:
        """Open it for reading."""
        assert mode == 'rb'
        return _Mended(self._file, self.length)  # type: ignore[return-value]


class _Mended(RawIOBase):
    """The first bytes of a file, and an end put to them."""

    def __init__(self, file: Path, length: int) -> None:
        self._stream, self._length = file.open('rb'), length
        self._tail, self._at = BytesIO(TAIL), 0

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at,
                  os.SEEK_END: self._length + len(TAIL)}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read from the file, and then from its end."""
        left = self._length + len(TAIL) - self._at
        size = max(0, left if size < 0 else min(size, left))
        within = max(0, min(size, self._length - self._at))
        self._stream.seek(self._at)
        data = self._stream.read(within) if within else b''
        self._tail.seek(max(0, self._at + within - self._length))
        data += self._tail.read(size - within)
        self._at += size
        return data

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()


def _end_of_records(file: Path) -> int:
    """Return where the last record that is complete ends."""
    size = file.stat().st_size
    with file.open('rb') as stream:
        at = len(MAGIC)
        while at + 9 <= size:
            stream.seek(at)
            kind = stream.read(1)[0]
            length = int.from_bytes(stream.read(8), 'little')
            if kind in (DATA_END, FOOTER) or at + 9 + length > size:
                break
            at += 9 + length
    return at
