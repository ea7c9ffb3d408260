# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters follow from config dataclasses, and refuse what these refuse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
import yaml

from sparse_imagination_ros.cli.domains import own_domain
from sparse_imagination_ros.config import build, setting
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.nodes.bag_node import PlayConfig
from sparse_imagination_ros.nodes.driving import NodeConfig
from sparse_imagination_ros.nodes.parameters import Group, Parameters
from sparse_imagination_ros.nodes.sim_node import FeedConfig, SimConfig
from sparse_imagination_ros.planning.planner import PlannerConfig
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.share import share_path
from sparse_imagination_ros.sim.camera import CameraConfig

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Lamp:
    watts: int = setting(40, 'power', 1, 100)
    dim: float = setting(0.5, 'share of the power', 0.0, 1.0)
    colour: str = setting('warm', 'of the light', choices=('warm', 'cold'))
    lit: bool = setting(True, 'whether it shines')


class Given:
    """A node that was given parameters on its command line."""

    def __init__(self, context: Context, *words: str) -> None:
        arguments = ['--ros-args', *(part for word in words for part in ('-p', word))]
        self.node = Node(
            'lamp', context=context, cli_args=arguments, use_global_arguments=False,
            automatically_declare_parameters_from_overrides=True)
        self.parameters = Parameters(
            self.node, (Group(Lamp, 'lamp_', read_only=('colour',)),))

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
    ('planner.yaml', (('', NodeConfig), ('', PlannerConfig))),
    ('replay.yaml', (('', PlayConfig), ('', ReplayConfig))),
    ('sim.yaml', (('', SimConfig), ('camera_', FeedConfig), ('camera_', CameraConfig))),
])
def test_the_parameter_file_holds_each_parameter_with_its_default(
    file: str, groups: tuple[tuple[str, type], ...],
) -> None:
    written = yaml.safe_load(share_path('config', file).read_text())['/**']['ros__parameters']
    known = {}
    for prefix, kind in groups:
        values = {
            field.name: written[prefix + field.name] for field in fields(kind)
            if prefix + field.name in written}
        assert build(kind, values, file) == kind()
        known.update({prefix + field.name: field for field in fields(kind)})
    assert list(written) == list(known)
