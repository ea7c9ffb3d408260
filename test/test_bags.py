# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset from rosbags: what they hold is read, what is wrong with them is said."""

from dataclasses import replace
from pathlib import Path
import sqlite3

from bag_maker import compressed, drive, image, picture, START_S, twist, TYPES, write_bag
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
import torch
import yaml

from sparse_imagination_ros.bags.opening import find_bags
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.training.dataset import load_dataset
from sparse_imagination_ros.training.from_bags import BagsConfig, dataset_from_bags

CONFIG = BagsConfig(
    command_low=(-1.0, -1.0), command_high=(1.0, 1.0), step_s=0.5, sense_topic='/odom',
    sense_fields=('pose.pose.position.x', 'pose.pose.orientation.yaw'))


def read(bags, folder: Path, config: BagsConfig = CONFIG, report=lambda done, total: None):
    return dataset_from_bags(bags, config, 32, folder, report)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('kind', [image, compressed])
def test_pictures_commands_and_senses_are_resampled_to_steps(storage, kind, tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(picture_message=kind), storage)
    dataset, (found,) = read([bag], tmp_path / 'data')
    assert (found.pictures, found.unreadable, found.gaps, found.jumps) == (40, 0, 0, 0)
    assert (found.episodes, found.steps) == (5, 40)
    assert dataset.facts.picture_size == (64, 48)
    first = slice(0, int(dataset.starts[1]))
    assert dataset.shown[first].tolist() == [0, 5, 10, 15, 20, 25, 30, 35]
    assert dataset.show(torch.arange(40))[:, 0, 0, 0].tolist() == dataset.shown.tolist()
    # From 0 to 0.5 s the commands were 0, 0.01 .. 0.04.
    assert dataset.actions[0].tolist() == pytest.approx([0.02, 0.5])
    assert dataset.actions[7].tolist() == [0, 0]
    assert dataset.sensed[1].tolist() == pytest.approx([1.0, 0.05], abs=1e-4)


def test_clips_do_not_cross_episodes(tmp_path):
    dataset, _ = read([write_bag(tmp_path / 'bag', drive())], tmp_path / 'data')
    generator = torch.Generator().manual_seed(0)
    clips = dataset.draw(500, 4, generator)
    assert clips.shape == (500, 4)
    assert (dataset.shown[clips].diff(dim=1) == 5).all()
    # Each of the 5 episodes of 8 steps has 5 places for a clip of 4.
    assert len(clips[:, 0].unique()) == 25
    with pytest.raises(DataError, match=r'longest episode has 8 steps of 0.5 s, 9 are needed'):
        dataset.draw(1, 9, generator)


def test_several_bags_become_one_dataset_and_are_read_once(tmp_path):
    bags = [write_bag(tmp_path / 'bags' / name, drive()) for name in ('a', 'b')]
    assert find_bags([tmp_path / 'bags']) == bags
    seen = []
    first, found = read(bags, tmp_path / 'data', report=lambda done, total: seen.append(done))
    assert seen[-1] == 80
    assert [Path(f.bag).name for f in found] == ['a', 'b']
    again, found_again = read(
        bags, tmp_path / 'data', report=lambda done, total: pytest.fail('read again'))
    assert torch.equal(first.shown, again.shown)
    assert found_again == found


def test_another_setting_reads_the_bags_again(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive())
    read([bag], tmp_path / 'data')
    (tmp_path / 'data' / 'tokens-0.npy').write_text('of other pictures')
    dataset, _ = read([bag], tmp_path / 'data', replace(CONFIG, step_s=1.0))
    assert dataset.facts.step_s == 1.0
    assert not (tmp_path / 'data' / 'tokens-0.npy').exists()


def test_gaps_clock_jumps_unreadable_pictures_and_commands_beyond_limits_are_counted(tmp_path):
    said = [entry for entry in drive(8) if not (entry[0] == '/camera/image' and 2 < entry[1] < 4)]
    broken = image(START_S + 1.05, picture(1))
    broken.encoding = 'plaid'
    said.append(('/camera/image', 1.06, broken))
    said.append(('/cmd_vel', 1.07, twist(3.0, 0.0)))
    # The clock went back by 8 seconds: what follows has old stamps.
    said += [(topic, t + 8, content) for topic, t, content in drive(2)]
    bag = write_bag(tmp_path / 'bag', said)
    _, (found,) = read([bag], tmp_path / 'data')
    assert (found.unreadable, found.gaps, found.beyond_limits) == (1, 1, 1)
    assert (found.pictures, found.jumps) == (80, 1)
    assert found.seconds == pytest.approx(1.9 + 2.0 + 3.9, abs=0.3)


def test_nothing_connects_two_scenes(tmp_path):
    said = [*drive(), ('/goal_image', 2.1, image(START_S + 2.05, picture(9)))]
    config = replace(CONFIG, image_topic='/camera/image', scene_topic='/goal_image')
    bag = write_bag(tmp_path / 'bag', sorted(said, key=lambda entry: entry[1]))
    dataset, (found,) = read([bag], tmp_path / 'data', config)
    assert (found.scenes, found.gaps, found.steps) == (1, 0, 40)
    for first, last in zip(dataset.starts[:-1], dataset.starts[1:], strict=True):
        shown = dataset.shown[first:last]
        assert (shown <= 20).all() or (shown > 20).all()


def test_stamps_of_another_clock_give_way_to_the_time_of_recording(tmp_path):
    said = [(topic, t, image(t, picture(7)) if topic == '/camera/image' else content)
            for topic, t, content in drive()]
    dataset, (found,) = read([write_bag(tmp_path / 'bag', said)], tmp_path / 'data')
    assert found.steps == 40
    assert dataset.actions[1].tolist() == pytest.approx([0.07, 0.5], abs=0.02)


@pytest.mark.parametrize(('change', 'message'), [
    ({'image_topic': '/nowhere'}, r'no topic /nowhere; it has /camera/image \(sensor_msgs'),
    ({'command_fields': ('linear.w', 'angular.z')}, 'have no number `linear.w`'),
    ({'command_low': (0.0,)}, 'differ in length'),
    ({'sense_topic': ''}, 'no sense_topic'),
    ({'scene_topic': '/nowhere'}, 'no topic /nowhere'),
    ({'step_s': 9.0}, 'no two pictures 9.0 s apart'),
])
def test_a_setting_that_does_not_fit_is_named(change, message, tmp_path):
    bag = write_bag(tmp_path / 'bag', drive())
    with pytest.raises(DataError, match=message):
        read([bag], tmp_path / 'data', replace(CONFIG, **change))


def test_topics_that_are_not_unique_must_be_named(tmp_path):
    said = [*drive(), ('/other/image', 0.0, image(START_S, picture(1)))]
    bag = write_bag(tmp_path / 'bag', said)
    with pytest.raises(DataError, match=r'several topics.*: /camera/image, /other/image; name'):
        read([bag], tmp_path / 'data')
    dataset, _ = read([bag], tmp_path / 'data', replace(CONFIG, image_topic='/camera/image'))
    assert len(dataset.shown) == 40


def test_bags_of_another_camera_are_not_mixed(tmp_path):
    wide = [(topic, t, image(START_S + t, picture(1, 80)) if topic == '/camera/image' else content)
            for topic, t, content in drive()]
    bags = [write_bag(tmp_path / 'a', drive()), write_bag(tmp_path / 'b', wide)]
    with pytest.raises(DataError, match=r'b: a picture is 80 x 48 pixels, those before 64 x 48'):
        read(bags, tmp_path / 'data')


def test_what_is_no_bag_is_named(tmp_path):
    with pytest.raises(DataError, match=r'nowhere is not there'):
        find_bags([tmp_path / 'nowhere'])
    (tmp_path / 'cut').mkdir()
    with pytest.raises(DataError, match=r'ros2 bag reindex'):
        find_bags([tmp_path / 'cut'])
    bag = write_bag(tmp_path / 'bag', drive())
    (bag / 'bag.mcap').write_bytes((bag / 'bag.mcap').read_bytes()[:5000])
    with pytest.raises(DataError, match=r'bag'):
        read([bag], tmp_path / 'data')
    (bag / 'metadata.yaml').write_text('{')
    with pytest.raises(DataError, match=r'cannot be read as a bag'):
        read([bag], tmp_path / 'data')


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(DataError, match=r'holds no dataset'):
        load_dataset(tmp_path)
    read([write_bag(tmp_path / 'bag', drive())], tmp_path / 'data')
    np.save(tmp_path / 'data' / 'steps.npz', np.zeros(3))
    (tmp_path / 'data' / 'dataset.json').write_text('{"robot": 3}')
    with pytest.raises(DataError, match=r'is damaged'):
        load_dataset(tmp_path / 'data')


HUMBLE = """
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL,
    metadata TEXT NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
    serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
INSERT INTO schema VALUES (3, 'humble');
"""
QOS = """- history: 3
  depth: 0
  reliability: 1
  durability: 2
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: 1
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false"""


def test_a_bag_as_humble_lays_it_out_is_read(tmp_path):
    bag, said = tmp_path / 'bag', drive()
    bag.mkdir()
    kinds = {topic: content.__msgtype__ for topic, _, content in said}
    with sqlite3.connect(bag / 'bag_0.db3') as database:
        database.executescript(HUMBLE)
        for number, (topic, kind) in enumerate(kinds.items(), 1):
            database.execute('INSERT INTO topics VALUES (?, ?, ?, ?, ?)',
                             (number, topic, kind, 'cdr', QOS))
        database.executemany(
            'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)', [
                (list(kinds).index(topic) + 1, round((START_S + t) * 1e9),
                 bytes(TYPES.serialize_cdr(content, kinds[topic]))) for topic, t, content in said])
    times = [round((START_S + t) * 1e9) for _, t, _ in said]
    (bag / 'metadata.yaml').write_text(yaml.safe_dump({'rosbag2_bagfile_information': {
        'version': 5, 'storage_identifier': 'sqlite3', 'relative_file_paths': ['bag_0.db3'],
        'duration': {'nanoseconds': times[-1] - times[0]},
        'starting_time': {'nanoseconds_since_epoch': times[0]}, 'message_count': len(said),
        'topics_with_message_count': [
            {'topic_metadata': {'name': topic, 'type': kind, 'serialization_format': 'cdr',
                                'offered_qos_profiles': QOS},
             'message_count': sum(t == topic for t, _, _ in said)}
            for topic, kind in kinds.items()],
        'compression_format': '', 'compression_mode': '',
        'files': [{'path': 'bag_0.db3',
                   'starting_time': {'nanoseconds_since_epoch': times[0]},
                   'duration': {'nanoseconds': times[-1] - times[0]},
                   'message_count': len(said)}]}}))
    dataset, (found,) = read([bag], tmp_path / 'data')
    assert (found.pictures, found.unreadable, found.steps) == (40, 0, 40)
    assert dataset.actions[0].tolist() == pytest.approx([0.02, 0.5])


@pytest.mark.parametrize('mode', [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_a_bag_that_was_compressed_while_recording_is_read(mode, tmp_path):
    bag, said = tmp_path / 'bag', drive()
    writer = Writer(bag, version=9, storage_plugin=StoragePlugin.SQLITE3)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topics = {topic: writer.add_connection(topic, content.__msgtype__, typestore=TYPES)
                  for topic, _, content in said[:3]}
        for topic, t, content in said:
            writer.write(topics[topic], round((START_S + t) * 1e9),
                         TYPES.serialize_cdr(content, content.__msgtype__))
    _, (found,) = read([bag], tmp_path / 'data')
    assert (found.pictures, found.unreadable, found.steps) == (40, 0, 40)
