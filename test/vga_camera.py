# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that publishes so many raw pictures of 640 x 480, best effort, and then ends."""

from array import array
import sys
import time

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

WIDTH, HEIGHT, PERIOD_S = 640, 480, 0.05


def main() -> None:
    rclpy.init()
    node = Node('camera')
    publisher = node.create_publisher(
        Image, 'image', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    message = Image(height=HEIGHT, width=WIDTH, step=3 * WIDTH, encoding='rgb8')
    message.data = array('B', bytes(3 * WIDTH * HEIGHT))
    while not publisher.get_subscription_count():
        time.sleep(0.05)
    # Each side must have found the other.
    time.sleep(1.0)
    for _ in range(int(sys.argv[1])):
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        time.sleep(PERIOD_S)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
