# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Goals survive being files, and what is no goal is named."""

from pathlib import Path

from bag_maker import compressed, drive, image, write_bag
import numpy as np
import pytest

from sparse_imagination_ros.bags.goals import read_goals, write_goal
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.planning.route import Goal

SENSES = ('pose.pose.position.x', 'pose.pose.position.y')


def a_goal(name: str, sensed: np.ndarray | None = None) -> Goal:
    rng = np.random.default_rng(len(name))
    return Goal(rng.integers(0, 256, (12, 16, 3), np.uint8), sensed, name)


def test_a_goal_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    goal = a_goal('door', np.array([0.5, -2.0], np.float32))
    path = write_goal(tmp_path / 'new' / 'goals', goal)
    again, = read_goals([str(path)], SENSES)
    assert np.array_equal(again.picture, goal.picture) and again.name == 'door'
    assert again.sensed is not None and again.sensed.tolist() == [0.5, -2.0]
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ['door.png', 'door.yaml'], 'and nothing unfinished is left'


def test_a_folder_is_a_route_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ('2_dock', '1_door'):
        write_goal(tmp_path, a_goal(name))
    assert [goal.name for goal in read_goals([str(tmp_path), ''], ())] == ['1_door', '2_dock']


@pytest.mark.parametrize('kind', [image, compressed])
def test_a_bag_and_a_time_are_a_goal(tmp_path: Path, kind: object) -> None:
    bag = write_bag(tmp_path / 'monday', drive(picture_message=kind))
    goal, = read_goals([f'{bag}@1.5'], ())
    # The picture that was recorded 1.5 s after the first message, which is that of time 0.
    assert goal.picture[0, 0].tolist() == [15, 240, 7] and goal.name == 'monday@1.5'


def test_a_folder_with_an_at_in_its_name_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / 'goals@home'
    write_goal(folder, a_goal('door'))
    assert [goal.name for goal in read_goals([str(folder)], ())] == ['door']


def empty(folder: Path) -> str:
    return str(folder)


def missing(folder: Path) -> str:
    return str(folder / 'nothing.png')


def broken(folder: Path) -> str:
    (folder / 'bad.png').write_bytes(b'no picture')
    return str(folder / 'bad.png')


def beyond(folder: Path) -> str:
    return f'{write_bag(folder / "bag", drive())}@99'


def no_time(folder: Path) -> str:
    return f'{folder / "bag"}@soon'


@pytest.mark.parametrize(('make', 'words'), [
    (empty, 'the folder holds no picture'), (missing, 'cannot be read (No such file'),
    (broken, 'bad.png: compressed image (.png) cannot be decoded'),
    (beyond, 'no picture within 0.5 s of it; the bag takes 3.9 s'),
    (no_time, 'neither a file nor BAG@SECONDS')])
def test_what_is_no_goal_is_named(tmp_path: Path, make: object, words: str) -> None:
    word = make(tmp_path)
    with pytest.raises(DataError) as raised:
        read_goals([word], ())
    assert words in str(raised.value)


def test_a_bundle_that_takes_senses_needs_them_beside_the_picture(tmp_path: Path) -> None:
    path = write_goal(tmp_path, a_goal('door', np.array([0.5], np.float32)))
    with pytest.raises(DataError, match=r'door.yaml: `sensed` is \[0.5\]; the bundle takes pose'):
        read_goals([str(path)], SENSES)
    bag = write_bag(tmp_path / 'bag', drive())
    with pytest.raises(DataError, match='goals from bags do not have'):
        read_goals([f'{bag}@1'], SENSES)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(DataError, match='choose another goal_folder'):
        write_goal(tmp_path / 'file', a_goal('door'))
