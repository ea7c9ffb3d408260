# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A layout for Foxglove, or another viewer that reads its files, as what the JSON file holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sparse_imagination_ros.views.shown import (
    BASE_FRAME,
    FUTURE,
    GOAL,
    LINES,
    PATHS,
    PLANNER,
    PLOTS,
    Shown,
    TOKENS,
)


@dataclass(frozen=True)
class Panel:
    """One panel; its name is its type, and what tells it from others of the type."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Split:
    """Two parts beside or above each other; share: what the first has, in percent."""

    direction: str
    first: 'Panel | Split'
    second: 'Panel | Split'
    share: int = 50


def picture(shown: Shown) -> Panel:
    """Return a panel with a picture."""
    return Panel(f'Image!{_last(shown)}', {
        'foxglovePanelTitle': shown.title, 'imageMode': {'imageTopic': _absolute(shown)}})


def plot(title: str, shown: Sequence[Shown]) -> Panel:
    """Return a panel with curves."""
    return Panel(f'Plot!{_last(shown[0])}', {
        'foxglovePanelTitle': title, 'showLegend': True, 'legendDisplay': 'floating',
        'isSynced': True, 'xAxisVal': 'timestamp', 'followingViewWidth': 30,
        'paths': [{'value': f'{_absolute(one)}.data', 'label': _last(one), 'enabled': True,
                   'timestampMethod': 'receiveTime'} for one in shown]})


def scene(shown: Sequence[Shown]) -> Panel:
    """Return a panel with lines in space, seen from above."""
    return Panel('3D!plan', {
        'foxglovePanelTitle': 'Candidates and plan', 'followTf': BASE_FRAME,
        'followMode': 'follow-pose',
        'cameraState': {'perspective': False, 'distance': 5, 'phi': 0, 'thetaOffset': 90,
                        'target': [0, 0, 0], 'targetOffset': [0, 0, 0], 'fovy': 45},
        'topics': {_absolute(one): {'visible': True} for one in shown}})


def foxglove_layout() -> dict[str, Any]:
    """Return the layout: what is seen and imagined above, time and effort below."""
    times = plot('Milliseconds', [
        PLOTS[name] for name in ('cycle_ms', 'budget_ms', 'encode_ms', 'imagine_ms', 'wait_ms',
                                 'stamp_to_command_ms')])
    effort = plot('Effort', [
        PLOTS[name] for name in ('tokens_used', 'imagined', 'effective_samples')])
    distance = plot('Distance to the goal', [PLOTS['goal_distance'], PLOTS['cost']])
    state = Panel('DiagnosticSummary!all', {
        'topicToRender': '/diagnostics', 'minLevel': 0, 'pinnedIds': [], 'hardwareIdFilter': '',
        'sortByLevel': True})
    above = Split('row', picture(TOKENS), Split(
        'row', Split('column', picture(GOAL), picture(FUTURE)), scene((*LINES, *PATHS)), 40), 40)
    below = Split('row', Split('row', times, effort), Split('row', distance, state))
    root = Split('column', above, below, 62)
    return {
        'configById': {panel.name: panel.settings for panel in panels(root)},
        'globalVariables': {}, 'userNodes': {}, 'playbackConfig': {'speed': 1},
        'layout': _mosaic(root)}


def panels(part: Panel | Split) -> list[Panel]:
    """Return all panels of a part."""
    if isinstance(part, Panel):
        return [part]
    return [*panels(part.first), *panels(part.second)]


def _mosaic(part: Panel | Split) -> Any:
    if isinstance(part, Panel):
        return part.name
    return {'direction': part.direction, 'first': _mosaic(part.first),
            'second': _mosaic(part.second), 'splitPercentage': part.share}


def _absolute(shown: Shown) -> str:
    return f'/{shown.topic}'


def _last(shown: Shown) -> str:
    return shown.topic.removeprefix(f'{PLANNER}/debug/')
