# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The planner's node as robots are wired: encodings, kinds of commands, services, live changes."""

from array import array
from collections.abc import Iterator
from dataclasses import fields, replace
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Path as PathMessage
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_graph import Graph, own_graph
from sensor_msgs.msg import CompressedImage, Image
from stage import Stage
from std_msgs.msg import Bool, Float64, Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker, MarkerArray
import yaml

from sparse_imagination_ros.graph import NodeSpec, profile_environment
from sparse_imagination_ros.nodes.files import generated
from sparse_imagination_ros.nodes.messages import picture_from, readings, seconds
from sparse_imagination_ros.nodes.settings import GROUPS
from sparse_imagination_ros.share import share_path
from sparse_imagination_ros.tokens.frames import ENCODINGS
from sparse_imagination_ros.views.shown import ALL, Kind, PICTURES
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.decoder import Decoder, DecoderShape

pytestmark = pytest.mark.ros

NODE = 'planner_node'
DECLARED = {
    group.prefix + field.name: field for group in GROUPS for field in fields(group.kind)}


def trigger(stage: Stage, name: str) -> Any:
    return stage.graph.ask(Trigger, f'{NODE}/{name}', Trigger.Request())


def enable(stage: Stage, wanted: bool) -> Any:
    return stage.graph.ask(SetBool, f'{NODE}/enable', SetBool.Request(data=wanted))


def started(stage: Stage, bundle: Path, **parameters: Any) -> Stage:
    stage.show_goal()
    stage.graph.start(
        NODE, bundle=str(bundle), tokens=6, autostart=True, camera_freeze_s=0.0, **parameters)
    return stage


@pytest.fixture
def stage(graph: Graph) -> Stage:
    return Stage(graph)


@pytest.fixture(scope='module')
def with_decoder(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose imagination can be painted, though not well."""
    bundle = Bundle.load(untrained)
    shape = DecoderShape(bundle.manifest.encoder.width, bundle.manifest.encoder.grid)
    folder = tmp_path_factory.mktemp('painted') / 'untrained'
    replace(bundle, decoder=Decoder(shape),
            manifest=replace(bundle.manifest, decoder=shape)).save(folder)
    return folder


@pytest.fixture(scope='module')
def driven(with_decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp('robot')
    with own_graph(folder) as graph:
        yield started(Stage(graph), with_decoder, goal_folder=str(folder / 'goals'))


@pytest.fixture
def driving(driven: Stage) -> Stage:
    """Return a stage on which all is well and the robot drives; tests may spoil it."""
    driven.make_good()
    enable(driven, True)
    driven.wait_until_it_drives()
    driven.graph.wait_for_status(NODE, 'driving')
    return driven


# What comes in.

def encoded(picture: np.ndarray, encoding: str) -> tuple[np.ndarray, int]:
    """Return a picture as the bytes of an encoding, [H, step], and whether they are big-endian."""
    height, width = picture.shape[:2]
    grey = picture[..., 1]
    if encoding in ('bgr8', '8UC3'):
        pixels = picture[..., ::-1]
    elif encoding in ('rgba8', 'bgra8'):
        order = picture if encoding == 'rgba8' else picture[..., ::-1]
        pixels = np.dstack([order, np.full((height, width), 255, np.uint8)])
    elif encoding in ('mono8', '8UC1') or (encoding.startswith('bayer') and encoding[-1] == '8'):
        pixels = grey
    elif encoding.endswith('16'):
        # As bright as the others.
        wide = 257 * grey.astype(np.uint16)
        return wide.astype('>u2').view(np.uint8).reshape(height, -1), 1
    elif encoding.startswith(('yuv', 'uyvy')):
        pixels = np.dstack([grey, np.full((height, width), 128, np.uint8)])
    else:
        pixels = picture
    return np.ascontiguousarray(pixels).reshape(height, -1), 0


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_it_drives_by_a_camera_of_each_encoding_with_padded_rows(
    driving: Stage, encoding: str,
) -> None:
    driving.camera_off()
    rows, bigendian = encoded(driving.picture, encoding)
    padded = np.pad(rows, ((0, 0), (0, 8)))
    camera = driving.graph.node.create_publisher(Image, 'image', 1)

    def expose() -> None:
        # No real camera shows the same twice.
        padded[0, 0] ^= 1
        message = Image(height=224, width=224, encoding=encoding, step=padded.shape[1],
                        is_bigendian=bigendian)
        message.header.stamp = driving.graph.node.get_clock().now().to_msg()
        message.data = array('B', padded.tobytes())
        camera.publish(message)

    timer = driving.graph.node.create_timer(0.1, expose)
    try:
        # What was planned from before is over when a picture of this camera has come.
        driving.graph.spin(0.3)
        del driving.cycles[:]
        driving.graph.wait(lambda: len(driving.cycles) > 2, f'plans from {encoding}')
    finally:
        driving.graph.node.destroy_timer(timer)
        driving.graph.node.destroy_publisher(camera)


def test_a_compressed_camera_is_heard_beside_the_topic_of_its_pictures(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    stage.camera_off()
    camera = graph.node.create_publisher(CompressedImage, 'image/compressed', 1)
    coded = cv2.imencode('.jpg', cv2.cvtColor(stage.picture, cv2.COLOR_RGB2BGR))[1].tobytes()

    def expose() -> None:
        message = CompressedImage(format='rgb8; jpeg compressed bgr8', data=coded)
        message.header.stamp = graph.node.get_clock().now().to_msg()
        camera.publish(message)

    graph.node.create_timer(0.1, expose)
    started(stage, untrained, image_transport='compressed')
    stage.wait_until_it_drives()
    graph.wait_for_status(NODE, 'driving')


def test_a_larger_camera_serves_by_a_region_of_it(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    stage.picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    stage.graph.start(
        NODE, bundle=str(untrained), autostart=True, region_left=80, region_top=0,
        region_width=480, region_height=480, region_resize=True)
    stage.show_goal(stage.picture)
    stage.graph.wait(lambda: stage.cycles, 'a plan')
    result, = graph.change(NODE, region_left=0)
    assert not result.successful and 'read when the node is configured' in result.reason


def test_a_region_beyond_the_picture_is_named(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    started(stage, untrained, region_left=500)
    status = graph.wait_for_status(NODE, 'bad')
    assert 'does not lie within the 224 x 224 pixels' in status.message


# What goes out.

def test_a_stamped_command_has_the_stamp_of_a_frame(graph: Graph, untrained: Path) -> None:
    stage = Stage(graph, TwistStamped)
    frames, commands = graph.listen(Image, 'image'), stage.commands
    started(stage, untrained, enable_stamped_cmd_vel=True, command_map='linear.y=angular.z*-2')

    def speed() -> bool:
        return any(abs(c.twist.linear.x) > 0.02 for c in commands)
    graph.wait(speed, 'a command to move')
    moving = [c for c in commands if abs(c.twist.linear.x) > 0.02]
    stamps = {seconds(frame.header.stamp) for frame in frames}
    assert all(min(abs(seconds(c.header.stamp) - s) for s in stamps) < 1e-6 for c in moving)
    assert {c.header.frame_id for c in moving} == {'base_link'}
    assert all(c.twist.linear.y == 0.0 for c in commands)
    graph.wait(lambda: any(abs(c.twist.angular.z) > 1e-3 for c in commands), 'the other action')


def test_numbers_go_to_their_places(graph: Graph, stage: Stage, untrained: Path) -> None:
    commands = graph.listen(Float64MultiArray, 'commands')
    started(stage, untrained, command_type='numbers', command_map='linear.x=3 linear.y=1*-10')
    graph.wait(lambda: any(any(c.data) for c in commands), 'a command to move')
    assert {len(c.data) for c in commands} == {4}
    assert all(c.data[0] == c.data[2] == 0.0 for c in commands)
    assert commands[-1].layout.dim[0].size == 4


def test_joints_get_a_point_that_begins_now(graph: Graph, stage: Stage, untrained: Path) -> None:
    commands = graph.listen(JointTrajectory, 'joint_trajectory')
    started(stage, untrained, command_type='joint_trajectory', trajectory_field='positions',
            command_map='linear.x=slide linear.y=lift')
    graph.wait(lambda: any(any(c.points[0].positions) for c in commands), 'a command to move')
    command = commands[-1]
    assert list(command.joint_names) == ['slide', 'lift'] and len(command.points) == 1
    assert command.points[0].time_from_start.nanosec == 50_000_000
    assert (command.header.stamp.sec, command.header.stamp.nanosec) == (0, 0)


@pytest.mark.parametrize(('parameters', 'words'), [
    ({'command_map': 'gripper=linear.x'}, 'no action `gripper`'),
    ({'command_map': 'linear.x=gripper'}, 'action `gripper` is no part of a Twist'),
    ({'goals': ['nowhere.png']}, 'goal nowhere.png cannot be read')])
def test_what_cannot_be_wired_is_refused_and_can_be_put_right(
    graph: Graph, stage: Stage, untrained: Path, parameters: dict[str, Any], words: str,
) -> None:
    started(stage, untrained, **parameters)
    status = graph.wait_for_status(NODE, 'not configured: ')
    assert words in status.message and status.level == DiagnosticStatus.ERROR
    right = {name: [''] if isinstance(value, list) else '' for name, value in parameters.items()}
    assert all(result.successful for result in graph.change(NODE, **right))
    assert graph.transition('configure') and graph.transition('activate')
    stage.wait_until_it_drives()


# Services.

def test_disabled_it_rests_and_is_silent_and_enabled_it_goes_on(driving: Stage) -> None:
    answer = enable(driving, False)
    assert answer.success and 'keeps its goal' in answer.message
    driving.wait_until_it_stands()
    del driving.commands[:]
    driving.graph.spin(0.5)
    assert not driving.commands, 'another may drive now'
    driving.graph.wait_for_status(NODE, 'disabled')
    assert enable(driving, True).success
    driving.wait_until_it_drives()


def test_stopped_it_needs_a_goal_and_to_be_enabled(driving: Stage) -> None:
    assert trigger(driving, 'stop').success
    driving.wait_until_it_stands()
    driving.show_goal()
    driving.graph.spin(0.5)
    assert not driving.drives(), 'a goal alone does not start it'
    assert enable(driving, True).success
    driving.wait_until_it_drives()


def test_what_the_camera_sees_becomes_the_goal_and_is_reached(driving: Stage) -> None:
    arrived = driving.graph.listen(Bool, f'{NODE}/arrived', latched=True)
    assert driving.graph.change(NODE, arrival_distance=1e-6, arrival_hold_s=0.2)[0].successful
    answer = trigger(driving, 'set_goal_from_camera')
    assert answer.success, answer.message
    driving.graph.wait(lambda: arrived and arrived[-1].data, 'it to arrive')
    driving.graph.wait_for_status(NODE, 'arrived')
    assert driving.graph.readings(NODE)['arrived'] == 'True'
    assert driving.graph.change(NODE, rest_at_goal=True)[0].successful
    driving.wait_until_it_stands()
    assert driving.commands, 'it says so at its rate'
    driving.show_goal()
    driving.graph.wait(lambda: not arrived[-1].data, 'the new goal not to be reached')
    driving.wait_until_it_drives()
    assert driving.graph.change(NODE, arrival_distance=0.0, rest_at_goal=False)[0].successful


def test_a_goal_that_was_saved_can_be_driven_to_and_a_route_goes_on(driving: Stage) -> None:
    answer = trigger(driving, 'save_goal')
    assert answer.success, answer.message
    path = Path(answer.message.removeprefix('saved '))
    coded = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    np.testing.assert_allclose(coded, driving.picture, atol=1)
    other = path.with_name('zz_other.png')
    cv2.imwrite(str(other), 255 - coded)
    results = driving.graph.change(
        NODE, arrival_distance=1e-6, arrival_hold_s=0.0, goals=[str(path), str(other)])
    assert all(result.successful for result in results)
    driving.graph.wait(
        lambda: driving.graph.readings(NODE).get('goal number') == '2 of 2', 'the next goal')
    assert driving.graph.readings(NODE)['goal'] == 'zz_other'
    assert trigger(driving, 'reset').success
    driving.graph.wait(
        lambda: f'goal {path.stem} is done' in driving.graph.log(NODE), 'the first goal again')
    changes = driving.graph.change(NODE, arrival_distance=0.0, goals=[''])
    assert all(change.successful for change in changes)


def test_without_a_picture_no_goal_can_be_taken_from_the_camera(driving: Stage) -> None:
    driving.camera_off()
    driving.graph.wait_for_status(NODE, 'stale camera')
    for name in ('set_goal_from_camera', 'save_goal'):
        answer = trigger(driving, name)
        assert not answer.success and 'no image on /image within 0.5 s' in answer.message


# Changes while it drives.

@pytest.mark.parametrize(('name', 'value'), [
    ('budget_ms', 120.0), ('iterations', 1), ('sigma', 0.5), ('subset', 'random'),
    ('optimiser', 'cem'), ('effort_cost', 0.01), ('command_rate_hz', 25.0), ('staleness_s', 0.6),
    ('growth', 2.0), ('display_rate_hz', 2.0)])
def test_a_change_while_it_drives_acts_and_does_not_stop_it(
    driving: Stage, name: str, value: Any,
) -> None:
    def never_stood() -> bool:
        driving.wait_until_it_drives()
        del driving.commands[:], driving.cycles[:]
        result, = driving.graph.change(NODE, **{name: value})
        assert result.successful, result.reason
        driving.graph.wait(lambda: len(driving.cycles) > 4, 'plans')
        return all(driving.speeds())

    try:
        # A change that stopped it would do so each time; a machine that is busy does not.
        assert any(never_stood() for _ in range(5))
        assert 'planning fails' not in driving.graph.log(NODE)
    finally:
        # Others find it as it was.
        driving.graph.change(NODE, **{name: DECLARED[name].default})


def test_a_speed_limit_acts_within_the_acceleration_that_is_allowed(driving: Stage) -> None:
    change = driving.graph.change
    assert all(r.successful for r in change(NODE, vx_max=0.05, vx_min=-0.05, vy_max=0.05))
    driving.graph.spin(1.0)
    del driving.commands[:]
    driving.wait_until_it_drives()
    driving.graph.spin(1.0)
    assert max(driving.speeds()) <= 0.05 + 1e-6
    infinite = {'vx_max': float('inf'), 'vx_min': float('-inf'), 'vy_max': float('inf')}
    assert all(r.successful for r in change(NODE, **infinite))


@pytest.mark.parametrize(('name', 'value', 'words'), [
    ('tokens', 4, 'read when the node is configured'),
    ('bundle', 'rooms', 'read when the node is configured'),
    ('budget_ms', -1.0, 'Min: 1'), ('optimiser', 'luck', 'mppi, cem'),
    ('goals', ['nowhere.png'], 'goal nowhere.png cannot be read')])
def test_a_change_that_cannot_be_is_refused_with_the_reason_and_it_drives_on(
    driving: Stage, name: str, value: Any, words: str,
) -> None:
    del driving.commands[:]
    result, = driving.graph.change(NODE, **{name: value})
    assert not result.successful and words in result.reason
    driving.wait_until_it_drives()


def test_every_parameter_can_be_set_while_it_drives_or_is_refused_with_the_reason(
    driving: Stage, tmp_path: Path,
) -> None:
    wanted = {name: list(field.default) if isinstance(field.default, tuple) else field.default
              for name, field in DECLARED.items()}
    wanted['goal_folder'] = str(tmp_path)
    results = driving.graph.change(NODE, **wanted)
    for (name, field), result in zip(DECLARED.items(), results, strict=True):
        assert result.successful == field.metadata['live'], (name, result.reason)
        assert result.successful or 'read when' in result.reason or 'read-only' in result.reason
    driving.wait_until_it_drives()


def test_a_change_that_must_stop_the_robot_says_so(driving: Stage, tmp_path: Path) -> None:
    path = tmp_path / 'black.png'
    cv2.imwrite(str(path), np.zeros((224, 224, 3), np.uint8))
    result, = driving.graph.change(NODE, goals=[str(path)])
    assert result.successful
    driving.wait_until_it_drives()
    assert 'slows down until there is another' in driving.graph.log(NODE)
    assert driving.graph.change(NODE, goals=[''])[0].successful


# What people see.

KINDS = {Kind.PICTURE: Image, Kind.LINES: MarkerArray, Kind.PATH: PathMessage,
         Kind.NUMBER: Float64}


def test_all_that_is_shown_is_there_when_somebody_looks_and_only_then(driving: Stage) -> None:
    graph = driving.graph
    heard = {one.topic: graph.listen(KINDS[one.kind], one.topic) for one in ALL}
    graph.wait(lambda: all(heard.values()), 'each topic')
    tokens = heard[f'{NODE}/debug/tokens'][-1]
    assert picture_from(tokens).shape[1] == 448 and tokens.header.frame_id == 'base_link'
    goal = picture_from(heard[f'{NODE}/debug/goal'][-1])
    assert goal.shape == (224, 224, 3)
    assert picture_from(heard[f'{NODE}/debug/future'][-1]).shape == (32, 32, 3)
    thin, thick = heard[f'{NODE}/debug/candidates'][-1].markers
    assert (thin.type, thick.ns) == (Marker.LINE_LIST, 'elites')
    assert thick.scale.x > thin.scale.x and len(thin.points) == len(thin.colors) > 0
    path = heard[f'{NODE}/debug/plan'][-1]
    assert path.header.frame_id == 'base_link' and len(path.poses) > 4
    times = [seconds(pose.header.stamp) for pose in path.poses]
    assert times[0] == pytest.approx(seconds(path.header.stamp)) and (np.diff(times) > 0).all()
    assert heard[f'{NODE}/debug/budget_ms'][-1].data > 0
    assert heard[f'{NODE}/debug/stamp_to_command_ms'][-1].data > 0


def test_the_files_for_rviz_and_foxglove_fit_the_graph_that_runs(driving: Stage) -> None:
    graph = driving.graph
    config = yaml.safe_load(generated()['config/planner.rviz'])['Visualization Manager']
    shown = {d['Topic']['Value']: d for d in config['Displays'] if 'Topic' in d}
    assert shown.keys() == {one.topic for one in ALL if one.kind is not Kind.NUMBER}
    names = {'Image': 'sensor_msgs/msg/Image', 'MarkerArray': 'visualization_msgs/msg/MarkerArray',
             'Path': 'nav_msgs/msg/Path'}
    for topic, display in shown.items():
        offered = graph.node.get_publishers_info_by_topic(f'/{topic}')
        assert len(offered) == 1, topic
        assert offered[0].topic_type == names[display['Class'].rpartition('/')[2]]
        assert display['Topic']['Reliability Policy'] == 'Reliable'
        assert offered[0].qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert offered[0].qos_profile.durability == DurabilityPolicy.VOLATILE
    assert config['Global Options']['Fixed Frame'] == 'base_link'
    layout = yaml.safe_load(generated()['config/foxglove_layout.json'])['configById']
    asked = {path['value'].removesuffix('.data') for panel in layout.values()
             for path in panel.get('paths', [])}
    asked |= {topic for panel in layout.values() for topic in panel.get('topics', {})}
    asked |= {panel['imageMode']['imageTopic'] for panel in layout.values()
              if 'imageMode' in panel}
    asked |= {panel['topicToRender'] for panel in layout.values() if 'topicToRender' in panel}
    there = dict(graph.node.get_topic_names_and_types())
    assert asked <= there.keys()
    assert {f'/{one.topic}' for one in PICTURES} <= asked


def test_diagnostics_tell_of_the_camera_the_stages_and_the_machine(driving: Stage) -> None:
    def of(task: str) -> dict[str, str]:
        status = driving.graph.all_statuses.get(f'{NODE}: {task}')
        return readings(status) if status else {}
    driving.graph.wait(lambda: of('machine'), 'the details')
    driving.graph.wait(
        lambda: float(of('latency')['stamp to command ms p95']) > 0, 'a command of a plan')
    assert {'wait ms p99', 'encode ms p50', 'imagine ms p95', 'plan to command ms jitter'} <= of(
        'latency').keys()
    assert float(of('camera')['pictures per second']) > 2
    assert of('camera')['topic'] == '/image' and int(of('machine')['memory MB']) > 50
    assert float(driving.graph.readings(NODE)['plan age ms']) > 0


# What it takes in the life of the node.

def test_cleaned_up_it_offers_nothing_and_configured_again_it_works(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    started(stage, untrained)
    stage.wait_until_it_drives()
    assert graph.transition('deactivate') and graph.transition('cleanup')
    ours = (f'/{NODE}/enable', f'/{NODE}/stop')
    graph.wait(lambda: not any(
        name in ours for name, _ in graph.node.get_service_names_and_types()),
        'the services to go')
    assert not graph.node.get_publishers_info_by_topic(f'/{NODE}/debug/tokens')
    assert graph.transition('configure') and graph.transition('activate')
    stage.wait_until_it_drives()
    assert enable(stage, False).success
    assert 'Traceback' not in graph.log(NODE)


def test_raw_pictures_of_640_x_480_arrive_best_effort_between_two_processes(
    graph: Graph, untrained: Path,
) -> None:
    count = 60
    profile = dict(profile_environment())
    graph.processes.start(NodeSpec(
        NODE, share_path('config', 'planner.yaml'), (
            ('bundle', str(untrained)), ('autostart', True), ('region_left', 80),
            ('region_width', 480), ('region_resize', True)),
        environment=tuple(profile.items())))
    camera = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name('vga_camera.py')), str(count)],
        env={**os.environ, **profile})
    try:
        graph.wait(lambda: camera.poll() is not None, 'the camera to end')
    finally:
        camera.kill()
    graph.spin(1.5)
    came = int(readings(graph.all_statuses[f'{NODE}: camera'])['pictures'])
    # Without the profile it is about one in ten.
    assert count / 2 < came <= count


def test_a_second_ctrl_c_at_once_does_not_keep_it_from_stopping_the_robot(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    # So it comes from a terminal and from `ros2 launch`, to both of which Ctrl-C was told.
    stage.show_goal()
    number = graph.start(NODE, bundle=str(untrained), autostart=True)
    stage.wait_until_it_drives()
    for _ in range(2):
        os.kill(number, signal.SIGINT)
        time.sleep(0.02)
    graph.wait_for_status(NODE, 'ended')
    graph.spin(0.3)
    assert stage.speeds()[-1] == 0.0, 'its last command is to stop'
