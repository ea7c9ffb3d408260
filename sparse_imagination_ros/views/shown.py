# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics people look at, and as what: for RViz, Foxglove, the tests and the docs."""

from dataclasses import dataclass
from enum import Enum

from sparse_imagination_ros.views.plottable import NUMBERS

PLANNER = 'planner_node'
BASE_FRAME = 'base_link'


class Kind(Enum):
    """What is on a topic; the value is how RViz calls what shows it."""

    PICTURE = 'Image'
    LINES = 'MarkerArray'
    PATH = 'Path'
    NUMBER = ''


@dataclass(frozen=True)
class Shown:
    """A topic, relative to the namespace of the planner; best_effort: whether it may be lost."""

    topic: str
    title: str
    kind: Kind
    best_effort: bool = False


def _debug(name: str) -> str:
    return f'{PLANNER}/debug/{name}'


TOKENS = Shown(_debug('tokens'), 'Tokens', Kind.PICTURE)
FUTURE = Shown(_debug('future'), 'Imagined future', Kind.PICTURE)
GOAL = Shown(_debug('goal'), 'Goal', Kind.PICTURE)
PICTURES = (TOKENS, FUTURE, GOAL)
LINES = (Shown(_debug('candidates'), 'Candidates', Kind.LINES),)
PATHS = (Shown(_debug('plan'), 'Plan', Kind.PATH),)
PLOTS = {name: Shown(_debug(name), meaning, Kind.NUMBER) for name, meaning in NUMBERS.items()}
ALL = (*PICTURES, *LINES, *PATHS, *PLOTS.values())
