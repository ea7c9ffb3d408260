# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The bag of a demonstration: what is there is replaced only if it is a bag."""

from pathlib import Path
import resource

import pytest

from sparse_imagination_ros.bags.recording import Bag
from sparse_imagination_ros.errors import DataError


def test_a_bag_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        Bag(tmp_path / 'bag').close()
    assert (tmp_path / 'bag' / 'metadata.yaml').exists()


def test_a_bag_whose_writer_was_killed_is_replaced(tmp_path: Path) -> None:
    bag = tmp_path / 'bag'
    Bag(bag).close()
    (bag / 'metadata.yaml').unlink()
    Bag(bag).close()
    assert (bag / 'metadata.yaml').exists()


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    thesis = tmp_path / 'bag' / 'thesis.tex'
    thesis.parent.mkdir()
    thesis.write_text('years of work')
    with pytest.raises(DataError, match='name another folder, or remove it'):
        Bag(thesis.parent)
    assert thesis.read_text() == 'years of work'


def test_a_full_disk_is_named_and_what_was_recorded_stays(tmp_path: Path) -> None:
    bag = Bag(tmp_path / 'bag', compressed=False)
    bag.add_topic('/said', 'std_msgs/msg/String')
    text = bag.make('std_msgs/msg/String', data='x' * 100_000)
    bag.write_message('/said', 1, text)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(DataError, match=r'cannot be written any more .* make room'):
            for number in range(100):
                bag.write_message('/said', number, text)
            bag.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert next((tmp_path / 'bag').glob('*.mcap')).stat().st_size > 100_000
