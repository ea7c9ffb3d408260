# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files start what graph.py describes, and so does the process launcher."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from launch_stub import LaunchContext, LifecycleNode, stubbed_launch
import pytest

from sparse_imagination_ros.cli.processes import command_line
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.graph import (
    Argument,
    BUNDLES,
    DEMO_ARGUMENTS,
    demo_graph,
    PLANNER_ARGUMENTS,
    planner_graph,
    PROFILE_VARIABLES,
    REPLAY_ARGUMENTS,
    replay_graph,
    RVIZ_ARGUMENTS,
    rviz_graph,
)

ROOT = Path(__file__).parents[1]
FILES = {
    'planner.launch.py': PLANNER_ARGUMENTS, 'demo.launch.py': DEMO_ARGUMENTS,
    'replay.launch.py': REPLAY_ARGUMENTS, 'rviz.launch.py': RVIZ_ARGUMENTS}


def described(file: str) -> Any:
    spec = spec_from_file_location(file.replace('.', '_'), ROOT / 'launch' / file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def launched(file: str, **chosen: str) -> list[Any]:
    """Return the nodes that the launch file would start."""
    with stubbed_launch():
        *arguments, opaque = described(file).entities
        values = {a.name: a.rest['default_value'] for a in arguments}
        assert chosen.keys() <= values.keys()
        return opaque.function(LaunchContext({**values, **chosen}))


@pytest.mark.parametrize(('file', 'arguments'), FILES.items())
def test_every_argument_is_declared_and_described(
    file: str, arguments: tuple[Argument, ...],
) -> None:
    with stubbed_launch():
        declared = described(file).entities[:-1]
    assert [a.name for a in declared] == [a.name for a in arguments]
    assert all(len(a.rest['description']) > 10 for a in declared)
    for a in declared:
        assert not a.rest['choices'] or a.rest['default_value'] in a.rest['choices']


@pytest.mark.parametrize(('file', 'names'), [
    ('planner.launch.py', ['planner_node']), ('demo.launch.py', ['sim_node', 'planner_node'])])
def test_the_nodes_exist_and_so_do_their_parameter_files(file: str, names: list[str]) -> None:
    nodes = launched(file)
    assert [node.given['executable'] for node in nodes] == names
    scripts = (ROOT / 'setup.py').read_text()
    for node in nodes:
        assert f'{node.given["executable"]} = ' in scripts
        assert node.given['package'] == 'sparse_imagination_ros'
        assert Path(node.given['parameters'][0]).is_file()
    assert isinstance(nodes[-1], LifecycleNode)
    assert nodes[-1].given['parameters'][1]['autostart'] is True


def test_what_is_chosen_arrives() -> None:
    planner, = launched(
        'planner.launch.py', bundle='models/mine', image='camera/image_raw', namespace='bot',
        use_sim_time='true', autostart='false', log_level='debug')
    assert planner.given['parameters'][1] == {
        'autostart': False, 'use_sim_time': True, 'bundle': 'models/mine'}
    assert planner.given['remappings'] == [('image', 'camera/image_raw')]
    assert planner.given['namespace'] == 'bot'
    assert planner.given['arguments'] == ['--ros-args', '--log-level', 'debug']
    assert not planner.given['respawn']


def test_engine_budget_respawn_and_prefix_arrive() -> None:
    planner, = launched(
        'planner.launch.py', engine='openvino', budget_ms='80', use_respawn='true',
        prefix='chrt --rr 10')
    given = planner.given['parameters'][1]
    assert (given['engine'], given['budget_ms']) == ('openvino', 80.0)
    assert planner.given['respawn'] and planner.given['respawn_delay'] > 0
    assert planner.given['prefix'] == 'chrt --rr 10'


def test_several_cameras_are_joined_to_what_the_planner_sees() -> None:
    joining, planner = launched(
        'planner.launch.py', cameras='left/image_raw,right/image_raw', image='both',
        namespace='bot')
    assert joining.given['executable'] == 'cameras_node'
    assert joining.given['parameters'][1]['images'] == ['left/image_raw', 'right/image_raw']
    assert joining.given['remappings'] == planner.given['remappings'] == [('image', 'both')]
    assert joining.given['namespace'] == 'bot' and Path(joining.given['parameters'][0]).is_file()


@pytest.mark.parametrize('file', ['planner.launch.py', 'demo.launch.py', 'replay.launch.py'])
def test_rviz_comes_along_with_what_it_shows_in_the_same_namespace(file: str) -> None:
    *_, rviz = launched(file, rviz='true', namespace='bot')
    alone, = launched('rviz.launch.py', namespace='bot')
    for node in (rviz, alone):
        assert (node.given['package'], node.given['executable']) == ('rviz2', 'rviz2')
        assert node.given['namespace'] == 'bot'
        assert Path(node.given['arguments'][node.given['arguments'].index('-d') + 1]).is_file()
    assert launched('rviz.launch.py', use_sim_time='true')[0].given['parameters'] == [
        {'use_sim_time': True}]


@pytest.mark.parametrize('file', FILES)
def test_large_pictures_arrive_by_the_profile_unless_the_user_has_one(
    file: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in PROFILE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for node in launched(file):
        given = node.given['additional_env']
        assert all(Path(given[name]).name == 'fastdds.xml' for name in PROFILE_VARIABLES)
    monkeypatch.setenv(PROFILE_VARIABLES[0], '/robot/own.xml')
    for node in launched(file):
        assert not set(PROFILE_VARIABLES) & node.given['additional_env'].keys()


def test_a_bag_is_played_to_a_planner_in_its_shadow() -> None:
    planner, player = launched('replay.launch.py', bag='bags/monday', bundle='models/mine')
    assert isinstance(planner, LifecycleNode) and player.given['executable'] == 'bag_node'
    assert 'bag_node = ' in (ROOT / 'setup.py').read_text()
    chosen = planner.given['parameters'][1]
    assert chosen['shadow'] and chosen['timeless'] and chosen['use_sim_time']
    assert not chosen['autostart'], 'the player tells it when to begin'
    assert planner.given['on_exit'] is None and player.given['on_exit'] is not None
    assert chosen['bundle'] == player.given['parameters'][1]['bundle'] == 'models/mine'
    assert player.given['parameters'][1]['bag'] == 'bags/monday'
    assert Path(player.given['parameters'][0]).is_file()


@pytest.mark.parametrize('robot', BUNDLES)
def test_each_robot_comes_with_its_bundle(robot: str) -> None:
    sim, planner = launched('demo.launch.py', robot=robot, seed='12')
    assert sim.given['parameters'][1] == {'robot': robot, 'seed': 12}
    assert planner.given['parameters'][1]['bundle'] == BUNDLES[robot]


def test_the_process_launcher_starts_the_same_nodes() -> None:
    nodes = launched('demo.launch.py', namespace='bot', bundle="it's/mine")
    specs = demo_graph(namespace='bot', bundle="it's/mine")
    for node, spec in zip(nodes, specs, strict=True):
        words = command_line(spec)
        assert words[2] == f'sparse_imagination_ros.nodes.{node.given["executable"]}'
        assert '__ns:=/bot' in words and node.given['parameters'][0] in words
        for name in node.given['parameters'][1]:
            assert any(word.startswith(f'{name}:=') for word in words)
    assert "bundle:='it''s/mine'" in command_line(specs[1])
    assert 'autostart:=true' in command_line(specs[1])
    assert command_line(planner_graph(prefix='chrt --rr 10')[0])[:3] == ['chrt', '--rr', '10']


@pytest.mark.parametrize('wrong', [
    {'robot': 'boat'}, {'seed': '-1'}, {'autostart': 'maybe'}, {'budget_ms': 'short'},
    {'rviz': 'perhaps'}])
def test_a_choice_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match='allowed'):
        demo_graph(**wrong)


def test_a_real_launch_describes_the_same_nodes() -> None:
    pytest.importorskip('launch_ros', reason='ROS 2 launch is not among the wheels')
    from launch import LaunchContext as RealContext

    for file, graph in (
            ('planner.launch.py', planner_graph), ('demo.launch.py', demo_graph),
            ('replay.launch.py', replay_graph), ('rviz.launch.py', rviz_graph)):
        *arguments, opaque = described(file).entities
        context = RealContext()
        for argument in arguments:
            argument.execute(context)
        nodes = opaque.execute(context)
        assert [node.node_executable for node in nodes] == [s.executable for s in graph()]
