# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shared files are found in every way of installing, and missing ones are named."""

from pathlib import Path

import pytest

from sparse_imagination_ros.errors import SparseImaginationError
from sparse_imagination_ros.share import PACKAGE, share_folder, share_path


def make_share(prefix: Path) -> Path:
    share = prefix / 'share' / PACKAGE
    share.mkdir(parents=True)
    (share / 'package.xml').write_text('<package/>')
    return share


def code_in(folder: Path) -> Path:
    return folder / PACKAGE / 'share.py'


def test_this_installation_shares_config_launch_and_models() -> None:
    for folder in ('config', 'launch', 'models'):
        assert share_path(folder).is_dir()
    assert share_path().joinpath('package.xml').is_file()


def test_a_source_tree_uses_its_own_files_whatever_is_installed(tmp_path: Path) -> None:
    make_share(tmp_path / 'installed')
    (tmp_path / 'package.xml').write_text('<package/>')
    assert share_folder(code_in(tmp_path), str(tmp_path / 'installed')) == tmp_path


@pytest.mark.parametrize(
    'library',
    [
        'lib/python3.12/site-packages',  # a virtual environment, colcon, /opt/ros
        'local/lib/python3.10/dist-packages',  # colcon on Ubuntu 22.04
        'lib/python3/dist-packages',  # a Debian package
        '.',  # pip install --target
    ],
)
def test_code_under_a_prefix_uses_the_files_of_that_prefix(tmp_path: Path, library: str) -> None:
    other = make_share(tmp_path / 'other').parent.parent
    share = make_share(tmp_path / 'prefix')
    code = code_in(tmp_path / 'prefix' / library)
    assert share_folder(code, str(other)) == share


def test_code_outside_every_prefix_uses_the_ament_index(tmp_path: Path) -> None:
    share = make_share(tmp_path / 'second')
    index = f'{tmp_path / "first"}:{tmp_path / "second"}'
    assert share_folder(code_in(tmp_path / 'somewhere'), index) == share


def test_a_missing_share_folder_names_the_places_and_the_remedy(tmp_path: Path) -> None:
    code = code_in(tmp_path / 'lib')
    with pytest.raises(SparseImaginationError) as error:
        share_folder(code, '/nowhere')
    for part in (str(code.parent), '/nowhere', 'docs/install.md'):
        assert part in str(error.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SparseImaginationError, match='models/no_such_bundle: not found'):
        share_path('models', 'no_such_bundle')
