# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
sqlite3 files of bags that are damaged or were not closed: each message that can still be found.

A small file elsewhere, which is removed in the end, says where; messages are not copied to it.
"""

from collections.abc import Collection, Iterator
from contextlib import closing, ExitStack
from pathlib import Path
import shutil
import sqlite3
import tempfile
from typing import TYPE_CHECKING

from sparse_imagination_ros.errors import DataError

if TYPE_CHECKING:
    import apsw
    from rosbags.interfaces import Connection
    from rosbags.rosbag2.metadata import ReaderMetadata

# What a writer that was killed leaves beside a file.
JOURNALS = ('-wal', '-journal')
# A message that is smaller lies on one page.
SMALLEST_PAGE = 400
# Behind what cannot be read each number is tried, then every so many of those that were tried.
FINE = 64
LAST = 2**40


def journals(file: Path) -> list[Path]:
    """Return what lies beside a file whose writer did not close it."""
    beside = [file.with_name(file.name + ending) for ending in JOURNALS]
    return [journal for journal in beside if journal.is_file() and journal.stat().st_size]


def with_journal(file: Path, stack: ExitStack) -> Path:
    """Return a copy of a file into which its journal was worked, as its writer would have done."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    try:
        for part in (file, *journals(file)):
            shutil.copy(part, folder)
        copy = Path(folder) / file.name
        with closing(sqlite3.connect(copy)) as database:
            # To look at it is enough; afterwards it must do without a journal.
            database.execute('SELECT count(*) FROM sqlite_master').fetchone()
            database.execute('PRAGMA journal_mode = DELETE').fetchone()
    except OSError as error:
        raise DataError(
            f'{file.name} cannot be copied to {folder} ({error}); TMPDIR names another place'
        ) from error
    except sqlite3.Error:
        # Then it is rescued as it is.
        return file
    return copy


class Rescued:
    """
    What can be read of a damaged file, in place of a reader's own storage.

    place: a file that the reader can open, with the topics and, for each message, its number.
    """

    def __init__(self, file: Path, stack: ExitStack) -> None:
        from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.place = Path(folder) / file.name
        try:
            self._database = _open(file, stack)
            self.fault = f'{file.name} is damaged: {_note(self._database, self.place)}'
            self._notes = Sqlite3Reader(self.place)
        except Exception as error:
            # Whatever a database trips over in damaged data.
            raise DataError(f'{file.name} is damaged: no messages can be saved ({error})'
                            ) from error
        self.connections: list[Connection] = []
        self.metadata: ReaderMetadata = self._notes.metadata
        # As a reader calls it.
        self.open = self._open

    def _open(self) -> None:
        self._notes.open()
        self.metadata = self._notes.metadata
        self.connections = [c._replace(owner=self) for c in self._notes.connections]

    def close(self) -> None:
        """Read no more."""
        self._notes.close()

    def messages(
        self, connections: 'Collection[Connection]', start: int | None = None,
        stop: int | None = None,
    ) -> 'Iterator[tuple[Connection, int, bytes]]':
        """Read the messages of some topics, from .. to, by the time of their recording."""
        ours = {connection.id: connection for connection in self.connections}
        for connection, time_ns, number in self._notes.messages(connections, start, stop):
            for data, in self._database.execute(
                    'SELECT data FROM messages WHERE id = ?', (int(number),)):
                yield ours[connection.id], time_ns, data


def _open(file: Path, stack: ExitStack) -> 'apsw.Connection':
    import apsw

    class Whole(apsw.VFSFile):
        """A file without a page that was cut in the midst: the rest of it would be zeros."""

        def xFileSize(self) -> int:  # noqa: N802 as SQLite calls it
            size = super().xFileSize()
            page = int.from_bytes(self.xRead(2, 16), 'big') if size > 18 else 1
            # What does not fit into two bytes is written as one.
            return int(size - size % (65536 if page == 1 else max(512, page)))

    class WholePages(apsw.VFS):

        def __init__(self) -> None:
            super().__init__('whole-pages', '')

        def xOpen(  # noqa: N802 as SQLite calls it
            self, name: 'str | apsw.URIFilename | None', flags: list[int],
        ) -> apsw.VFSFile:
            return Whole('', name, flags)

    pages = WholePages()
    stack.callback(pages.unregister)
    database = apsw.Connection(
        f'{file.absolute().as_uri()}?immutable=1',
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs='whole-pages')
    stack.callback(database.close)
    # Or nothing is read of a file that is shorter than it says.
    database.execute('PRAGMA writable_schema = ON')
    return database


def _note(damaged: 'apsw.Connection', place: Path) -> str:
    """Write down what there is and which messages can be read; return how many, in words."""
    tables = dict(damaged.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"))
    if not {'topics', 'messages'} <= tables.keys():
        raise sqlite3.DatabaseError('there is no list of them')
    saved = last = 0
    cut_off = False
    doubtful: list[int] = []
    with closing(sqlite3.connect(place, isolation_level=None)) as notes:
        # What makes its tables is written in the file: it is to make nothing else.
        notes.set_authorizer(_only_tables)
        notes.execute('BEGIN')
        for name, sql in tables.items():
            notes.execute(sql)
            if name != 'messages':
                _copy(damaged, notes, name)
        for entry in _messages(damaged):
            if entry is None:
                cut_off = True
                break
            last, topic, time_ns, data = entry
            saved += 1
            # Of a message on several pages the last one may be missing; it is read as zeros.
            if len(data) > SMALLEST_PAGE:
                doubtful = [*doubtful, last] if data[-1] == 0 else []
            notes.execute(
                'INSERT INTO messages (id, topic_id, timestamp, data) VALUES (?, ?, ?, ?)',
                (last, topic, time_ns, str(last)))
        if cut_off:
            notes.executemany('DELETE FROM messages WHERE id = ?', [(n,) for n in doubtful])
            saved -= len(doubtful)
        notes.execute('CREATE INDEX IF NOT EXISTS timestamp_idx ON messages (timestamp ASC)')
        notes.execute('COMMIT')
    if not saved:
        raise sqlite3.DatabaseError('none of them is left')
    # Recorders number messages without gaps.
    missing = [f'{last - saved} among them'] * (last > saved) + ['all that followed'] * cut_off
    return f'{saved} messages could be saved; lost: {" and ".join(missing) or "none"}'


def _only_tables(action: int, *_: str | None) -> int:
    """Deny what reaches other files or runs anything."""
    denied = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_CREATE_VTABLE,
              sqlite3.SQLITE_CREATE_TRIGGER, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_PRAGMA)
    return sqlite3.SQLITE_DENY if action in denied else sqlite3.SQLITE_OK


def _copy(damaged: 'apsw.Connection', notes: sqlite3.Connection, table: str) -> None:
    import apsw

    try:
        for row in damaged.execute(f'SELECT * FROM "{table}"'):
            notes.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', row)
    except apsw.Error:
        # Of the rest, such as what types are made of, there are other sources.
        if table == 'topics':
            raise


def _messages(damaged: 'apsw.Connection') -> Iterator[tuple[int, int, int, bytes] | None]:
    """Return number, topic, time and data of what is left; None if the end is not to be found."""
    import apsw

    at = 0
    while True:
        try:
            for number, topic, time_ns, data in damaged.execute(
                    'SELECT id, topic_id, timestamp, data FROM messages WHERE id > ? ORDER BY id',
                    (at,)):
                if number <= at:
                    # Pages that lead back to themselves would be read for ever.
                    break
                at = number
                if (type(topic), type(time_ns), type(data)) == (int, int, bytes):
                    yield number, topic, time_ns, data
            else:
                return
        except (apsw.Error, UnicodeError):
            pass
        beyond = _beyond(damaged, at)
        if beyond is None or beyond <= at:
            yield None
            return
        at = beyond


def _beyond(damaged: 'apsw.Connection', at: int) -> int | None:
    """Return a number behind that of a readable message from which on others may be, or None."""
    if (following := _following(damaged, at)) is not None:
        # It is there, yet its data is not.
        return following
    tried, stride = at, 1
    while tried < LAST:
        stride = 1 + (tried - at) // FINE
        tried += stride
        if _following(damaged, tried) is not None:
            for number in range(tried - stride + 1, tried):
                if _following(damaged, number) is not None:
                    return number
            return tried
    return None


def _following(damaged: 'apsw.Connection', number: int) -> int | None:
    """Return the number of the next message, or None if it cannot be found."""
    import apsw

    try:
        found = damaged.execute(
            'SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT 1', (number,)).fetchone()
    except apsw.Error:
        return None
    return None if found is None else int(found[0])
