# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What RViz shows, as the content of a .rviz file. Which topics there are is said in shown.py."""

from typing import Any

from sparse_imagination_ros.views.shown import BASE_FRAME, Kind, LINES, PATHS, PICTURES, Shown

# The file may also be opened by hand, so that all that RViz asks for is said.
WIDTH, HEIGHT, SIDE = 1500, 950, 520
GREEN = '90; 220; 130'


def rviz_config() -> dict[str, Any]:
    """Return the content; topics are relative, so that RViz is started in the planner's space."""
    pictures = [_picture(one) for one in PICTURES]
    displays = [_grid(), *map(_lines, LINES), *map(_path, PATHS), *pictures]
    return {
        'Panels': [{'Class': 'rviz_common/Displays', 'Name': 'Displays', 'Splitter Ratio': 0.5}],
        'Visualization Manager': {
            'Class': '', 'Displays': displays, 'Enabled': True,
            'Global Options': {
                'Background Color': '38; 38; 42', 'Fixed Frame': BASE_FRAME, 'Frame Rate': 30},
            'Name': 'root',
            'Tools': [{'Class': 'rviz_default_plugins/MoveCamera'},
                      {'Class': 'rviz_default_plugins/Measure'}],
            'Transformation': {'Current': {'Class': 'rviz_default_plugins/TF'}},
            'Value': True,
            'Views': {'Current': _view(), 'Saved': []}},
        'Window Geometry': {
            'Displays': {'collapsed': False}, 'Height': HEIGHT, 'Width': WIDTH,
            **{one.title: {'collapsed': False} for one in PICTURES}}}


def _topic(shown: Shown) -> dict[str, Any]:
    return {
        'Depth': 1, 'Durability Policy': 'Volatile', 'History Policy': 'Keep Last',
        'Reliability Policy': 'Best Effort' if shown.best_effort else 'Reliable',
        'Value': shown.topic}


def _display(shown: Shown, plugin: str) -> dict[str, Any]:
    return {'Class': f'rviz_default_plugins/{plugin}', 'Enabled': True, 'Name': shown.title,
            'Topic': _topic(shown), 'Value': True}


def _picture(shown: Shown) -> dict[str, Any]:
    return {**_display(shown, Kind.PICTURE.value), 'Max Value': 1, 'Median window': 5,
            'Min Value': 0, 'Normalize Range': False}


def _lines(shown: Shown) -> dict[str, Any]:
    return {**_display(shown, Kind.LINES.value), 'Namespaces': {}}


def _path(shown: Shown) -> dict[str, Any]:
    return {**_display(shown, Kind.PATH.value), 'Alpha': 1, 'Buffer Length': 1, 'Color': GREEN,
            'Line Style': 'Billboards', 'Line Width': 0.02, 'Pose Style': 'None',
            'Offset': {'X': 0, 'Y': 0, 'Z': 0.02}}


def _grid() -> dict[str, Any]:
    return {'Alpha': 0.4, 'Cell Size': 0.5, 'Class': 'rviz_default_plugins/Grid',
            'Color': '160; 160; 164', 'Enabled': True, 'Name': 'Grid, 0.5 m', 'Plane': 'XY',
            'Plane Cell Count': 12, 'Reference Frame': '<Fixed Frame>', 'Value': True}


def _view() -> dict[str, Any]:
    return {'Angle': 0, 'Class': 'rviz_default_plugins/TopDownOrtho', 'Name': 'Current View',
            'Near Clip Distance': 0.01, 'Scale': 220, 'Target Frame': '<Fixed Frame>',
            'Value': 'TopDownOrtho (rviz_default_plugins)', 'X': 0, 'Y': 0}
