# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay leaves behind: a bag for viewers, and a verdict against an earlier one."""

from collections import Counter
from dataclasses import replace
import json
from pathlib import Path
import shutil
import sqlite3
from typing import Any

from bag_maker import write_bag
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import pytest
from replay_bag import room_drive
from test_replay import replay

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.replay.comparison import differences, verdict
from sparse_imagination_ros.world_models.bundle import Bundle


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
    added = {topic: count for topic, count in counts.items() if topic.startswith('/replay/')}
    assert {topic: counts[topic] for topic in old} == old and len(counts) == len(old) + len(added)
    goals = added.pop('/replay/planner_node/debug/goal')
    assert 1 < goals == len({*rows['goal']}) and set(added.values()) == {plans}
    assert added.keys() == {'/replay/cmd_vel', '/replay/planner_node/cycle', *(
        f'/replay/planner_node/debug/{name}' for name in (
            'tokens', 'plan', 'cycle_ms', 'encode_ms', 'imagine_ms', 'tokens_used', 'imagined',
            'cost'))}
    commands = [message for topic, _, message in after if topic == '/replay/cmd_vel']
    assert [(c.linear.x, c.linear.y) for c in commands] == [tuple(p[0]) for p in rows['plan']]
    times = [time for _, time, _ in after]
    assert times == sorted(times)
    originals = [(t, time) for t, time, _ in after if not t.startswith('/replay')]
    assert originals == [(t, time) for t, time, _ in before]


def test_viewers_are_shown_tokens_goal_and_plan(folder: Path) -> None:
    after = messages(folder / 'replayed')
    rows = json.loads((folder / 'f.json').read_text())['runs'][0]['rows']
    said = {topic.removeprefix('/replay/planner_node/debug/'): [
        m for t, _, m in after if t == topic] for topic, _, _ in after}
    pictures = [bytes(m.data) for m in said['/image']]
    shown = [bytes(m.data) for m in said['goal']]
    assert shown == [pictures[goal] for goal in dict.fromkeys(rows['goal'])]
    for number, (tokens, path) in enumerate(zip(said['tokens'], said['plan'], strict=True)):
        assert tokens.encoding == 'rgb8' and tokens.width == 448 and tokens.height > 448
        assert len(bytes(tokens.data)) == tokens.height * tokens.step
        plan = rows['plan'][number]
        assert len(path.poses) == len(plan) + 1 and path.header.frame_id == 'base_link'
        end = path.poses[-1].pose.position
        # The base of the test goes where it is told, in steps of 0.2 s.
        assert (end.x, end.y) == pytest.approx([0.2 * sum(v) for v in zip(*plan, strict=True)])
    assert [m.data for m in said['tokens_used']] == rows['tokens']


@pytest.mark.parametrize('target', ['bag', 'bag.mcap', 'other', '.'])
def test_a_recorded_bag_is_never_written_over(
    target: str, folder: Path, untrained: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bag, other = (write_bag(tmp_path / name, room_drive(3.0)) for name in ('bag', 'other'))
    before = {file: file.read_bytes() for b in (bag, other) for file in b.iterdir()}
    assert replay(tmp_path, untrained, str(bag), '--offline', '--out-bag',
                  str(tmp_path / target)) == 2
    assert 'name another folder' in capsys.readouterr().err
    assert {file: file.read_bytes() for b in (bag, other) for file in b.iterdir()} == before
    assert not (tmp_path / 'work').exists(), 'it is said before anything is done'


def test_a_copy_is_replaced_by_another(folder: Path, untrained: Path) -> None:
    words = (str(folder / 'bag'), '--offline', '--out-bag', str(folder / 'again'))
    assert replay(folder, untrained, *words) == 0
    assert replay(folder, untrained, *words) == 0
    assert len(messages(folder / 'again')) == len(messages(folder / 'replayed'))
    assert not list(folder.glob('.unfinished*'))


def test_topics_that_nobody_can_read_are_left_out_of_the_copy_and_named(
    folder: Path, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    # As bags of Humble are, without what types are made of.
    bag = write_bag(tmp_path / 'bag', room_drive(3.0), 'sqlite3')
    with sqlite3.connect(bag / 'bag.db3') as database:
        database.execute('DELETE FROM message_definitions')
        database.execute(
            "INSERT INTO topics VALUES (9, '/own', 'my_msgs/msg/Own', 'cdr', '', '')")
        database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (9, 1, 'x')")
    (bag / 'metadata.yaml').unlink()
    assert replay(tmp_path, untrained, str(bag), '--offline', '--out-bag',
                  str(tmp_path / 'copy')) == 0
    assert 'left out: /own, whose type the bag does not explain' in capsys.readouterr().out
    assert {'/image', '/replay/cmd_vel'} <= {topic for topic, _, _ in messages(tmp_path / 'copy')}


def test_engines_stand_side_by_side_with_one_judgement_of_the_imagination(
    folder: Path, untrained: Path, tmp_path: Path,
) -> None:
    pytest.importorskip('openvino', reason='the engine openvino is not installed')
    path = tmp_path / 'f.json'
    assert replay(tmp_path, untrained, str(folder / 'bag'), '--offline', '--engine',
                  'reference,openvino', '--json', str(path), '--report',
                  str(tmp_path / 'page.html')) == 0
    numbers = json.loads(path.read_text())
    assert [run['engine'] for run in numbers['runs']] == ['reference', 'openvino']
    assert len(numbers['qualities']) == 1 and numbers['settings']['engines'] == [
        'reference', 'openvino']
    assert '<th>bag, 6 tokens, openvino</th>' in (tmp_path / 'page.html').read_text()


def test_another_bag_beside_one_that_was_replayed_before_changes_what_is_imagined_of_it(
    folder: Path, untrained: Path, tmp_path: Path,
) -> None:
    write_bag(tmp_path / 'other', room_drive(3.0))
    bags = [str(folder / 'bag'), str(tmp_path / 'other')]
    imagined = []
    for chosen, work in ((bags[:1], 'one'), (bags, 'one'), (bags, 'two')):
        assert replay(tmp_path, untrained, *chosen, '--offline', '--segments', '24', '--work',
                      str(tmp_path / work), '--json', str(tmp_path / 'f.json')) == 0
        imagined.append(json.loads((tmp_path / 'f.json').read_text())['qualities'])
    assert [quality[0]['segments'] for quality in imagined] == [24, 24, 24]
    assert imagined[1] == imagined[2] != imagined[0]


def test_times_that_were_measured_before_are_told_as_such(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    bag = write_bag(tmp_path / 'bag', room_drive(3.0))
    for earlier in (0, 1):
        assert replay(tmp_path, untrained, str(bag), '--budget-ms', '90', '--json',
                      str(tmp_path / 'f.json'), '--report', str(tmp_path / 'page.html')) == 0
        assert json.loads((tmp_path / 'f.json').read_text())['runs'][0]['earlier'] == earlier
        told = 'measured by an earlier call'
        assert (told in capsys.readouterr().out) == (
            told in (tmp_path / 'page.html').read_text()) == bool(earlier)


def test_bags_of_one_name_are_told_apart(untrained: Path, tmp_path: Path) -> None:
    for day in ('monday', 'tuesday'):
        write_bag(tmp_path / day / 'bag', room_drive(3.0))
    path = tmp_path / 'f.json'
    words = (str(tmp_path / 'monday'), str(tmp_path / 'tuesday'), '--offline', '--json', str(path))
    assert replay(tmp_path, untrained, *words) == 0
    numbers = json.loads(path.read_text())
    names = {d.name.split(',')[0] for d in differences(numbers, numbers, 0.1)}
    assert names == {'monday/bag', 'tuesday/bag'}


def test_what_would_go_wrong_in_the_end_is_said_at_once(
    folder: Path, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    bag = str(folder / 'bag')
    (tmp_path / 'file').write_text('')
    for words, reason in (
            (('--json', str(tmp_path)), 'is a folder; name a file'),
            (('--report', str(tmp_path / 'file' / 'page.html')), 'cannot be made'),
            (('--against', str(tmp_path / 'nothing.json')), 'cannot be read'),
            (('--threads', '0'), 'at least 1'), (('--tokens', '17'), 'allowed range'),
            (('--start', '5', '--end', '2'), '--start 5'), (('--engine', 'steam'), 'reference')):
        assert replay(tmp_path, untrained, bag, '--offline', *words) == 2
        assert reason in capsys.readouterr().err
    assert not (tmp_path / 'work').exists()


def test_what_the_planner_leaves_to_the_bundle_is_asked_of_it(
    folder: Path, untrained: Path, tmp_path: Path,
) -> None:
    path = tmp_path / 'f.json'
    assert main(['replay', '--bundle', str(untrained), str(folder / 'bag'), '--offline',
                 '--tokens', '6', '--work', str(tmp_path / 'work'), '--json', str(path)]) == 0
    numbers = json.loads(path.read_text())
    steps = Bundle.load(untrained).manifest.lookahead.steps
    assert len(numbers['qualities'][0]['horizons']) == steps == numbers['settings']['planner'][
        'steps']


def test_limits_that_changed_are_not_forgotten(
    folder: Path, untrained: Path, tmp_path: Path,
) -> None:
    slower = tmp_path / 'slower'
    shutil.copytree(untrained, slower)
    recorded = []
    for share in (1.0, 2.0):
        bundle = Bundle.load(slower)
        actions = replace(bundle.manifest.actions, high=tuple(
            share * v for v in bundle.manifest.actions.high))
        replace(bundle, manifest=replace(bundle.manifest, actions=actions)).save(slower)
        assert replay(tmp_path, slower, str(folder / 'bag'), '--offline', '--json',
                      str(tmp_path / 'f.json')) == 0
        rows = json.loads((tmp_path / 'f.json').read_text())['runs'][0]['rows']
        recorded.append(rows['recorded'])
    for one, other in zip(*recorded, strict=True):
        assert one == pytest.approx([2 * v for v in other], abs=1e-5)


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
    write_bag(tmp_path / 'other', room_drive(2.0))
    assert replay(tmp_path, untrained, str(folder / 'bag'), str(tmp_path / 'other'), '--offline',
                  '--out-bag', str(tmp_path / 'copy')) == 2
