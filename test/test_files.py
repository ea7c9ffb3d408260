# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is made from code is as the code makes it; and what is made is right."""

from itertools import pairwise
import json
from typing import Any

import pytest
import yaml

from sparse_imagination_ros.nodes.files import generated, PARAMETERS
from sparse_imagination_ros.share import share_path

pytestmark = pytest.mark.ros

SCHEMA: dict[str, Any] = json.loads(generated()['config/planner.schema.json'])
PROPERTIES = SCHEMA['properties']['/**']['properties']['ros__parameters']['properties']


@pytest.mark.parametrize('path', generated())
def test_a_file_is_as_the_code_makes_it(path: str) -> None:
    written = (share_path('package.xml').parent / path).read_text(encoding='utf-8')
    assert written == generated()[path], 'run: python -m sparse_imagination_ros.nodes.files'


def test_the_schema_the_file_and_the_page_know_the_same_parameters() -> None:
    held = yaml.safe_load(generated()['config/planner.yaml'])['/**']['ros__parameters']
    assert list(held) == list(PROPERTIES)
    page = generated()['docs/parameters.md']
    assert all(f'| `{name}` |' in page for name in held)


def test_the_file_that_ships_is_within_the_schema() -> None:
    kinds = {'boolean': bool, 'integer': int, 'number': (int, float), 'string': str, 'array': list}
    held = yaml.safe_load(generated()['config/planner.yaml'])['/**']['ros__parameters']
    for name, value in held.items():
        described = PROPERTIES[name]
        assert isinstance(value, kinds[described['type']]), name
        assert value in described.get('enum', [value]), name
        if 'minimum' in described or 'maximum' in described:
            assert described.get('minimum', value) <= value <= described.get('maximum', value)


def test_the_schema_says_type_range_and_choices() -> None:
    assert PROPERTIES['tokens'] == {
        'description': PROPERTIES['tokens']['description'], 'type': 'integer', 'minimum': 1,
        'maximum': 4096, 'default': 8}
    assert PROPERTIES['optimiser']['enum'] == ['mppi', 'cem']
    assert PROPERTIES['goals'] == {
        'description': PROPERTIES['goals']['description'], 'type': 'array',
        'items': {'type': 'string'}}
    assert 'maximum' not in PROPERTIES['growth'], 'JSON has no infinity'


@pytest.mark.parametrize('name', PARAMETERS)
def test_what_is_explained_stands_above_each_parameter(name: str) -> None:
    lines = generated()[f'config/{name}.yaml'].splitlines()
    for above, line in pairwise(lines):
        if line.startswith('    ') and ': ' in line and not line.lstrip().startswith('#'):
            assert above.lstrip().startswith('# '), line
