# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras become one picture, and one that fails is named."""

import numpy as np
import pytest
from rclpy.publisher import Publisher
from ros_graph import Graph
from sensor_msgs.msg import Image

from sparse_imagination_ros.nodes.messages import image_from, picture_from, stamp_at

pytestmark = pytest.mark.ros

LEFT = np.full((4, 6, 3), 10, np.uint8)
# Twice as high: it is scaled.
RIGHT = np.full((8, 4, 3), 200, np.uint8)


def test_pictures_stand_side_by_side_with_the_stamp_of_the_first(graph: Graph) -> None:
    seen, left, right = started(graph)
    right.publish(image_from(RIGHT, stamp_at(9.95), 'right'))
    graph.wait(lambda: publish(left, LEFT, 10.0) and seen, 'a joined picture')
    joined = seen[0]
    assert (joined.header.stamp, joined.header.frame_id) == (stamp_at(10.0), 'left')
    assert np.array_equal(
        picture_from(joined), np.concatenate([LEFT, RIGHT[:4, :2]], 1))


def test_nothing_is_joined_with_an_old_picture_and_the_camera_is_named(graph: Graph) -> None:
    seen, left, right = started(graph)
    right.publish(image_from(RIGHT, stamp_at(9.5), 'right'))
    graph.wait(
        lambda: publish(left, LEFT, 10.0)
        and '/right/image_raw: its newest picture is 0.50 s older' in said(graph),
        'what is wrong')
    assert not seen
    graph.wait(lambda: publish(right, RIGHT, 10.0) and publish(left, LEFT, 10.0) and seen,
               'a joined picture')


def test_one_camera_is_not_enough(graph: Graph) -> None:
    graph.start('cameras_node', images=['left/image_raw'])
    graph.wait(lambda: 'name two cameras or more' in graph.log('cameras_node'), 'the reason')


def started(graph: Graph) -> tuple[list[Image], Publisher, Publisher]:
    """Return what is joined, and what the two cameras publish with."""
    seen = graph.listen(Image, 'image')
    left, right = (graph.node.create_publisher(Image, f'{side}/image_raw', 1)
                   for side in ('left', 'right'))
    graph.start('cameras_node', images=['left/image_raw', 'right/image_raw'])
    graph.wait(lambda: all(p.get_subscription_count() for p in (left, right)), 'the node')
    # We found it; it may need a moment more to find us.
    graph.spin(0.5)
    return seen, left, right


def said(graph: Graph) -> str:
    status = graph.status('cameras_node')
    return status.message if status else ''


def publish(publisher: Publisher, picture: np.ndarray, stamp_s: float) -> bool:
    publisher.publish(image_from(picture, stamp_at(stamp_s), publisher.topic_name.split('/')[1]))
    return True
