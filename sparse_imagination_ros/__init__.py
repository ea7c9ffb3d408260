# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Plan from a camera, in real time, with a sparse visual world model.

What is named here is the interface for use without ROS; docs/python.md shows it. Each name is
imported when it is first used: importing the package imports neither torch nor ROS.
"""

from importlib import import_module
import os
from typing import Any

# A few bytes may claim to be a picture that takes all memory. OpenCV reads this at its import.
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(2**26))

_HOMES = {
    'Bundle': 'world_models.bundle',
    'CommandHistory': 'planning.plan',
    'Context': 'imagination.reference',
    'Frame': 'tokens.frames',
    'Plan': 'planning.plan',
    'Planner': 'planning.planner',
    'PlannerConfig': 'planning.planner',
    'SparseImaginationError': 'errors',
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)
