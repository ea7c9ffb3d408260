# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that can be set of the planner's node. What the settings mean is decided where they go."""

from dataclasses import dataclass
import os
from pathlib import Path

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.files import check_confined
from sparse_imagination_ros.nodes.outlets import CommandForm, COMMANDS, TRAJECTORY_FIELDS
from sparse_imagination_ros.nodes.parameters import Group, Parameters, Proposal
from sparse_imagination_ros.nodes.senses import KINDS
from sparse_imagination_ros.planning.limits import LimitsConfig
from sparse_imagination_ros.planning.planner import PlannerConfig
from sparse_imagination_ros.planning.realtime import RealtimeConfig
from sparse_imagination_ros.planning.route import RouteConfig
from sparse_imagination_ros.tokens.frames import Region
from sparse_imagination_ros.tokens.trust import TrustConfig


@dataclass(frozen=True)
class NodeConfig:
    """What the node does around its planner."""

    bundle: str = setting(
        'rooms', 'the model: a bundle that ships in models/, by name, or the path of a folder')
    image_transport: str = setting(
        'raw', 'how the camera sends its pictures; compressed: on the topic image/compressed',
        choices=('raw', 'compressed'))
    sensed_type: str = setting(
        'odometry', 'type of the topics sensed and goal_sensed, for a bundle that takes them',
        choices=tuple(KINDS))
    command_type: str = setting(
        'twist', 'what commands go out as; twist: on cmd_vel, numbers: on commands, '
                 'joint_trajectory: on joint_trajectory', choices=tuple(COMMANDS))
    enable_stamped_cmd_vel: bool = setting(
        False, 'whether cmd_vel is a TwistStamped, with the stamp of the frame that a command '
               'comes from')
    command_map: str = setting(
        '', 'where actions go, as action=place*factor action=place; a place is a part of a Twist, '
            'the number of an entry or a joint; empty: by the names of the bundle, or in order')
    trajectory_field: str = setting(
        'velocities', 'what of the point of a joint trajectory holds the actions',
        choices=TRAJECTORY_FIELDS)
    base_frame: str = setting('base_link', 'frame of commands, candidates and plan')
    command_rate_hz: float = setting(20.0, 'commands per second', 1.0, 200.0, live=True)
    staleness_s: float = setting(
        0.5, 'the robot stops when the newest frame is older than this, seconds', 0.05, 5.0,
        live=True)
    exclusive_commands: bool = setting(
        True, 'whether the robot stands while others publish on the topic of the commands, too',
        live=True)
    threads: int = setting(
        1, 'processor threads of the network; 0 leaves it to PyTorch', 0, 256)
    goals: tuple[str, ...] = setting(
        ('',), 'goals to reach one after another: pictures, folders of pictures, or bags as '
               'BAG@SECONDS', live=True)
    goal_folder: str = setting(
        '~/.ros/sparse_imagination/goals', 'where ~/save_goal puts pictures', live=True)
    display_rate_hz: float = setting(
        5.0, 'pictures and markers for people per second, at most', 0.1, 60.0, live=True)
    shadow: bool = setting(
        False, 'whether another drives: what it tells the robot is heard on the topic `driven`, '
               'and cmd_vel only says what the planner would do')
    timeless: bool = setting(
        False, 'plan as if planning took no time, and without a deadline, so that plans can be '
               'repeated')
    file_folders: tuple[str, ...] = setting(
        ('',), 'folders in which the files lie that parameters name; empty: anywhere. It can be '
               'given at the start only')
    autostart: bool = setting(
        False, 'whether the node configures and activates itself at its start')

    @property
    def command_form(self) -> CommandForm:
        """Return how commands are to look."""
        return CommandForm(
            self.command_type, self.enable_stamped_cmd_vel, self.command_map,
            self.trajectory_field, self.base_frame, 1 / self.command_rate_hz)

    @property
    def goal_path(self) -> Path:
        """Return where goals are kept."""
        return Path(self.goal_folder).expanduser()


GROUPS = (
    Group(NodeConfig, read_only=('autostart', 'file_folders')), Group(Region, 'region_'),
    Group(TrustConfig, 'camera_'), Group(LimitsConfig), Group(RouteConfig), Group(PlannerConfig),
    Group(RealtimeConfig))


@dataclass(frozen=True)
class Settings:
    """The settings at one moment, all of them."""

    node: NodeConfig
    region: Region
    trust: TrustConfig
    limits: LimitsConfig
    route: RouteConfig
    planning: PlannerConfig
    realtime: RealtimeConfig


def settings_of(source: Parameters | Proposal) -> Settings:
    """Return the settings, as they are or as they are proposed; raise what is wrong."""
    settings = Settings(
        source.config(NodeConfig), source.config(Region), source.config(TrustConfig),
        source.config(LimitsConfig), source.config(RouteConfig), source.config(PlannerConfig),
        source.config(RealtimeConfig))
    _check_files(settings)
    return settings


def _check_files(settings: Settings) -> None:
    """Refuse files outside the folders that whoever started the node has named."""
    node = settings.node
    named = [('goal_folder', node.goal_folder), ('region_mask', settings.planning.region_mask)]
    # A name without a / is that of a bundle that ships.
    named += [('bundle', node.bundle)] if os.sep in node.bundle else []
    # Of a bag the time is named, too.
    named += [('goals', part) for goal in node.goals
              for part in {goal, goal.rpartition('@')[0] or goal}]
    for name, path in named:
        if path:
            check_confined(Path(path), node.file_folders, name)
