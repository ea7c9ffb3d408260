# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrays survive being messages."""

from array import array

from geometry_msgs.msg import Twist
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from sparse_imagination_ros.errors import BundleError, FrameError
from sparse_imagination_ros.nodes.messages import (
    check_action_names,
    frame_from,
    image_from,
    picture_from,
    pose_from,
    readings,
    seconds,
    stamp_from,
    status_from,
    twist_from,
    values_from,
)

pytestmark = pytest.mark.ros


def some_picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def test_a_picture_comes_back_from_the_wire_as_it_was() -> None:
    picture, stamp = some_picture(), stamp_from(1_700_000_000_123_456_789)
    sent = image_from(picture, stamp, 'camera')
    frame = frame_from(deserialize_message(serialize_message(sent), Image))
    np.testing.assert_array_equal(frame.rgb, picture)
    assert frame.stamp_s == pytest.approx(1_700_000_000.123456789, abs=1e-6)
    assert sent.header.frame_id == 'camera' and sent.step == 48


def test_a_picture_that_is_a_view_is_sent_whole() -> None:
    picture = some_picture()[::2, ::-1]
    sent = image_from(picture, stamp_from(0), '')
    np.testing.assert_array_equal(picture_from(sent), picture)


def test_an_rgb_image_is_read_without_a_copy() -> None:
    message = image_from(some_picture(), stamp_from(0), '')
    picture = picture_from(message)
    message.data[0] = 255 - message.data[0]
    assert picture[0, 0, 0] == message.data[0]


def test_rows_may_be_padded() -> None:
    picture = some_picture()
    padded = np.zeros((12, 64), np.uint8)
    padded[:, :48] = picture.reshape(12, 48)
    message = Image(height=12, width=16, step=64, encoding='rgb8')
    message.data = array('B', padded.tobytes())
    np.testing.assert_array_equal(picture_from(message), picture)


def test_an_unknown_encoding_is_refused_by_name() -> None:
    message = image_from(some_picture(), stamp_from(0), '')
    message.encoding = 'yuv_exotic'
    with pytest.raises(FrameError, match=r'yuv_exotic.*rgb8'):
        picture_from(message)


def test_actions_go_where_their_names_say() -> None:
    names = ('linear.x', 'angular.z')
    twist = twist_from(np.array([0.25, -1.5], np.float32), names)
    assert (twist.linear.x, twist.linear.y, twist.angular.z) == (0.25, 0.0, -1.5)
    np.testing.assert_array_equal(values_from(twist, names), [0.25, -1.5])


def test_a_message_that_was_made_here_passes_the_checks_of_ros() -> None:
    for message in (twist_from(np.ones(1, np.float32), ('linear.y',)), pose_from(1, 2, 3),
                    status_from('n', b'\x00', 'm', {'a': 1})):
        kind = type(message)
        assert deserialize_message(serialize_message(message), kind) == message
    assert isinstance(Twist().linear.x, float)


def test_an_action_that_no_twist_has_is_refused() -> None:
    with pytest.raises(BundleError, match=r'models/odd.*`gripper`.*linear.x'):
        check_action_names(('linear.x', 'gripper'), 'models/odd')


def test_a_stamp_is_split_into_seconds_and_nanoseconds() -> None:
    stamp = stamp_from(2_000_000_001)
    assert (stamp.sec, stamp.nanosec) == (2, 1)
    assert seconds(stamp) == pytest.approx(2.000000001, abs=1e-9)


def test_values_of_a_status_keep_all_their_digits() -> None:
    status = status_from('node: task', b'\x01', 'text', {'number': 0.1 + 0.2}, 'robot')
    assert float(readings(status)['number']) == 0.1 + 0.2
    assert (status.name, status.hardware_id, status.message) == ('node: task', 'robot', 'text')


def test_a_heading_becomes_a_rotation_about_the_vertical() -> None:
    pose = pose_from(1.0, 2.0, np.pi / 2)
    assert (pose.position.x, pose.position.y, pose.position.z) == (1.0, 2.0, 0.0)
    assert pose.orientation.z == pytest.approx(pose.orientation.w) == pytest.approx(0.5**0.5)
