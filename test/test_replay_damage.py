# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags damaged in every way that robots know: each has an outcome that says what was wrong."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

from bag_maker import image, message, START_S, write_bag
import numpy as np
import pytest
from replay_bag import room_drive
from test_replay import replay

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import Topic
from sparse_imagination_ros.cli.main import main

Said = list[Any]


def outcome(bag: Path, folder: Path, bundle: Path) -> tuple[int, dict[str, Any]]:
    path = folder / 'f.json'
    code = replay(folder, bundle, str(bag), '--offline', '--json', str(path))
    return code, json.loads(path.read_text()) if path.is_file() else {}


def without(topic: str, said: Said) -> Said:
    return [entry for entry in said if entry[0] != topic]


def gap(said: Said) -> Said:
    return [e for e in said if not (e[0] == '/image' and 2 < e[1] < 3)]


def out_of_order(said: Said) -> Said:
    pictures = [i for i, e in enumerate(said) if e[0] == '/image']
    a, b = pictures[20:22]
    said[a], said[b] = (
        (said[a][0], said[a][1], said[b][2]), (said[b][0], said[b][1], said[a][2]))
    return said


def clock_jump(said: Said) -> Said:
    # The clock was set back by a minute after three seconds.
    return [(topic, t, image(START_S + t - 60, np.asarray(content.data).reshape(224, 224, 3)))
            if topic == '/image' and t > 3 else (topic, t, content) for topic, t, content in said]


def damaged_picture(said: Said) -> Said:
    number = [i for i, e in enumerate(said) if e[0] == '/image'][10]
    topic, t, _ = said[number]
    broken = image(START_S + t, np.zeros((224, 224, 3), np.uint8))
    broken.data = broken.data[:1000]
    said[number] = (topic, t, broken)
    return said


def words_for_commands(said: Said) -> Said:
    return [(topic, t, message('std_msgs/msg/String', data='faster'))
            if topic == '/cmd_vel' else (topic, t, content) for topic, t, content in said]


def no_commands(said: Said) -> Said:
    return without('/cmd_vel', said)


@pytest.mark.parametrize(('damage', 'finding', 'count'), [
    (gap, 'gaps', 1), (out_of_order, 'out_of_order', 1), (clock_jump, 'jumps', 1),
    (damaged_picture, 'unreadable', 1)])
def test_what_can_be_survived_is_counted_and_survived(
    damage: Callable[[Said], Said], finding: str, count: int, tmp_path: Path, untrained: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', damage(room_drive(5.0)))
    code, numbers = outcome(bag, tmp_path, untrained)
    assert code == 0
    found = numbers['bags'][0]
    counts = {name: found[name] for name in ('gaps', 'out_of_order', 'jumps', 'unreadable')}
    assert counts == {**dict.fromkeys(counts, 0), finding: count}
    assert numbers['runs'][0]['summary']['cycles'] > 10
    assert numbers['qualities'][0]['horizons'][0]['beginnings'] > 10


@pytest.mark.parametrize(('damage', 'words'), [
    (no_commands, 'no commands: '), (words_for_commands, 'no commands: ')])
def test_without_commands_there_are_plans_and_no_imagination(
    damage: Callable[[Said], Said], words: str, tmp_path: Path, untrained: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', damage(room_drive(5.0)))
    code, numbers = outcome(bag, tmp_path, untrained)
    assert code == 0 and numbers['bags'][0]['commands'] == 0
    assert any(fault.startswith(words) for fault in numbers['bags'][0]['faults'])
    assert numbers['runs'][0]['summary']['cycles'] > 10 and not numbers['qualities']
    assert numbers['runs'][0]['summary']['compared_directions'] == 0


def test_a_truncated_tail_is_left_out(
    tmp_path: Path, untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(6.0))
    file = bag / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:file.stat().st_size * 3 // 5])
    code, numbers = outcome(bag, tmp_path, untrained)
    assert code == 0
    found = numbers['bags'][0]
    assert 20 < found['pictures'] < 50
    assert any('bag.mcap is cut off' in fault for fault in found['faults'])
    assert 'is cut off' in capsys.readouterr().out


def test_a_recorder_that_was_killed_leaves_a_bag_without_metadata(
    tmp_path: Path, untrained: Path,
) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(5.0))
    (bag / 'metadata.yaml').unlink()
    code, numbers = outcome(bag, tmp_path, untrained)
    assert code == 0 and numbers['bags'][0]['pictures'] == 50
    assert 'no metadata.yaml' in numbers['bags'][0]['faults'][0]


def no_pictures(bag: Path) -> None:
    write_bag(bag, without('/image', room_drive(2.0)))


def empty(bag: Path) -> None:
    write_bag(bag, [])


def no_bag(bag: Path) -> None:
    bag.mkdir()
    (bag / 'thesis.tex').write_text('years of work')


def no_file(bag: Path) -> None:
    bag.write_text('not a bag')


def nowhere(bag: Path) -> None:
    pass


def half_a_database(bag: Path) -> None:
    write_bag(bag, room_drive(2.0), 'sqlite3')
    file = bag / 'bag.db3'
    file.write_bytes(file.read_bytes()[:5000])


def nothing_left(bag: Path) -> None:
    write_bag(bag, room_drive(1.0))
    (bag / 'bag.mcap').write_bytes(b'\x89MCAP0\r\n')


def other_size(bag: Path) -> None:
    write_bag(bag, [('/image', 0.1 * i, image(START_S + 0.1 * i, np.zeros((48, 64, 3), np.uint8)))
                    for i in range(30)])


@pytest.mark.parametrize(('make', 'words'), [
    (no_pictures, 'has no topic of type sensor_msgs/msg/Image'), (empty, 'it has none'),
    (no_bag, 'is no bag'), (no_file, 'is no bag'), (nowhere, 'is not there'),
    (half_a_database, 'cannot be read as a bag'), (nothing_left, 'cannot be read as a bag'),
    (other_size, '30 are not 224 x 224 pixels')])
def test_what_cannot_be_used_is_named_in_one_line(
    make: Callable[[Path], None], words: str, tmp_path: Path, untrained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bag = tmp_path / 'bag'
    make(bag)
    code, _ = outcome(bag, tmp_path, untrained)
    said = capsys.readouterr().err
    assert code == 2 and said.startswith('error: ') and words in said
    assert 'Traceback' not in said and str(bag) in said


def test_one_bag_of_several_that_cannot_be_used_is_left_out(
    tmp_path: Path, untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    good = write_bag(tmp_path / 'good', room_drive(4.0))
    (tmp_path / 'bad.mcap').write_text('no bag')
    path = tmp_path / 'f.json'
    code = replay(tmp_path, untrained, str(good), str(tmp_path / 'bad.mcap'), '--offline',
                  '--json', str(path))
    assert code == 0
    numbers = json.loads(path.read_text())
    assert [Path(found['bag']).name for found in numbers['bags']] == ['good']
    assert 'bad.mcap' in numbers['skipped'][0]
    assert 'left out: ' in capsys.readouterr().out


def test_a_cut_separates_what_lies_before_from_what_lies_after(
    tmp_path: Path, untrained: Path,
) -> None:
    said = room_drive(6.0)
    said.append(('/reset', 3.0, message('std_msgs/msg/String', data='')))
    bag = write_bag(tmp_path / 'bag', sorted(said, key=lambda entry: entry[1]))
    path = tmp_path / 'f.json'
    assert replay(tmp_path, untrained, str(bag), '--offline', '--scene-topic', '/reset', '--json',
                  str(path)) == 0
    rows = json.loads(path.read_text())['runs'][0]['rows']
    for number, goal in zip(rows['picture'], rows['goal'], strict=True):
        assert (number < 30) == (goal < 30)


def test_only_the_part_that_is_asked_for_is_replayed(tmp_path: Path, untrained: Path) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(8.0))
    path = tmp_path / 'f.json'
    assert replay(tmp_path, untrained, str(bag), '--offline', '--start', '2', '--end', '6',
                  '--json', str(path)) == 0
    assert json.loads(path.read_text())['bags'][0]['pictures'] == 40


def test_the_records_before_a_cut_are_read_byte_by_byte(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(3.0))
    file = bag / 'bag.mcap'
    whole, counts = file.read_bytes(), []
    for share in (0.3, 0.6, 0.9):
        copy = tmp_path / f'{share}'
        shutil.copytree(bag, copy)
        (copy / 'bag.mcap').write_bytes(whole[:int(share * len(whole))])
        with open_bag(copy, forgiving=True) as opened:
            counts.append(sum(1 for _ in opened.shots(Topic('/image', ()))))
    assert counts == sorted(counts) and counts[0] > 0 and counts[-1] < 30


def test_an_interrupted_replay_says_so_and_goes_on(
    tmp_path: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from sparse_imagination_ros.planning.planner import Planner

    said = room_drive(6.0)
    said.append(('/reset', 3.0, message('std_msgs/msg/String', data='')))
    bag = write_bag(tmp_path / 'bag', sorted(said, key=lambda entry: entry[1]))
    words = (str(bag), '--offline', '--scene-topic', '/reset', '--json', str(tmp_path / 'f.json'),
             '--report', str(tmp_path / 'page.html'))
    planned = []
    plan = Planner.plan

    def counting(self: Planner, *given: Any) -> Any:
        planned.append(given[0].stamp_s)
        if limit and sum(stamp > START_S for stamp in planned) > limit:
            raise KeyboardInterrupt
        return plan(self, *given)

    monkeypatch.setattr(Planner, 'plan', counting)
    # The first of two stretches is through by then.
    limit = 24
    assert replay(tmp_path, untrained, *words) == 130
    numbers = json.loads((tmp_path / 'f.json').read_text())
    assert numbers['partial'] and numbers['runs'][0]['missing'] == 1
    assert numbers['runs'][0]['summary']['cycles'] > 5
    assert 'Partial report.' in (tmp_path / 'page.html').read_text()
    first = numbers['runs'][0]['rows']['plan']
    limit = 0
    planned.clear()
    assert replay(tmp_path, untrained, *words) == 0
    numbers = json.loads((tmp_path / 'f.json').read_text())
    assert not numbers['partial'] and numbers['runs'][0]['missing'] == 0
    assert numbers['runs'][0]['rows']['plan'][:len(first)] == first
    again = [stamp for stamp in planned if stamp > START_S]
    assert again and min(again) > START_S + 2.9, 'what was finished is not done again'
    assert main(['replay', '--bundle', str(untrained), str(tmp_path / 'nowhere')]) == 2
    capsys.readouterr()
