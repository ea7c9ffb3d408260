# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph as actions of ROS 2 launch; what runs is described in graph.py."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from sparse_imagination_ros.graph import Graph, NodeSpec

# So long a node that ended stays down: a fault that repeats at once shall not fill the log.
RESPAWN_DELAY_S = 2.0


def description(graph: Graph) -> LaunchDescription:
    """Describe a launch whose arguments are handed to a graph by name, as texts."""
    def nodes(context: LaunchContext) -> list[Node]:
        values = {a.name: LaunchConfiguration(a.name).perform(context) for a in graph.arguments}
        return [node_action(spec) for spec in graph.describe(**values)]

    return LaunchDescription([
        *(DeclareLaunchArgument(
            a.name, default_value=a.default, description=a.meaning, choices=a.choices or None)
          for a in graph.arguments),
        OpaqueFunction(function=nodes)])


def node_action(spec: NodeSpec) -> Node:
    """Turn one description into an action."""
    kind = LifecycleNode if spec.lifecycle else Node
    files = [] if spec.parameter_file is None else [str(spec.parameter_file)]
    return kind(
        package=spec.package, executable=spec.executable, name=spec.name,
        namespace=spec.namespace, parameters=[*files, dict(spec.parameters)],
        remappings=list(spec.remaps),
        arguments=[*spec.arguments, '--ros-args', '--log-level', spec.log_level],
        additional_env=dict(spec.environment), respawn=spec.respawn,
        respawn_delay=RESPAWN_DELAY_S, prefix=spec.prefix or None, output='both',
        on_exit=Shutdown(reason=f'{spec.name} has ended') if spec.ends_all else None)
