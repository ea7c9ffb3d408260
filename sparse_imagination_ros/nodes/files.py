# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The files that follow from code, so that both tell the same: parameters, schemas, layouts.

`python -m sparse_imagination_ros.nodes.files` writes them into the source tree; a test compares.
"""

from collections.abc import Sequence
import json
from pathlib import Path

import yaml

from sparse_imagination_ros.nodes import bag_node, cameras_node, settings, sim_node
from sparse_imagination_ros.nodes.parameters import Group
from sparse_imagination_ros.settings_files import Declared, parameter_file, schema, table
from sparse_imagination_ros.share import share_path
from sparse_imagination_ros.views.foxglove import foxglove_layout
from sparse_imagination_ros.views.rviz import rviz_config

# file -> the first lines of it, and the parameters that it holds
PARAMETERS: dict[str, tuple[tuple[str, ...], Sequence[Group]]] = {
    'planner': (
        ('Parameters of planner_node, with their meaning and allowed range: docs/parameters.md.',
         'Which may change while it is active is said there; the rest is read when it is '
         'configured.'), settings.GROUPS),
    'sim': (
        ('Parameters of sim_node, with their meaning and allowed range.',
         'seed and split act at the next ~/reset, camera_enabled at once; the rest is read at the '
         'start.'), sim_node.GROUPS),
    'cameras': (
        ('Parameters of cameras_node, which joins several cameras, with their meaning and allowed '
         'range.',), cameras_node.GROUPS),
    'replay': (
        ('Parameters of bag_node, which plays a bag to the planner, with their meaning and '
         'allowed range.',), bag_node.GROUPS)}

PARAMETERS_PAGE = """# Which parameters does the planner have?

Names that Nav2 has for the same thing are Nav2's. What is `live` may change while the node is
active, and acts between two cycles; the rest is read when the node is configured. A value that
cannot be is refused with the reason. The [schema](../config/planner.schema.json) checks a
parameter file in an editor.

This page is made from the code: `python -m sparse_imagination_ros.nodes.files`.

"""
PAGE_PARTS = (
    'Around the planner', 'What of the picture is looked at', 'Which pictures are not believed',
    'How fast the robot may be', 'When a goal is reached', 'How it plans',
    'What it takes from the machine')


def generated() -> dict[str, str]:
    """Return what each file holds, by its path in the source tree."""
    contents = {
        f'config/{name}.yaml': parameter_file(header, _declared(groups))
        for name, (header, groups) in PARAMETERS.items()}
    contents['config/planner.schema.json'] = _json(
        schema('Parameters of planner_node', _declared(settings.GROUPS)))
    contents['docs/parameters.md'] = PARAMETERS_PAGE + '\n'.join(
        f'## {title}\n\n{table(_declared([group]))}'
        for title, group in zip(PAGE_PARTS, settings.GROUPS, strict=True))
    contents['config/planner.rviz'] = yaml.safe_dump(rviz_config(), sort_keys=False)
    contents['config/foxglove_layout.json'] = _json(foxglove_layout())
    return contents


def _declared(groups: Sequence[Group]) -> Declared:
    return [(group.prefix, group.kind) for group in groups]


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + '\n'


def main() -> None:
    """Write all of them."""
    root: Path = share_path('package.xml').parent
    for path, content in generated().items():
        (root / path).write_text(content, encoding='utf-8')
        print(root / path)


if __name__ == '__main__':
    main()
