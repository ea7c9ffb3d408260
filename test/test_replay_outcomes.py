# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay leaves behind: a bag for viewers, and a verdict against an earlier one."""

from collections import Counter
import json
from pathlib import Path
from typing import Any

from bag_maker import write_bag
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import pytest
from replay_bag import room_drive
from test_replay import replay

from sparse_imagination_ros.replay.comparison import differences, verdict


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory, untrained: Path) -> Path:
    folder = tmp_path_factory.mktemp('outcomes')
    write_bag(folder / 'bag', room_drive(5.0))
    assert replay(folder, untrained, str(folder / 'bag'), '--offline', '--json',
                  str(folder / 'f.json'), '--out-bag', str(folder / 'replayed.mcap')) == 0
    return folder


def messages(bag: Path) -> list[tuple[str, int, Any]]:
    with next(bag.glob('*.mcap')).open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        return [(channel.topic, stored.log_time, message)
                for _, channel, stored, message in reader.iter_decoded_messages()]


def test_the_replayed_bag_holds_both_for_an_independent_reader(folder: Path) -> None:
    before, after = messages(folder / 'bag'), messages(folder / 'replayed')
    counts, old = (Counter(topic for topic, _, _ in m) for m in (after, before))
    rows = json.loads((folder / 'f.json').read_text())['runs'][0]['rows']
    plans = len(rows['plan'])
    assert counts == {**old, '/replay/cmd_vel': plans, '/replay/planner_node/cycle': plans}
    commands = [message for topic, _, message in after if topic == '/replay/cmd_vel']
    assert [(c.linear.x, c.linear.y) for c in commands] == [tuple(p[0]) for p in rows['plan']]
    times = [time for _, time, _ in after]
    assert times == sorted(times)
    originals = [(t, time) for t, time, _ in after if not t.startswith('/replay')]
    assert originals == [(t, time) for t, time, _ in before]


def test_a_plan_lies_where_its_picture_arrived(folder: Path) -> None:
    after = messages(folder / 'replayed')
    arrivals = [time for topic, time, _ in after if topic == '/image']
    planned = [time for topic, time, _ in after if topic == '/replay/planner_node/cycle']
    for plan_ns, picture_ns in zip(planned, arrivals, strict=False):
        assert abs(plan_ns - picture_ns) < 1e6


def test_the_same_replay_is_not_worse_than_itself(folder: Path, untrained: Path) -> None:
    words = (str(folder / 'bag'), '--offline', '--against', str(folder / 'f.json'))
    assert replay(folder, untrained, *words, '--margin', '0') == 0


def test_a_metric_that_got_worse_fails_and_is_named(
    folder: Path, untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    numbers = json.loads((folder / 'f.json').read_text())
    numbers['runs'][0]['summary']['sequence']['value'] /= 1.3
    (folder / 'better.json').write_text(json.dumps(numbers))
    words = (str(folder / 'bag'), '--offline', '--against', str(folder / 'better.json'),
             '--report', str(folder / 'page.html'))
    assert replay(folder, untrained, *words, '--margin', '0.2') == 1
    assert 'worse: bag, 6 tokens: sequence error' in capsys.readouterr().out
    assert 'Against an earlier replay' in (folder / 'page.html').read_text()
    assert replay(folder, untrained, *words, '--margin', '0.4') == 0


def test_what_is_better_when_more_is_worse_when_less(folder: Path) -> None:
    numbers = json.loads((folder / 'f.json').read_text())
    worse = json.loads((folder / 'f.json').read_text())
    worse['runs'][0]['summary']['direction']['value'] -= 0.3
    found = {d.name.split(': ')[1]: d for d in differences(numbers, worse, 0.1)}
    assert verdict(found['agreement of direction']) == 'worse'
    assert found['agreement of direction'].worse == pytest.approx(0.3)
    assert verdict(found['sequence error']) == ''
    swapped = {d.name.split(': ')[1]: d for d in differences(worse, numbers, 0.1)}
    assert verdict(swapped['agreement of direction']) == 'better'


def test_replays_of_other_bags_cannot_be_held_against_each_other(
    folder: Path, untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    words = (str(folder / 'bag'), '--offline', '--tokens', '5')
    assert replay(folder, untrained, *words, '--against', str(folder / 'f.json')) == 2
    assert 'nothing in common' in capsys.readouterr().err
    (folder / 'other.json').write_text('{}')
    assert replay(folder, untrained, *words, '--against', str(folder / 'other.json')) == 2
    assert 'was not written by `sparse-imagination replay' in capsys.readouterr().err


def test_several_bags_and_numbers_of_tokens_stand_side_by_side(
    folder: Path, untrained: Path, tmp_path: Path,
) -> None:
    write_bag(tmp_path / 'other', room_drive(4.0, 9001))
    path = tmp_path / 'page.html'
    assert replay(tmp_path, untrained, str(folder / 'bag'), str(tmp_path / 'other'), '--offline',
                  '--tokens', '16,4', '--report', str(path), '--json',
                  str(tmp_path / 'f.json')) == 0
    numbers = json.loads((tmp_path / 'f.json').read_text())
    assert [(Path(r['bag']).name, r['tokens']) for r in numbers['runs']] == [
        ('bag', 16), ('other', 16), ('bag', 4), ('other', 4)]
    text = path.read_text()
    assert 'Side by side' in text and text.count('<th>other, ') == 2


def test_one_copy_is_made_of_one_bag(folder: Path, untrained: Path, tmp_path: Path) -> None:
    assert replay(tmp_path, untrained, str(folder / 'bag'), str(folder / 'bag'), '--offline',
                  '--out-bag', str(tmp_path / 'copy')) == 2
