# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters follow from config dataclasses, and refuse what these refuse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
import yaml

from sparse_imagination_ros.cli.domains import own_domain
from sparse_imagination_ros.config import build, setting
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.nodes.files import PARAMETERS
from sparse_imagination_ros.nodes.parameters import Group, Parameters, Proposal
from sparse_imagination_ros.share import share_path

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Lamp:
    watts: int = setting(40, 'power', 1, 100)
    dim: float = setting(0.5, 'share of the power', 0.0, 1.0, live=True)
    colour: str = setting('warm', 'of the light', choices=('warm', 'cold'))
    lit: bool = setting(True, 'whether it shines')
    places: tuple[str, ...] = setting(('',), 'where it stands')


class Given:
    """A node that was given parameters on its command line."""

    def __init__(self, context: Context, *words: str) -> None:
        arguments = ['--ros-args', *(part for word in words for part in ('-p', word))]
        self.node = Node(
            'lamp', context=context, cli_args=arguments, use_global_arguments=False,
            automatically_declare_parameters_from_overrides=True)
        self.applied: list[int] = []
        self.asked: list[str] = []
        self.parameters = Parameters(
            self.node, (Group(Lamp, 'lamp_', read_only=('colour',)),), self._consider,
            lambda: self.applied.append(self.parameters.config(Lamp).watts))

    def _consider(self, proposal: Proposal) -> None:
        lamp = proposal.config(Lamp)
        if lamp.watts * lamp.dim > 80:
            raise ConfigError('too bright')
        self.asked = list(proposal.changed)

    def change(self, name: str, value: Any) -> Any:
        return self.node.set_parameters([Parameter(name, value=value)])[0]


@pytest.fixture
def given() -> Iterator[Callable[..., Given]]:
    context = Context()
    made: list[Given] = []

    def give(*words: str) -> Given:
        made.append(Given(context, *words))
        return made[-1]

    with own_domain() as domain:
        rclpy.init(context=context, domain_id=domain)
        yield give
        for one in made:
            one.node.destroy_node()
        rclpy.try_shutdown(context=context)


def test_what_is_not_given_has_its_default(given: Callable[..., Given]) -> None:
    assert given().parameters.config(Lamp) == Lamp()


def test_what_is_given_is_taken(given: Callable[..., Given]) -> None:
    lamp = given('lamp_watts:=60', 'lamp_colour:=cold', 'lamp_lit:=false')
    assert lamp.parameters.config(Lamp) == Lamp(60, 0.5, 'cold', False)


def test_a_whole_number_serves_where_a_fraction_is_asked(given: Callable[..., Given]) -> None:
    config = given('lamp_dim:=1').parameters.config(Lamp)
    assert config.dim == 1.0 and isinstance(config.dim, float)


@pytest.mark.parametrize(('word', 'words'), [
    ('lamp_watts:=101', r'`lamp_watts` is 101.*\[1, 100\]'),
    ('lamp_dim:=-0.5', r'`lamp_dim` is -0.5.*\[0.0, 1.0\]'),
    ('lamp_colour:=green', r"`lamp_colour` is 'green'.*warm, cold"),
    ('lamp_watts:=many', r"`lamp_watts` is 'many'.*expected a int"),
    ('lamp_height:=2.0', r'unknown parameter `lamp_height`.*lamp_colour, lamp_dim'),
])
def test_what_is_wrong_is_refused_by_name_value_and_range(
    given: Callable[..., Given], word: str, words: str,
) -> None:
    lamp = given(word)
    with pytest.raises(ConfigError, match='/lamp: ' + words):
        lamp.parameters.config(Lamp)


def test_a_refused_value_can_be_put_right(given: Callable[..., Given]) -> None:
    lamp = given('lamp_watts:=101')
    assert lamp.change('lamp_watts', 70).successful
    assert lamp.parameters.config(Lamp).watts == 70


def test_a_later_change_is_judged_as_well(given: Callable[..., Given]) -> None:
    lamp = given()
    for name, value in (('lamp_watts', 0), ('lamp_dim', 1.5)):
        assert not lamp.change(name, value).successful
    assert not lamp.change('lamp_colour', 'cold').successful, 'it is read-only'
    assert lamp.parameters.config(Lamp) == Lamp()


def test_a_node_may_fix_its_parameters_for_a_while(given: Callable[..., Given]) -> None:
    lamp = given()
    lamp.parameters.fixed_because = 'the lamp is hot'
    result = lamp.change('lamp_watts', 50)
    assert not result.successful and 'the lamp is hot' in result.reason
    lamp.parameters.fixed_because = ''
    assert lamp.change('lamp_watts', 50).successful


def test_descriptions_and_ranges_are_told(given: Callable[..., Given]) -> None:
    node = given().node
    watts, dim, colour = (
        node.describe_parameter(f'lamp_{name}') for name in ('watts', 'dim', 'colour'))
    assert watts.description == 'power'
    assert (watts.integer_range[0].from_value, watts.integer_range[0].to_value) == (1, 100)
    assert dim.floating_point_range[0].to_value == 1.0
    assert colour.read_only and colour.additional_constraints == 'warm or cold'


@pytest.mark.parametrize(('file', 'groups'), [
    (file, groups) for file, (_, groups) in PARAMETERS.items()])
def test_the_parameter_file_holds_each_parameter_with_its_default(
    file: str, groups: tuple[Group, ...],
) -> None:
    path = share_path('config', f'{file}.yaml')
    written = yaml.safe_load(path.read_text())['/**']['ros__parameters']
    known = {}
    for group in groups:
        prefix, kind = group.prefix, group.kind
        values = {
            field.name: written[prefix + field.name] for field in fields(kind)
            if prefix + field.name in written}
        assert build(kind, values, file) == kind()
        known.update({prefix + field.name: field for field in fields(kind)})
    assert list(written) == list(known)


def test_a_live_parameter_may_change_while_others_are_fixed(given: Callable[..., Given]) -> None:
    lamp = given()
    lamp.parameters.fixed_because = 'the lamp is hot'
    assert lamp.change('lamp_dim', 0.25).successful
    assert not lamp.change('lamp_watts', 50).successful


def test_several_texts_are_a_parameter(given: Callable[..., Given]) -> None:
    assert given("lamp_places:=['desk', 'bed']").parameters.config(Lamp).places == ('desk', 'bed')
    lamp = given()
    assert lamp.parameters.config(Lamp).places == ('',)
    assert lamp.change('lamp_places', ['hall']).successful
    assert lamp.parameters.config(Lamp).places == ('hall',)
    assert not lamp.change('lamp_places', [1, 2]).successful


def test_values_that_do_not_go_together_are_refused_with_the_reason(
    given: Callable[..., Given],
) -> None:
    lamp = given()
    changes = [Parameter('lamp_watts', value=90), Parameter('lamp_dim', value=0.9)]
    refused = lamp.node.set_parameters_atomically(changes)
    assert not refused.successful and refused.reason == 'too bright'
    assert lamp.parameters.config(Lamp) == Lamp(), 'none of them acts'
    assert lamp.change('lamp_watts', 90).successful and lamp.asked == ['lamp_watts']


def test_changes_are_applied_by_the_executor_when_they_are_there(
    given: Callable[..., Given],
) -> None:
    lamp = given()
    executor = SingleThreadedExecutor(context=lamp.node.context)
    executor.add_node(lamp.node)
    lamp.change('lamp_watts', 60)
    assert not lamp.applied, 'not before the executor comes to it'
    executor.spin_once(timeout_sec=5.0)
    assert lamp.applied == [60]
    lamp.change('lamp_watts', 0)
    executor.spin_once(timeout_sec=0.2)
    assert lamp.applied == [60], 'what was refused is not applied'
    executor.shutdown()
