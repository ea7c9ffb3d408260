# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of launch and launch_ros that the launch files use, as plain records."""

from collections.abc import Iterator
from contextlib import contextmanager
import sys
from types import ModuleType
from typing import Any


class LaunchContext:

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values


class LaunchDescription:

    def __init__(self, entities: list[Any]) -> None:
        self.entities = entities


class DeclareLaunchArgument:

    def __init__(self, name: str, **rest: Any) -> None:
        self.name, self.rest = name, rest


class LaunchConfiguration:

    def __init__(self, name: str) -> None:
        self.name = name

    def perform(self, context: LaunchContext) -> str:
        return context.values[self.name]


class OpaqueFunction:

    def __init__(self, function: Any) -> None:
        self.function = function


class Shutdown:

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Node:

    def __init__(self, **given: Any) -> None:
        self.given = given


class LifecycleNode(Node):
    pass


MODULES = {
    'launch': (LaunchContext, LaunchDescription),
    'launch.actions': (DeclareLaunchArgument, OpaqueFunction, Shutdown),
    'launch.substitutions': (LaunchConfiguration,),
    'launch_ros': (),
    'launch_ros.actions': (LifecycleNode, Node),
}


@contextmanager
def stubbed_launch() -> Iterator[None]:
    """Let `import launch` find the records above; the real packages come back afterwards."""
    hidden = {
        name: sys.modules.pop(name) for name in list(sys.modules)
        if name.split('.')[0] in ('launch', 'launch_ros') or name.endswith('launch_actions')}
    for name, members in MODULES.items():
        sys.modules[name] = ModuleType(name)
        for member in members:
            setattr(sys.modules[name], member.__name__, member)
    try:
        yield
    finally:
        for name in [*MODULES, 'sparse_imagination_ros.nodes.launch_actions']:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
