# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
cv_bridge, where it is installed and works, for encodings that are not read here.

What is read here is read by the same code in bags, so that a robot sees what was trained on.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from sensor_msgs.msg import Image

from sparse_imagination_ros.errors import FrameError
from sparse_imagination_ros.tokens.frames import Picture


@lru_cache
def working_bridge() -> Callable[[Image], Picture] | None:
    """Return what reads an image as RGB [H, W, 3], or None if cv_bridge is of no use here."""
    try:
        from cv_bridge import CvBridge

        convert = CvBridge().imgmsg_to_cv2
        # It is built against one numpy, and fails with another when it is used.
        convert(Image(height=1, width=1, step=3, encoding='bgr8', data=bytes(3)), 'rgb8')
    except Exception:
        return None

    def read(message: Image) -> Picture:
        try:
            return np.asarray(convert(message, 'rgb8'), np.uint8)
        except Exception as error:
            raise FrameError(
                f'image encoding `{message.encoding}` cannot be read ({error})') from error
    return read
