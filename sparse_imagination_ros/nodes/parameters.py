# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ROS parameters made from config dataclasses: type, meaning and range are written once, there.

What a parameter means for a node is not known here.
"""

from collections.abc import Callable, Iterable, Mapping
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
from sparse_imagination_ros.errors import ConfigError, SparseImaginationError

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


@dataclass(frozen=True)
class Proposal:
    """What the configs would be if some parameters changed; `changed` are these, by name."""

    build: Callable[[type[Any], Mapping[str, Any]], Any]
    changed: Mapping[str, Any]

    def config(self, kind: type[Config]) -> Config:
        """Return one of them."""
        config: Config = self.build(kind, self.changed)
        return config


class Parameters:
    """
    The parameters of one node.

    The node must have been made with automatically_declare_parameters_from_overrides=True: so
    values of any name and type come through and can be refused with our words. rclpy would end the
    process with a traceback. A refused value leaves the default in its place until it is set.

    consider: raises why a set of values that are right one by one cannot be taken together, or
    now. apply: called in the node's executor, once the
    values are there.
    """

    def __init__(
        self, node: Node, groups: Iterable[Group],
        consider: Callable[['Proposal'], None] | None = None,
        apply: Callable[[], None] | None = None,
    ) -> None:
        self._node, self._consider = node, consider
        self._applying = node.create_guard_condition(apply) if apply else None
        self._groups = {group.kind: group for group in groups}
        self._fields = {
            group.prefix + declared.name: (group, declared)
            for group in self._groups.values() for declared in fields(group.kind)}
        self._where = node.get_fully_qualified_name()
        self._problems: dict[str, ConfigError] = {}
        # A node in a state in which its parameters are fixed says here why.
        self.fixed_because = ''
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
        return self._build(kind, {})

    def _build(self, kind: type[Config], changed: Mapping[str, Any]) -> Config:
        group = self._groups[kind]
        values: dict[str, Any] = {}
        for declared in fields(group.kind):
            name = group.prefix + declared.name
            values[declared.name] = (
                changed[name] if name in changed else self._node.get_parameter(name).value)
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
            name, list(value) if isinstance(value, tuple) else value,
            _descriptor(declared, declared.name in group.read_only),
            ignore_override=True)

    def _problem(self, name: str, value: Any) -> ConfigError | None:
        group, declared = self._fields[name]
        try:
            build(group.kind, {declared.name: value}, self._where, group.prefix)
        except ConfigError as error:
            return error
        return None

    def _judge(self, changed: list[Parameter]) -> SetParametersResult:
        ours = {p.name: p.value for p in changed if p.name in self._fields}
        if not ours:
            return SetParametersResult(successful=True)
        try:
            for name, value in ours.items():
                self._refuse(name, value)
            if self._consider is not None and not self._problems.keys() - ours.keys():
                self._consider(Proposal(self._build, ours))
        except SparseImaginationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        for name in ours:
            self._problems.pop(name, None)
        if self._applying is not None:
            self._applying.trigger()
        return SetParametersResult(successful=True)

    def _refuse(self, name: str, value: Any) -> None:
        """Raise why a parameter cannot have this value, if it cannot."""
        problem = self._problem(name, value)
        if problem is not None:
            raise problem
        if self.fixed_because and not self._fields[name][1].metadata['live']:
            raise ConfigError(f'`{name}`: {self.fixed_because}')


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
