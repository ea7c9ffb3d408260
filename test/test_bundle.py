# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle comes back as it was saved, or says what is wrong with it."""

from pathlib import Path
import shutil

import pytest
import torch
import yaml

from sparse_imagination_ros.errors import BundleError
from sparse_imagination_ros.world_models.bundle import Bundle


@pytest.fixture
def folder(untrained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained, tmp_path / 'bundle'))


def edit(folder: Path, change) -> None:
    path = folder / 'manifest.yaml'
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))


def test_it_comes_back_as_it_was_saved(folder, tmp_path):
    bundle = Bundle.load(folder)
    bundle.save(tmp_path / 'again')
    again = Bundle.load(tmp_path / 'again')
    assert again.manifest == bundle.manifest
    for name, value in bundle.predictor.state_dict().items():
        assert torch.equal(again.predictor.state_dict()[name], value)
    picture = torch.randint(256, (1, 32, 32, 3), dtype=torch.uint8)
    assert torch.equal(again.encoder(picture), bundle.encoder(picture))


def test_one_of_before_there_were_families_is_ours(folder):
    manifest = Bundle.load(folder).manifest
    edit(folder, lambda v: [v.pop(name) for name in ('family', 'frameskip', 'senses')])
    assert Bundle.load(folder).manifest == manifest


def test_a_missing_folder_is_named_with_the_way_to_make_one(tmp_path):
    with pytest.raises(BundleError, match=r'nowhere.*sparse-imagination train'):
        Bundle.load(tmp_path / 'nowhere')


def test_a_damaged_weight_file_is_noticed(folder):
    path = folder / 'predictor.safetensors'
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r'predictor.safetensors is damaged.*checksum'):
        Bundle.load(folder)


def test_a_missing_weight_file_is_named(folder):
    (folder / 'encoder.safetensors').unlink()
    with pytest.raises(BundleError, match=r'encoder.safetensors is not there'):
        Bundle.load(folder)


@pytest.mark.parametrize('change, message', [
    (lambda v: v.update(format=99), 'format'),
    (lambda v: v.update(color='red'), 'unknown setting .color.'),
    (lambda v: v.pop('robot'), '.robot. is missing'),
    (lambda v: v['encoder'].update(grid='many'), 'grid.*expected a int'),
    (lambda v: v['encoder'].update(width=64), 'tokens 64 wide.*takes 32'),
    (lambda v: v['actions'].update(high=[1.0]), 'differ in length'),
    (lambda v: v['actions'].update(high=['far', 1.0]), 'high.*expected a list of float'),
    (lambda v: v.update(picture_size=[224]), 'picture_size.*list of int of length 2'),
    (lambda v: v.update(family='dreamer'), '`family` is .dreamer.; .*reads sparse, official'),
    (lambda v: v.update(frameskip=3), 'takes 2 numbers in a model step, not 2 .* frameskip 3'),
    (lambda v: v['predictor'].update(depth=2), 'does not fit'),
])
def test_a_manifest_that_does_not_fit_says_where(folder, change, message):
    edit(folder, change)
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


def test_a_manifest_that_is_not_yaml_is_called_damaged(folder):
    (folder / 'manifest.yaml').write_text('{')
    with pytest.raises(BundleError, match=r'damaged'):
        Bundle.load(folder)
