# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated robot, seen over ROS."""

import json
import time
from typing import Any

from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.publisher import Publisher
from ros_graph import Graph
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from sparse_imagination_ros.nodes.messages import picture_from, seconds
from sparse_imagination_ros.sim.layouts import draw_layout
from sparse_imagination_ros.sim.robots import robot

pytestmark = pytest.mark.ros


def speed(odometry: list[Odometry]) -> float:
    twist = odometry[-1].twist.twist
    return max(abs(twist.linear.x), abs(twist.linear.y), abs(twist.angular.z))


def stamps(messages: list[Any]) -> list[float]:
    return [seconds(message.header.stamp) for message in messages]


def reset(graph: Graph) -> dict[str, object]:
    answer = graph.ask(Trigger, 'sim_node/reset', Trigger.Request())
    assert answer.success, answer.message
    return json.loads(answer.message)


def test_pictures_and_odometry_come_at_their_rates_with_stamps_of_now(graph: Graph) -> None:
    images, odometry = graph.listen(Image, 'image'), graph.listen(Odometry, 'odom')
    graph.start('sim_node')
    graph.wait(lambda: len(images) > 20 and len(odometry) > 40, 'some messages')
    # Tests run beside other work: the middle of the periods says what was meant.
    assert np.median(np.diff(stamps(images))) == pytest.approx(0.1, abs=0.02)
    assert np.median(np.diff(stamps(odometry))) == pytest.approx(0.05, abs=0.01)
    assert {image.header.frame_id for image in images} == {'ceiling_camera_optical_frame'}
    assert (odometry[0].header.frame_id, odometry[0].child_frame_id) == ('odom', 'base_link')
    assert (np.diff(stamps(images)) > 0).all() and abs(stamps(images)[-1] - time.time()) < 1.0
    assert picture_from(images[-1]).shape == (224, 224, 3)


def test_a_reset_draws_the_world_of_its_seed(graph: Graph) -> None:
    goals = graph.listen(PoseStamped, 'goal_pose', latched=True)
    pictures = graph.listen(Image, 'goal_image', latched=True)
    graph.start('sim_node')
    graph.wait(lambda: goals and pictures, 'the first goal')
    assert all(result.successful for result in graph.change('sim_node', seed=7, split='training'))
    del goals[:], pictures[:]
    said = reset(graph)
    layout = draw_layout(7, 'training', robot('omnidirectional').radius_m, heading_free=False)
    assert (said['seed'], said['split']) == (7, 'training')
    assert said['start'] == list(layout.start) and said['goal'] == list(layout.goal)
    graph.wait(lambda: goals and pictures, 'the new goal')
    assert goals[-1].pose.position.x == layout.goal[0]
    assert goals[-1].header.stamp == pictures[-1].header.stamp
    reset(graph)
    graph.wait(lambda: len(pictures) == 2, 'the same goal again')
    np.testing.assert_array_equal(picture_from(pictures[0]), picture_from(pictures[1]))


def test_the_goal_reaches_those_who_come_late(graph: Graph) -> None:
    graph.start('sim_node')
    graph.wait(lambda: graph.status('sim_node'), 'a sign of life')
    goals = graph.listen(Image, 'goal_image', latched=True)
    graph.wait(lambda: goals, 'the goal picture')


def started(graph: Graph) -> tuple[list[Odometry], Publisher]:
    """Return what the robot says, and the publisher that it listens to."""
    odometry = graph.listen(Odometry, 'odom')
    graph.start('sim_node')
    publisher = graph.node.create_publisher(Twist, 'cmd_vel', 1)
    graph.wait(lambda: odometry and publisher.get_subscription_count(), 'the robot')
    return odometry, publisher


def test_the_robot_moves_when_told_and_rests_when_nobody_speaks(graph: Graph) -> None:
    odometry, publisher = started(graph)
    command = Twist()
    command.linear.x = 0.4
    timer = graph.node.create_timer(0.05, lambda: publisher.publish(command))
    graph.wait(lambda: speed(odometry) > 0.39, 'the robot to drive')
    graph.node.destroy_timer(timer)
    graph.wait(lambda: speed(odometry) == 0.0, 'the robot to rest', limit_s=5.0)


def test_a_command_that_is_not_finite_is_refused_and_survived(graph: Graph) -> None:
    odometry, publisher = started(graph)
    command = Twist()
    command.linear.x = float('nan')
    publisher.publish(command)
    graph.wait(lambda: 'not finite' in graph.log('sim_node'), 'a complaint')
    del odometry[:]
    graph.wait(lambda: odometry, 'odometry')
    assert speed(odometry) == 0.0 and 'Traceback' not in graph.log('sim_node')


def test_the_camera_can_be_switched_off(graph: Graph) -> None:
    images = graph.listen(Image, 'image')
    graph.start('sim_node')
    graph.wait(lambda: images, 'a picture')
    assert graph.change('sim_node', camera_enabled=False)[0].successful
    graph.wait_for_status('sim_node', 'camera is off')
    del images[:]
    graph.spin(0.5)
    assert not images
    assert graph.change('sim_node', camera_enabled=True)[0].successful
    graph.wait(lambda: images, 'a picture again')


def test_a_late_camera_keeps_the_stamp_of_the_exposure(graph: Graph) -> None:
    images = graph.listen(Image, 'image')
    graph.start('sim_node', camera_latency_s=0.4)
    graph.wait(lambda: images, 'a picture')
    assert time.time() - seconds(images[-1].header.stamp) > 0.35


def test_what_the_simulator_refuses_is_said_in_one_line(graph: Graph) -> None:
    graph.start('sim_node', robot='hovercraft')
    graph.wait(lambda: 'error: ' in graph.log('sim_node'), 'the reason')
    log = graph.log('sim_node').strip().splitlines()
    assert len(log) == 1 and "`robot` is 'hovercraft'; allowed: omnidirectional" in log[0]


def test_the_last_words_count_every_message_that_was_heard(graph: Graph) -> None:
    images, odometry = graph.listen(Image, 'image'), graph.listen(Odometry, 'odom')
    graph.start('sim_node')
    graph.wait(lambda: len(images) > 5, 'some pictures')
    graph.processes.end('sim_node', lambda: graph.spin(0.05))
    graph.spin(0.3)
    sent = graph.readings('sim_node')
    assert (int(sent['sent /image']), int(sent['sent /odom'])) == (len(images), len(odometry))
