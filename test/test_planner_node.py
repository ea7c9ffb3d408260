# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The planner as a managed node, over ROS; the test is its camera."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
import shutil
from threading import Event, Thread

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
import numpy as np
from official_maker import SMALL
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import Graph, own_graph
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from stage import Stage
import torch

from sparse_imagination_ros.nodes.messages import readings, values_from
from sparse_imagination_ros.nodes.planner_node import PlannerNode
from sparse_imagination_ros.sim.robots import robot
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.official import OfficialPredictor

pytestmark = pytest.mark.ros

BASE = robot('omnidirectional')
NAMES = BASE.action_names


@pytest.fixture
def stage(graph: Graph) -> Stage:
    return Stage(graph)


@pytest.fixture(scope='module')
def driven(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with own_graph(tmp_path_factory.mktemp('driven')) as graph:
        stage = Stage(graph)
        graph.start('planner_node', bundle=str(untrained), tokens=6, autostart=True)
        yield stage


@pytest.fixture
def driving(driven: Stage) -> Stage:
    """Return a stage on which all is well and the robot drives; tests may spoil it."""
    driven.make_good()
    driven.wait_until_it_drives()
    driven.graph.wait_for_status('planner_node', 'driving')
    return driven


def test_it_goes_through_its_life_as_told(graph: Graph, stage: Stage, untrained: Path) -> None:
    stage.show_goal()
    graph.start('planner_node', bundle=str(untrained))
    graph.wait_for_status('planner_node', 'not configured')
    assert graph.state() == 'unconfigured'
    assert graph.transition('configure') and graph.state() == 'inactive'
    graph.wait_for_status('planner_node', 'inactive')
    graph.spin(0.5)
    assert not stage.commands, 'an inactive planner is silent'
    assert graph.transition('activate')
    stage.wait_until_it_drives()
    graph.wait_for_status('planner_node', 'driving')
    assert graph.transition('deactivate')
    stage.wait_until_it_stands()
    del stage.commands[:]
    graph.spin(0.5)
    assert not stage.commands, 'and silent again, once the robot stands'
    assert graph.transition('activate')
    stage.wait_until_it_drives()
    assert graph.transition('deactivate') and graph.transition('cleanup')
    assert graph.state() == 'unconfigured'
    assert graph.transition('configure') and graph.transition('activate')
    stage.wait_until_it_drives()
    graph.processes.end('planner_node', lambda: graph.spin(0.05))
    graph.spin(0.3)
    assert stage.speeds()[-1] == 0.0, 'its last command is to stop'
    assert 'Traceback' not in graph.log('planner_node')


def test_a_wrong_transition_is_refused_and_the_node_lives_on(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    graph.start('planner_node', bundle=str(untrained))
    for name in ('activate', 'deactivate', 'cleanup'):
        assert not graph.transition(name)
    assert graph.state() == 'unconfigured'
    stage.show_goal()
    assert graph.transition('configure') and graph.transition('activate')
    stage.wait_until_it_drives()
    for name in ('configure', 'activate', 'cleanup'):
        assert not graph.transition(name)
    stage.wait_until_it_drives()
    log = graph.log('planner_node')
    assert 'the transition `cleanup` is refused: it does not start from the state `active`' in log
    assert 'Traceback' not in log


def test_the_state_is_told_in_one_word(driving: Stage) -> None:
    def state() -> str:
        return driving.graph.readings('planner_node').get('state', '')
    driving.graph.wait(lambda: state() == 'active', 'the state active')
    driving.camera_off()
    driving.graph.wait(lambda: state() == 'stopped', 'the state stopped')


def test_a_base_that_returns_is_told_to_move_from_rest(driving: Stage) -> None:
    node = driving.graph.node
    driving.graph.wait(lambda: max(driving.speeds()[-3:]) > 0.4, 'some speed')
    for subscription in list(node.subscriptions):
        if subscription.topic_name == '/cmd_vel':
            node.destroy_subscription(subscription)
    driving.graph.wait_for_status('planner_node', 'nobody listens on /cmd_vel')
    driving.commands = driving.graph.listen(Twist, 'cmd_vel')
    driving.graph.wait(driving.drives, 'a command to move')
    heard = driving.speeds()
    assert next(speed for speed in heard if speed) <= 0.15 * BASE.acceleration[0] + 1e-6
    driving.graph.wait_for_status('planner_node', 'driving')


def test_while_another_commands_the_robot_stands_unless_it_may_not(driving: Stage) -> None:
    other = driving.graph.node.create_publisher(Twist, 'cmd_vel', 1)
    try:
        status = driving.graph.wait_for_status('planner_node', 'others command: probe on /cmd_vel')
        assert status.level == DiagnosticStatus.ERROR
        driving.wait_until_it_stands()
        assert not driving.commands, 'who stands does not talk in between'
        assert driving.graph.change('planner_node', exclusive_commands=False)[0].successful
        driving.wait_until_it_drives()
        assert driving.graph.change('planner_node', exclusive_commands=True)[0].successful
    finally:
        driving.graph.node.destroy_publisher(other)
    driving.wait_until_it_drives()


def test_commands_keep_their_rate_and_limits_and_cycles_are_reported(driving: Stage) -> None:
    del driving.commands[:], driving.cycles[:]
    took_s = driving.graph.wait(
        lambda: len(driving.commands) > 40 and len(driving.cycles) > 4, 'commands and cycles')
    # At 20 Hz, and one when a plan is new.
    assert (len(driving.commands) - len(driving.cycles)) / took_s < 25
    values = np.array([values_from(command, NAMES) for command in driving.commands])
    assert (abs(values) <= np.array(BASE.limit) + 1e-6).all()
    # Over two periods: a timer that fires late may be followed by one that does not.
    assert (abs(np.diff(values, axis=0)) <= np.array(BASE.acceleration) * 0.1 + 1e-6).all()
    said = readings(driving.cycles[-1])
    assert (said['tokens'], said['total_tokens'], said['encodes']) == ('6', '16', '1')
    assert 0 < float(said['encode_ms']) + float(said['imagine_ms']) <= float(said['total_ms']) + 1
    assert len(said['subset'].split()) == 6
    status = driving.graph.wait_for_status('planner_node', 'driving')
    assert {'cycle ms p50', 'cycle ms max', 'cycles', 'deadline misses', 'commands', 'tokens',
            'cycles per second', 'budget ms'} <= readings(status).keys()


def test_it_says_what_it_spends_and_why(driving: Stage) -> None:
    del driving.cycles[:]
    driving.graph.wait(lambda: driving.cycles, 'a cycle')
    said = readings(driving.cycles[-1])
    assert 0 < int(said['imagined']) <= int(said['candidates']) * int(said['iterations'])
    assert 'iterations in' in said['reason'] and said['not_finite'] == '0'
    driving.graph.wait(
        lambda: driving.graph.readings('planner_node').get('ladder') == 'fresh plan',
        'a fresh plan')
    told = driving.graph.readings('planner_node')
    assert 'iterations in' in told['effort because'] and told['watchdog took over'].isdigit()
    assert int(told['imagined']) > 0 and told['numbers that were none'] == '0'


def test_a_loop_of_commands_that_hangs_is_noticed_and_the_robot_stands_until_it_is_back(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    rclpy.init(args=['--ros-args', '-p', f'bundle:={untrained}', '-p', 'autostart:=true'],
               domain_id=graph.node.context.get_domain_id())
    node, executor, again = PlannerNode(), SingleThreadedExecutor(), Event()
    executor.add_node(node)
    loop = Thread(target=executor.spin)
    loop.start()
    try:
        stage.show_goal()
        stage.wait_until_it_drives()
        executor.create_task(again.wait)
        stage.wait_until_it_stands()
        assert stage.commands, 'somebody says so'
        again.set()
        stage.wait_until_it_drives()
        graph.wait(lambda: int(graph.readings('planner_node').get('watchdog took over', 0)) > 0,
                   'the watchdog to be reported')
    finally:
        again.set()
        executor.shutdown()
        loop.join()
        node.close()
        node.destroy_node()
        rclpy.shutdown()


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_an_engine_that_cannot_be_had_is_stood_in_for_loudly(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    stage.show_goal()
    graph.start('planner_node', bundle=str(untrained), tokens=2, candidates=4, engine='tensorrt',
                autostart=True)
    stage.wait_until_it_drives()
    status = graph.wait_for_status('planner_node', 'driving, but openvino float32 imagines')
    assert status.level == DiagnosticStatus.WARN
    assert 'the engine `tensorrt` needs' in status.message
    assert readings(status)['engine'] == 'openvino float32'
    assert 'openvino float32 imagines: the engine `tensorrt` needs' in graph.log('planner_node')
    assert graph.change('planner_node', sigma=0.2)[0].successful, 'and its settings may change'
    graph.spin(0.5)
    assert graph.wait_for_status('planner_node', 'driving').level == DiagnosticStatus.WARN


def test_without_a_goal_the_robot_stands(graph: Graph, stage: Stage, untrained: Path) -> None:
    graph.start('planner_node', bundle=str(untrained), autostart=True)
    graph.wait_for_status('planner_node', 'no goal: publish a goal picture on /goal_image')
    graph.wait(lambda: stage.commands, 'it to say so at its rate')
    stage.wait_until_it_stands()


def test_without_a_camera_the_robot_stands_until_it_is_back(driving: Stage) -> None:
    driving.camera_off()
    status = driving.graph.wait_for_status('planner_node', 'stale camera: no image on /image')
    assert status.level == DiagnosticStatus.STALE and 'the limit is 0.5 s' in status.message
    driving.wait_until_it_stands()
    driving.camera_on()
    driving.wait_until_it_drives()
    driving.graph.wait_for_status('planner_node', 'driving')


def test_images_that_are_old_when_they_come_stop_the_robot(driving: Stage) -> None:
    driving.age_s = 3.0
    driving.graph.wait_for_status(
        'planner_node', 'stale stamps: the newest image on /image was taken 3.')
    driving.wait_until_it_stands()


def bad_image(stage: Stage) -> None:
    stage.encoding = 'yuv_exotic'


def small_image(stage: Stage) -> None:
    stage.picture = np.ascontiguousarray(stage.picture[::2, ::2])


def bad_goal(stage: Stage) -> None:
    stage.show_goal(encoding='yuv_exotic')


def small_goal(stage: Stage) -> None:
    stage.show_goal(np.zeros((100, 120, 3), np.uint8))


@pytest.mark.parametrize(('spoil', 'words'), [
    (bad_image, ('bad image: /image', '`yuv_exotic`', 'rgb8')),
    (small_image, ('unfit image: /image', '112 x 112', '224 x 224')),
    (bad_goal, ('bad goal: /goal_image', '`yuv_exotic`', 'rgb8')),
    (small_goal, ('bad goal: /goal_image', '120 x 100', '224 x 224')),
])
def test_bad_pictures_are_named_and_the_robot_stands_until_they_are_good(
    driving: Stage, spoil: Callable[[Stage], None], words: tuple[str, ...],
) -> None:
    said = driving.graph.log('planner_node').count(words[0])
    spoil(driving)
    status = driving.graph.wait_for_status('planner_node', words[0])
    assert status.level == DiagnosticStatus.ERROR
    assert all(word in status.message for word in words)
    driving.wait_until_it_stands()
    log = driving.graph.log('planner_node')
    assert all(word in log for word in words) and 'Traceback' not in log
    assert log.count(words[0]) - said <= 3, 'said once, not with every picture'
    driving.make_good()
    driving.wait_until_it_drives()
    driving.graph.wait_for_status('planner_node', 'driving')


def missing(bundle: Path) -> None:
    shutil.rmtree(bundle)


def damaged(bundle: Path) -> None:
    path = bundle / 'predictor.safetensors'
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


@pytest.mark.parametrize(('spoil', 'words'), [
    (missing, 'manifest.yaml is not there'), (damaged, 'predictor.safetensors is damaged')])
def test_a_bad_bundle_is_named_and_the_node_lives_on(
    graph: Graph, stage: Stage, untrained: Path, tmp_path: Path,
    spoil: Callable[[Path], None], words: str,
) -> None:
    bundle = tmp_path / 'bundle'
    shutil.copytree(untrained, bundle)
    spoil(bundle)
    stage.show_goal()
    graph.start('planner_node', bundle=str(bundle), autostart=True)
    status = graph.wait_for_status('planner_node', words)
    assert status.level == DiagnosticStatus.ERROR
    assert graph.state() == 'unconfigured' and not stage.commands
    log = graph.log('planner_node')
    assert words in log and 'Traceback' not in log
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(untrained, bundle)
    assert graph.transition('configure') and graph.transition('activate')
    stage.wait_until_it_drives()


def test_a_parameter_out_of_range_is_named_and_can_be_put_right(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    stage.show_goal()
    graph.start('planner_node', bundle=str(untrained), staleness_s=99.0, autostart=True)
    graph.wait_for_status('planner_node', '`staleness_s` is 99.0; allowed range is [0.05, 5.0]')
    assert graph.state() == 'unconfigured' and not stage.commands
    assert 'Traceback' not in graph.log('planner_node')
    result, = graph.change('planner_node', tokens=0)
    assert not result.successful and 'Min: 1, Max: 4096' in result.reason
    assert graph.change('planner_node', staleness_s=0.5)[0].successful
    assert graph.transition('configure') and graph.transition('activate')
    result, = graph.change('planner_node', tokens=8)
    assert not result.successful and 'read when the node is configured' in result.reason
    stage.wait_until_it_drives()


def test_more_tokens_than_the_bundle_has_are_refused(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    graph.start('planner_node', bundle=str(untrained), tokens=17, autostart=True)
    graph.wait_for_status('planner_node', '`tokens` is 17; allowed range for bundle `untrained`')
    assert graph.state() == 'unconfigured'


def test_a_clock_that_stops_cannot_keep_the_robot_driving(
    graph: Graph, stage: Stage, untrained: Path,
) -> None:
    clock = graph.node.create_publisher(Clock, '/clock', 10)
    now = graph.node.get_clock().now
    timer = graph.node.create_timer(
        0.02, lambda: clock.publish(Clock(clock=now().to_msg())))
    stage.show_goal()
    graph.start('planner_node', bundle=str(untrained), use_sim_time=True, autostart=True)
    stage.wait_until_it_drives()
    timer.cancel()
    stage.camera_off()
    stage.wait_until_it_stands()
    assert stage.commands, 'the command timer does not need /clock'


LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def sensing(untrained: Path, tmp_path: Path) -> Path:
    """Return a bundle as those that are imported: its predictor takes what is sensed."""
    torch.manual_seed(0)
    bundle = Bundle.load(untrained)
    predictor = OfficialPredictor(SMALL)
    manifest = replace(
        bundle.manifest, predictor=predictor.shape, frameskip=2,
        senses=('pose.pose.position.x', 'pose.pose.position.y'))
    replace(bundle, manifest=manifest, predictor=predictor).save(tmp_path / 'sensing')
    return tmp_path / 'sensing'


def test_a_bundle_that_takes_what_is_sensed_drives_when_it_hears_it(
    graph: Graph, stage: Stage, sensing: Path,
) -> None:
    sensed = graph.node.create_publisher(Odometry, 'sensed', 1)
    there = graph.node.create_publisher(Odometry, 'goal_sensed', LATCHED)
    timer = graph.node.create_timer(0.1, lambda: sensed.publish(Odometry()))
    graph.start('planner_node', bundle=str(sensing), autostart=True)
    stage.show_goal()
    graph.wait_for_status('planner_node', 'and what is sensed there on /goal_sensed')
    stage.wait_until_it_stands()
    there.publish(Odometry())
    stage.wait_until_it_drives()
    graph.wait_for_status('planner_node', 'driving')
    timer.cancel()
    status = graph.wait_for_status('planner_node', 'bad senses: nothing on /sensed for 0.5 s')
    assert status.level == DiagnosticStatus.ERROR and 'pose.pose.position.x' in status.message
    stage.wait_until_it_stands()
    timer.reset()
    stage.wait_until_it_drives()
    stage.show_goal()
    stage.wait_until_it_stands()
    graph.wait_for_status('planner_node', 'no goal')
    there.publish(Odometry())
    stage.wait_until_it_drives()
    assert 'Traceback' not in graph.log('planner_node')


def test_a_message_without_what_is_to_be_sensed_is_named(
    graph: Graph, stage: Stage, sensing: Path,
) -> None:
    graph.node.create_publisher(JointState, 'goal_sensed', LATCHED).publish(JointState())
    stage.show_goal()
    graph.start(
        'planner_node', bundle=str(sensing), sensed_type='joint_state', autostart=True)
    graph.wait_for_status(
        'planner_node', '/goal_sensed: a JointState without `pose.pose.position.x`')
