# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A camera that sends pictures much faster than anybody can look at them, until it is killed.

    python -m sparse_imagination_ros.nodes.faults.flooding RATE_HZ PICTURE.npy
"""

import sys
import time

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image

from sparse_imagination_ros.nodes.messages import image_from
from sparse_imagination_ros.nodes.publishing import NEWEST


def main() -> None:
    """Send."""
    period_s, picture = 1 / float(sys.argv[1]), np.load(sys.argv[2])
    rclpy.init()
    node = Node('flooding_camera')
    publisher = node.create_publisher(Image, 'image', NEWEST)
    message = image_from(picture, node.get_clock().now().to_msg(), 'camera')
    due_s, flips = time.monotonic(), 0
    while rclpy.ok():
        message.header.stamp = node.get_clock().now().to_msg()
        # No real camera shows the same twice.
        flips ^= 1
        message.data[0] = int(picture.flat[0]) ^ flips
        publisher.publish(message)
        due_s = max(due_s + period_s, time.monotonic() - period_s)
        time.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == '__main__':
    main()
