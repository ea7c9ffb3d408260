# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Damaged bags: what can be read is read, byte for byte, and what is lost is said."""

from collections.abc import Callable, Iterator
from pathlib import Path
import shutil
import sqlite3
from typing import Any

from bag_maker import drive, image, picture, START_S, TYPES, write_bag
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.recording import Bag
from sparse_imagination_ros.bags.salvage_mcap import CHANNEL, HEAD, MAGIC
from sparse_imagination_ros.errors import DataError

Stored = list[tuple[str, int, bytes]]
PAGE = 4096
ZSTD = b'\x28\xb5\x2f\xfd'


def contents(bag: Path) -> tuple[Stored, str]:
    """Return what a forgiving reader finds, and what it says is wrong."""
    with open_bag(bag, forgiving=True) as opened:
        found = [(c.topic, ns, bytes(data)) for c, ns, data in opened.raw()]
        return found, '; '.join(opened.faults)


def stored(said: list[Any]) -> Stored:
    return [(topic, round((START_S + t) * 1e9),
             bytes(TYPES.serialize_cdr(content, content.__msgtype__)))
            for topic, t, content in said]


def cut(file: Path, share: float) -> None:
    file.write_bytes(file.read_bytes()[:int(share * file.stat().st_size)])


def overwrite(file: Path, at: int, length: int, value: int = 0xAA) -> None:
    with file.open('r+b') as stream:
        stream.seek(at)
        stream.write(bytes([value]) * length)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_bag(tmp_path / 'bag', drive(), 'sqlite3') / 'bag.db3'


@pytest.mark.parametrize('share', [0.3, 0.6, 0.95])
@pytest.mark.parametrize('metadata', [False, True])
def test_a_database_that_was_cut_off_is_read_as_far_as_it_is_there(
    share: float, metadata: bool, database: Path,
) -> None:
    cut(database, share)
    if not metadata:
        (database.parent / 'metadata.yaml').unlink()
    before = database.read_bytes()
    found, faults = contents(database.parent)
    written = stored(drive())
    assert share * 0.6 * len(written) < len(found) < len(written)
    assert set(found) <= set(written)
    assert f'bag.db3 is damaged: {len(found)} messages could be saved' in faults
    assert ('its recording was cut off' in faults) == (not metadata)
    assert database.read_bytes() == before
    assert sorted(p.name for p in database.parent.iterdir()) == (
        ['bag.db3', *['metadata.yaml'] * metadata])


def leaf_pages(file: Path) -> Iterator[int]:
    """Find the pages of the table of messages that hold messages."""
    data = file.read_bytes()
    for at in range(PAGE, len(data), PAGE):
        if data[at] == 0x0D and b'messages' not in data[at:at + PAGE]:
            cells = int.from_bytes(data[at + 3:at + 5], 'big')
            if cells > 3:
                yield at


def test_pages_that_are_damaged_cost_the_messages_on_them(database: Path) -> None:
    pages = list(leaf_pages(database))
    for page in pages[len(pages) // 2:][:2]:
        overwrite(database, page, PAGE)
    found, faults = contents(database.parent)
    written = stored(drive())
    assert len(written) / 2 < len(found) < len(written) and set(found) <= set(written)
    # What lies behind the damage is there, too.
    assert found[0] == written[0] and found[-1] == written[-1]
    assert f'lost: {len(written) - len(found)} among them' in faults


def test_a_picture_whose_data_is_damaged_is_left_out(database: Path) -> None:
    data, shades = database.read_bytes(), set(picture(20)[0, 0].tolist())
    # A page with nothing but pixels, and before them the number of the page where they go on.
    page = next(at for at in range(0, len(data), PAGE) if set(data[at + 4:at + PAGE]) == shades)
    overwrite(database, page, 4, 0xFF)
    found, faults = contents(database.parent)
    missing = set(stored(drive())) - set(found)
    assert [(topic, ns) for topic, ns, _ in missing] == [
        ('/camera/image', round((START_S + 2.02) * 1e9))]
    assert 'lost: 1 among them' in faults or ' cannot be read, from 2.0 s on' in faults


@pytest.mark.parametrize('mode', ['wal', 'delete'])
def test_what_a_killed_recorder_left_in_a_journal_is_read_too(mode: str, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', drive(), 'sqlite3')
    killed = tmp_path / 'killed'
    killed.mkdir()
    database = sqlite3.connect(bag / 'bag.db3')
    database.execute(f'PRAGMA journal_mode = {mode}')
    topic, = database.execute("SELECT id FROM topics WHERE name = '/cmd_vel'").fetchone()
    late_ns = round((START_S + 9) * 1e9)
    rows = [(topic, late_ns + i, b'x' * 300) for i in range(50)]
    database.executemany(
        'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)', rows)
    if mode == 'wal':
        database.commit()
    else:
        # Half of a transaction is on disk already, and how to undo it.
        database.execute('PRAGMA cache_size = 1')
        database.executemany(
            'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)', rows)
    for file in bag.iterdir():
        if file.suffix != '.yaml' and not file.name.endswith('-shm'):
            shutil.copy(file, killed)
    database.rollback()
    database.close()
    assert any(p.name.endswith(('-wal', '-journal')) for p in killed.iterdir())
    before = {p.name: p.read_bytes() for p in killed.iterdir()}
    found, faults = contents(killed)
    late = [entry for entry in found if entry[1] >= late_ns]
    assert [entry for entry in found if entry[1] < late_ns] == stored(drive())
    assert len(late) == (50 if mode == 'wal' else 0)
    assert 'bag.db3 was not closed' in faults
    assert {p.name: p.read_bytes() for p in killed.iterdir()} == before


def noisy(said: list[Any]) -> list[Any]:
    """Give pictures that hardly shrink, so that a file has many chunks."""
    rng = np.random.default_rng(0)
    return [(topic, t, image(START_S + t, rng.integers(0, 256, (200, 300, 3), np.uint8)))
            if topic == '/camera/image' else (topic, t, content) for topic, t, content in said]


def swapped(said: list[Any]) -> list[Any]:
    """Write neighbours in the wrong order, as recorders do that go by the time of sending."""
    said = list(said)
    for i in range(0, len(said) - 1, 2):
        said[i], said[i + 1] = said[i + 1], said[i]
    return said


def test_a_file_that_was_cut_off_is_read_whatever_the_order_of_its_messages(
    tmp_path: Path,
) -> None:
    said = noisy(drive())
    bag = write_bag(tmp_path / 'bag', swapped(said))
    cut(bag / 'bag.mcap', 0.7)
    found, faults = contents(bag)
    assert 'bag.mcap is cut off: what follows byte' in faults
    assert 0.4 * len(said) < len(found) < 0.8 * len(said)
    times = [ns for _, ns, _ in found]
    assert times == sorted(times) and set(found) <= set(stored(said))
    with open_bag(bag, forgiving=True) as opened:
        counts = {c.topic: c.msgcount for c in opened.connections}
    assert counts == {
        topic: sum(t == topic for t, _, _ in found) for topic in counts}


def test_a_topic_too_short_to_have_a_number_costs_nothing_else(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', noisy(drive()))
    cut(bag / 'bag.mcap', 0.7)
    before, _ = contents(bag)
    data = (bag / 'bag.mcap').read_bytes()
    # Behind the head of the file.
    start = len(MAGIC) + HEAD.size + HEAD.unpack_from(data, len(MAGIC))[1]
    (bag / 'bag.mcap').write_bytes(data[:start] + HEAD.pack(CHANNEL, 0) + data[start:])
    found, faults = contents(bag)
    assert found == before
    assert '1 damaged records before it' in faults


def test_reading_goes_on_behind_a_chunk_that_is_damaged(tmp_path: Path) -> None:
    said = noisy(drive())
    bag = tmp_path / 'bag'
    # Compressed, so that there are checksums.
    writer = Bag(bag)
    for topic, t, content in said:
        if topic not in writer.counts:
            writer.add_topic(topic, content.__msgtype__)
        writer.write_message(topic, round((START_S + t) * 1e9), content)
    writer.close()
    data = (bag / 'bag.mcap').read_bytes()
    overwrite(bag / 'bag.mcap', data.index(ZSTD, len(data) // 2), 2000)
    found, faults = contents(bag)
    written = stored(said)
    assert len(written) / 2 < len(found) < len(written) and set(found) <= set(written)
    assert found[-1] == written[-1]
    assert 'the bag: ' in faults and ' s cannot be read, from ' in faults


def missing_part(bag: Path) -> str:
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace('  - bag.', '  - gone.mcap\n  - bag.', 1))
    return 'gone.mcap'


def scribble(bag: Path) -> str:
    (bag / 'metadata.yaml').write_text('{')
    return 'its files were read one by one, since Could not load YAML'


def a_later_format(bag: Path) -> str:
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace('version: 9', 'version: 12', 1))
    return 'version 12 not supported'


@pytest.mark.parametrize('damage', [missing_part, scribble, a_later_format])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_metadata_that_cannot_be_used_are_done_without(
    damage: Callable[[Path], str], storage: str, tmp_path: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', drive(), storage)
    words = damage(bag)
    found, faults = contents(bag)
    assert found == stored(drive()) and words in faults
    with pytest.raises(DataError, match='cannot be read as a bag'), open_bag(bag):
        pass


def test_of_several_files_the_sound_ones_are_read(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', drive())
    (bag / 'metadata.yaml').unlink()
    (bag / 'zzz.mcap').write_text('not one of them')
    found, faults = contents(bag)
    assert found == stored(drive())
    assert 'zzz.mcap is no MCAP file' in faults


def test_messages_that_were_compressed_one_by_one_are_read_without_metadata(
    tmp_path: Path,
) -> None:
    writer = Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.SQLITE3)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        topics: dict[str, Any] = {}
        for topic, t, content in drive():
            kind = content.__msgtype__
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            writer.write(topics[topic], round((START_S + t) * 1e9),
                         TYPES.serialize_cdr(content, kind))
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    assert contents(tmp_path / 'bag')[0] == stored(drive())
