# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
MCAP files whose end is missing: read as if their writer had closed them after the last whole part.

The index that the writer did not come to write is made from what is there. Nothing is copied.
"""

from io import BytesIO, RawIOBase
import os
from pathlib import Path
import struct
from typing import BinaryIO

from sparse_imagination_ros.errors import DataError

MAGIC = b'\x89MCAP0\r\n'
# Kinds of records.
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, CHUNK_INDEX, DATA_END = 2, 3, 4, 5, 6, 8, 15
# Before each record: its kind and its length.
HEAD = struct.Struct('<BQ')
# Of a chunk: first and last time, length when unpacked, checksum.
CHUNK_HEAD = struct.Struct('<QQQI')


def is_cut_off(file: Path) -> bool:
    """Tell whether a file begins as an MCAP file does and does not end as one."""
    size = file.stat().st_size
    with file.open('rb') as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            # No MCAP file at all; the reader says so.
            return False
        stream.seek(max(0, size - len(MAGIC)))
        return size <= 2 * len(MAGIC) or stream.read() != MAGIC


def mended(file: Path) -> 'Mended':
    """Return what is whole in a file."""
    with file.open('rb') as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise DataError(f'{file.name} is no MCAP file')
        return Mended(file, *_Scan(stream, file.stat().st_size).result())


class Mended:
    """The whole records of an MCAP file with an index behind them, as a path that is read."""

    def __init__(self, file: Path, length: int, index: bytes, damaged: int) -> None:
        self._file, self._length, self._index = file, length, index
        # What a reader asks of a path.
        self.stem, self.suffix, self.open = file.stem, file.suffix, self._open
        self.fault = f'{file.name} is cut off: what follows byte {length} is lost'
        if damaged:
            self.fault += f', and {damaged} damaged records before it'

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
        assert mode == 'rb'
        return _Extended(self._file, self._length, self._index)  # type: ignore[return-value]


class _Extended(RawIOBase):
    """The first bytes of a file, and others put behind them."""

    def __init__(self, file: Path, length: int, tail: bytes) -> None:
        self._stream, self._length = file.open('rb'), length
        self._tail, self._at = tail, 0

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at,
                  os.SEEK_END: self._length + len(self._tail)}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read from the file, and then from what is put behind it."""
        left = self._length + len(self._tail) - self._at
        size = max(0, left if size < 0 else min(size, left))
        within = max(0, min(size, self._length - self._at))
        self._stream.seek(self._at)
        data = self._stream.read(within) if within else b''
        behind = max(0, self._at + within - self._length)
        data += self._tail[behind:behind + size - within]
        self._at += size
        return data

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()


class _Scan:
    """Goes through the records of a file and makes the index of those that are whole."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        # By kind and number: the index repeats what topics there are.
        self._definitions: dict[tuple[int, int], bytes] = {}
        self._chunks: list[bytes] = []
        self._damaged = 0

    def result(self) -> tuple[int, bytes, int]:
        """Return where the last whole record ends, the index, and how many are damaged."""
        at = len(MAGIC)
        while at + HEAD.size <= self._size:
            self._stream.seek(at)
            kind, length = HEAD.unpack(self._stream.read(HEAD.size))
            if kind in (DATA_END, FOOTER) or at + HEAD.size + length > self._size:
                break
            if kind in (SCHEMA, CHANNEL):
                self._take_definition(kind, self._stream.read(length))
            elif kind == CHUNK:
                self._take_chunk(at, self._stream.read(length))
            at += HEAD.size + length
        return at, self._index(at), self._damaged

    def _take_definition(self, kind: int, content: bytes) -> None:
        try:
            self._define(kind, content)
        except struct.error:
            # Too short to say of what it is.
            self._damaged += 1

    def _define(self, kind: int, content: bytes) -> None:
        number, = struct.unpack_from('<H', content)
        self._definitions[kind, number] = _record(kind, content)

    def _take_chunk(self, at: int, content: bytes) -> None:
        from rosbags.rosbag2.storage_mcap import decompress

        try:
            first_ns, last_ns, unpacked, checksum = CHUNK_HEAD.unpack_from(content)
            name, = struct.unpack_from('<I', content, CHUNK_HEAD.size)
            begin = CHUNK_HEAD.size + 4 + name
            compression = content[begin - name:begin]
            packed, = struct.unpack_from('<Q', content, begin)
            records = BytesIO(decompress(
                content[begin + 8:begin + 8 + packed], compression.decode(), unpacked, checksum))
            counts = self._counts(records)
        except Exception:
            # Whatever a decompressor says of damaged data.
            self._damaged += 1
            return
        length = HEAD.size + len(content)
        # The reader counts messages by the places of the lists of them: 16 bytes for each.
        entries, place = b'', at + length
        for channel, count in counts.items():
            entries += struct.pack('<HQ', channel, place)
            place += 15 + 16 * count
        self._chunks.append(_record(CHUNK_INDEX, struct.pack(
            '<QQQQ', first_ns, last_ns, at, length) + _sized(entries) + struct.pack(
            '<Q', place - at - length) + _sized(compression) + struct.pack(
            '<QQ', packed, unpacked)))

    def _counts(self, records: BytesIO) -> dict[int, int]:
        """Return how many messages of which channel a chunk has; learn what they are."""
        counts: dict[int, int] = {}
        while head := records.read(HEAD.size):
            kind, length = HEAD.unpack(head)
            content = records.read(length)
            if kind in (SCHEMA, CHANNEL):
                self._define(kind, content)
            elif kind == MESSAGE:
                channel, = struct.unpack_from('<H', content)
                counts[channel] = counts.get(channel, 0) + 1
        return counts

    def _index(self, end: int) -> bytes:
        data_end = _record(DATA_END, bytes(4))
        # Schemas before the channels that name them.
        index = b''.join(self._definitions[key] for key in sorted(self._definitions))
        index += b''.join(self._chunks)
        # Without chunks the reader goes through the file itself.
        begin = end + len(data_end) if self._chunks else 0
        return (data_end + (index if begin else b'')
                + _record(FOOTER, struct.pack('<QQI', begin, 0, 0)) + MAGIC)


def _record(kind: int, content: bytes) -> bytes:
    return HEAD.pack(kind, len(content)) + content


def _sized(content: bytes) -> bytes:
    return struct.pack('<I', len(content)) + content
