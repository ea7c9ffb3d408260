# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The bag of a demonstration: what is there is replaced only if it is a bag."""

from pathlib import Path

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
