# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ROS parameters made from config dataclasses: type, meaning and range are written once, there.

What a parameter means for a node is not known here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, Field, fields
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import ConfigError

Config = TypeVar('Config')

# Every node of rclpy may be given these.
STANDARD = ('use_sim_time', 'start_type_description_service')
LARGEST_INTEGER = 2**63 - 1
LARGEST_FLOAT = 1.7976931348623157e308


@dataclass(frozen=True)
class Group:
    """One config dataclass as parameters; each is called prefix + name of the field."""

    kind: type[Any]
    prefix: str = ''
    read_only: tuple[str, ...] = ()


class Parameters:
    """
    The parameters of one node.

    The node must have been made with automatically_declare_parameters_from_overrides=True: so
    values of any name and type come through and can be refused with our words. rclpy would end the
    process with a traceback. A refused value leaves the default in its place until it is set.
    """

    def __init__(self, node: Node, groups: Iterable[Group]) -> None:
        self._node = node
        self._groups = {group.kind: group for group in groups}
        self._fields = {
            group.prefix + declared.name: (group, declared)
            for group in self._groups.values() for declared in fields(group.kind)}
        self._where = node.get_fully_qualified_name()
        self._problems: dict[str, ConfigError] = {}
        # A node in a state in which its parameters are fixed says here why.
        self.fixed_because = ''
        self.free_names: tuple[str, ...] = ()
        given = node.get_parameters_by_prefix('')
        for name in given:
            self._note_unknown(name)
        for name, (group, declared) in self._fields.items():
            self._declare(name, group, declared, given.get(name))
        node.add_on_set_parameters_callback(self._judge)

    def config(self, kind: type[Config]) -> Config:
        """Return the validated config; raise what was wrong with any parameter of the node."""
        for problem in self._problems.values():
            raise problem
        group = self._groups[kind]
        values = {
            declared.name: self._node.get_parameter(group.prefix + declared.name).value
            for declared in fields(group.kind)}
        return build(kind, values, self._where, group.prefix)

    def _note_unknown(self, name: str) -> None:
        if name in self._fields or name in STANDARD or name.startswith('qos_overrides.'):
            return
        self._problems[name] = ConfigError(
            f'{self._where}: unknown parameter `{name}`; '
            f'known parameters: {", ".join(sorted(self._fields))}')

    def _declare(
        self, name: str, group: Group, declared: Field[Any], given: Parameter | None,
    ) -> None:
        value: Any = declared.default
        if given is not None:
            self._node.undeclare_parameter(name)
            problem = self._problem(name, given.value)
            if problem is None:
                # A whole number is as good as the same number with a point.
                value = float(given.value) if isinstance(value, float) else given.value
            else:
                self._problems[name] = problem
        self._node.declare_parameter(
            name, value, _descriptor(declared, declared.name in group.read_only),
            ignore_override=True)

    def _problem(self, name: str, value: Any) -> ConfigError | None:
        group, declared = self._fields[name]
        try:
            build(group.kind, {declared.name: value}, self._where, group.prefix)
        except ConfigError as error:
            return error
        return None

    def _judge(self, changed: list[Parameter]) -> SetParametersResult:
        for parameter in changed:
            if parameter.name not in self._fields:
                continue
            problem = self._problem(parameter.name, parameter.value)
            if problem is not None:
                return SetParametersResult(successful=False, reason=str(problem))
            if self.fixed_because and parameter.name not in self.free_names:
                return SetParametersResult(
                    successful=False, reason=f'`{parameter.name}`: {self.fixed_because}')
            self._problems.pop(parameter.name, None)
        return SetParametersResult(successful=True)


def _descriptor(declared: Field[Any], read_only: bool) -> ParameterDescriptor:
    meta = declared.metadata
    low, high = meta.get('low'), meta.get('high')
    descriptor = ParameterDescriptor(
        description=meta.get('meaning', ''), read_only=read_only,
        additional_constraints=' or '.join(meta.get('choices', ())))
    if low is None and high is None:
        return descriptor
    if isinstance(declared.default, float):
        descriptor.floating_point_range = [FloatingPointRange(
            from_value=-LARGEST_FLOAT if low is None else float(low),
            to_value=LARGEST_FLOAT if high is None else float(high))]
    else:
        descriptor.integer_range = [IntegerRange(
            from_value=-LARGEST_INTEGER if low is None else int(low),
            to_value=LARGEST_INTEGER if high is None else int(high), step=1)]
    return descriptor
