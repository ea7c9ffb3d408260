# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which nodes run together, with which parameters: the one description of the ROS graph.

The launch files turn it into launch actions, `sparse-imagination launch` and `demo` into
processes. Nothing is started here, and nothing of ROS is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
import os
from pathlib import Path

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.share import PACKAGE, share_path
from sparse_imagination_ros.sim.robots import ROBOTS

Value = bool | int | float | str | list[str]

# robot -> the bundle that ships for it
BUNDLES = {'omnidirectional': 'rooms', 'differential': 'rooms_differential'}


@dataclass(frozen=True)
class Argument:
    """What may be chosen at the start; an empty text leaves the choice to the parameter file."""

    name: str
    default: str
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeSpec:
    """
    One node in a process of its own.

    parameters stand above those of the file; arguments are for programs of others, which have no
    such file. environment: added to that of the process. called: the name of the node, if it is
    not that of its executable. respawn: whether it is started again if it ends. prefix: a command
    under which it is started. ends_all: whether its end is the end of all.
    """

    executable: str
    parameter_file: Path | None
    parameters: tuple[tuple[str, Value], ...] = ()
    remaps: tuple[tuple[str, str], ...] = ()
    namespace: str = ''
    log_level: str = 'info'
    lifecycle: bool = False
    environment: tuple[tuple[str, str], ...] = (('PYTHONUNBUFFERED', '1'),)
    package: str = PACKAGE
    arguments: tuple[str, ...] = ()
    respawn: bool = False
    prefix: str = ''
    ends_all: bool = False
    called: str = ''

    @property
    def name(self) -> str:
        """Return the name of the node."""
        return self.called or self.executable


NAMESPACE = Argument('namespace', '', 'namespace of the nodes and of their topics')
LOG_LEVEL = Argument(
    'log_level', 'info', 'what is logged', ('debug', 'info', 'warn', 'error', 'fatal'))
SIM_TIME = Argument(
    'use_sim_time', 'false', 'whether the time comes from the topic /clock', ('true', 'false'))
AUTOSTART = Argument(
    'autostart', 'true', 'whether the planner configures and activates itself', ('true', 'false'))
RVIZ = Argument('rviz', 'false', 'whether RViz shows what is planned', ('true', 'false'))
RESPAWN = Argument(
    'use_respawn', 'false', 'whether the planner is started again if it ends', ('true', 'false'))
PREFIX = Argument(
    'prefix', '', 'command under which the planner is started, such as `chrt --rr 10`')
BUDGET = Argument(
    'budget_ms', '', 'milliseconds that one cycle may take; empty: as in params_file')
ENGINE = Argument('engine', '', 'what imagines (docs/engines.md); empty: as in params_file')
TOPICS = ('image', 'goal_image', 'cmd_vel')
# What Fast DDS reads its profile from, up to Jazzy and from Kilted on.
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')

PLANNER_ARGUMENTS = (
    Argument('bundle', '', 'the model: a bundle that ships in models/, by name, or the path of a '
                           'folder; empty: as in params_file'),
    Argument('params_file', '', 'parameters of the planner; empty: the config/planner.yaml that '
                                'ships with the package'),
    ENGINE, BUDGET,
    *(Argument(topic, topic, f'name of the topic that serves as {topic}') for topic in TOPICS),
    Argument('cameras', '', 'topics of several cameras, as left/image_raw,right/image_raw, which '
                            'are joined to what serves as image; empty: there is one camera'),
    NAMESPACE, AUTOSTART, SIM_TIME, RVIZ, RESPAWN, PREFIX, LOG_LEVEL)

RVIZ_ARGUMENTS = (
    Argument('rviz_file', '', 'what RViz shows; empty: the config/planner.rviz that ships with '
                              'the package'),
    NAMESPACE, SIM_TIME, LOG_LEVEL)

DEMO_ARGUMENTS = (
    Argument('robot', 'omnidirectional', 'how the simulated base moves', tuple(ROBOTS)),
    Argument('seed', '9000', 'draws the first layout, start and goal'),
    Argument('bundle', '', 'the model: a bundle that ships in models/, by name, or the path of a '
                           'folder; empty: the one for this robot'),
    Argument('params_file', '', 'parameters of the planner; empty: the config/planner.yaml that '
                                'ships with the package'),
    Argument('sim_file', '', 'parameters of the simulator; empty: the config/sim.yaml that ships '
                             'with the package'),
    ENGINE, BUDGET, NAMESPACE, AUTOSTART, RVIZ, LOG_LEVEL)

REPLAY_ARGUMENTS = (
    Argument('bag', '', 'the bag: a folder with metadata.yaml, or one file of it'),
    Argument('bundle', 'rooms', 'the model: a bundle that ships in models/, by name, or the path '
                                'of a folder'),
    Argument('params_file', '', 'parameters of the planner; empty: the config/planner.yaml that '
                                'ships with the package'),
    Argument('replay_file', '', 'parameters of the player; empty: the config/replay.yaml that '
                                'ships with the package'),
    ENGINE, NAMESPACE, RVIZ, LOG_LEVEL)


def profile_environment() -> tuple[tuple[str, str], ...]:
    """Return the variables by which large pictures arrive over Fast DDS, unless one is set."""
    if any(os.environ.get(name) for name in PROFILE_VARIABLES):
        return ()
    path = str(share_path('config', 'fastdds.xml'))
    return tuple((name, path) for name in PROFILE_VARIABLES)


def planner_graph(
    bundle: str = '', params_file: str = '', engine: str = '', budget_ms: str = '',
    namespace: str = '', autostart: str = 'true', use_sim_time: str = 'false', rviz: str = 'false',
    use_respawn: str = 'false', prefix: str = '', log_level: str = 'info', cameras: str = '',
    **topics: str,
) -> tuple[NodeSpec, ...]:
    """Describe the planner for a robot that brings its own camera and base."""
    parameters: list[tuple[str, Value]] = [
        ('autostart', _truth('autostart', autostart)),
        ('use_sim_time', _truth('use_sim_time', use_sim_time))]
    if bundle:
        parameters.append(('bundle', bundle))
    if engine:
        parameters.append(('engine', engine))
    if budget_ms:
        parameters.append(('budget_ms', _number('budget_ms', budget_ms)))
    planner = _ours(
        'planner_node', Path(params_file) if params_file else share_path('config', 'planner.yaml'),
        tuple(parameters), namespace, log_level, lifecycle=True,
        remaps=tuple((old, new) for old, new in topics.items() if old != new),
        respawn=_truth('use_respawn', use_respawn), prefix=prefix)
    joining: tuple[NodeSpec, ...] = ()
    if cameras:
        joining = (_ours(
            'cameras_node', share_path('config', 'cameras.yaml'),
            (('images', cameras.split(',')), parameters[1]), namespace, log_level,
            remaps=tuple(remap for remap in planner.remaps if remap[0] == 'image')),)
    return *joining, planner, *_rviz(rviz, namespace, use_sim_time, log_level)


def rviz_graph(
    rviz_file: str = '', namespace: str = '', use_sim_time: str = 'false', log_level: str = 'info',
) -> tuple[NodeSpec, ...]:
    """Describe RViz; its topics are relative, so that it sees the planner of its namespace."""
    file = Path(rviz_file) if rviz_file else share_path('config', 'planner.rviz')
    return (NodeSpec(
        'rviz2', None, (('use_sim_time', _truth('use_sim_time', use_sim_time)),),
        namespace=namespace, log_level=log_level, environment=profile_environment(),
        package='rviz2', arguments=('-d', str(file))),)


def demo_graph(
    robot: str = 'omnidirectional', seed: str = '9000', bundle: str = '', params_file: str = '',
    sim_file: str = '', engine: str = '', budget_ms: str = '', namespace: str = '',
    autostart: str = 'true', rviz: str = 'false', log_level: str = 'info',
) -> tuple[NodeSpec, ...]:
    """Describe the simulated robot and its planner."""
    if robot not in BUNDLES:
        raise ConfigError(f'`robot` is {robot!r}; allowed: {", ".join(BUNDLES)}')
    if not seed.isdecimal():
        raise ConfigError(f'`seed` is {seed!r}; allowed are whole numbers from 0')
    sim = _ours(
        'sim_node', Path(sim_file) if sim_file else share_path('config', 'sim.yaml'),
        (('robot', robot), ('seed', int(seed))), namespace, log_level)
    planner, *viewer = planner_graph(
        bundle or BUNDLES[robot], params_file, engine, budget_ms, namespace, autostart, rviz=rviz,
        log_level=log_level)
    # To a camera without noise a robot that stands looks like a picture that is frozen.
    planner = replace(planner, parameters=(*planner.parameters, ('camera_freeze_s', 0.0)))
    return sim, planner, *viewer


def replay_graph(
    bag: str = '', bundle: str = 'rooms', params_file: str = '', replay_file: str = '',
    engine: str = '', namespace: str = '', rviz: str = 'false', log_level: str = 'info',
) -> tuple[NodeSpec, ...]:
    """Describe the planner in the shadow of a bag, and what plays the bag to it."""
    planner, *viewer = planner_graph(
        bundle, params_file, engine, namespace=namespace, autostart='false', use_sim_time='true',
        rviz=rviz, log_level=log_level)
    player = _ours(
        'bag_node', Path(replay_file) if replay_file else share_path('config', 'replay.yaml'),
        (('bag', bag), ('bundle', bundle)), namespace, log_level)
    player = replace(player, ends_all=True)
    shadow = (('shadow', True), ('timeless', True))
    return (replace(planner, parameters=(*planner.parameters, *shadow)), player, *viewer)


@dataclass(frozen=True)
class Graph:
    """What can be started together, and what may be chosen of it."""

    meaning: str
    arguments: tuple[Argument, ...]
    describe: Callable[..., tuple[NodeSpec, ...]]


# By the name of the launch file.
GRAPHS = {
    'planner': Graph('the planner, for your robot', PLANNER_ARGUMENTS, planner_graph),
    'demo': Graph('a simulated robot, and the planner', DEMO_ARGUMENTS, demo_graph),
    'replay': Graph('the planner in the shadow of a bag, and what plays it', REPLAY_ARGUMENTS,
                    replay_graph),
    'rviz': Graph('RViz', RVIZ_ARGUMENTS, rviz_graph)}


def _ours(
    executable: str, parameter_file: Path, parameters: tuple[tuple[str, Value], ...],
    namespace: str, log_level: str, lifecycle: bool = False,
    remaps: tuple[tuple[str, str], ...] = (), respawn: bool = False, prefix: str = '',
) -> NodeSpec:
    """Describe a node of this package."""
    return NodeSpec(
        executable, parameter_file, parameters, remaps, namespace, log_level, lifecycle,
        (('PYTHONUNBUFFERED', '1'), *profile_environment()), respawn=respawn, prefix=prefix)


def _rviz(wanted: str, namespace: str, use_sim_time: str, log_level: str) -> tuple[NodeSpec, ...]:
    if not _truth('rviz', wanted):
        return ()
    return rviz_graph(namespace=namespace, use_sim_time=use_sim_time, log_level=log_level)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f'`{name}` is {text!r}; allowed are numbers') from None


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ('true', 'false'):
        raise ConfigError(f'`{name}` is {text!r}; allowed: true, false')
    return text.lower() == 'true'
