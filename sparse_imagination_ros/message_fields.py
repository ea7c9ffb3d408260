# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers inside messages of any type, live or from a bag, by paths such as `twist.linear.x`."""

import math
from typing import Any


def number_at(message: Any, path: str) -> float:
    """
    Return a number of a message, by a path such as `position.0`, or `orientation.yaw`.

    Raises ValueError if there is none.
    """
    value = message
    try:
        for part in path.split('.'):
            if part == 'yaw':
                value = _yaw(value)
            else:
                value = value[int(part)] if part.isdigit() else getattr(value, part)
        return float(value)
    except (AttributeError, IndexError, TypeError, ValueError):
        raise ValueError(path) from None


def _yaw(q: Any) -> float:
    return math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
