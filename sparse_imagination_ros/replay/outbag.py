# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A copy of a bag in which the planner speaks, too, so that viewers show both."""

from collections.abc import Iterator
import heapq
from pathlib import Path
from typing import Any

import numpy as np

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.recording import Bag
from sparse_imagination_ros.cycle_fields import cycle_fields
from sparse_imagination_ros.replay.results import Row, Run
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import span, Tape
from sparse_imagination_ros.world_models.manifest import Manifest

COMMAND, CYCLE = '/replay/cmd_vel', '/replay/planner_node/cycle'
TWIST, NUMBERS = 'geometry_msgs/msg/Twist', 'std_msgs/msg/Float64MultiArray'
STATUS, PAIR = 'diagnostic_msgs/msg/DiagnosticStatus', 'diagnostic_msgs/msg/KeyValue'
OK, WARN = 0, 1
AXES = 'xyz'


def write_bag(tape: Tape, run: Run, manifest: Manifest, config: ReplayConfig, path: Path) -> Path:
    """Write a bag with all that was recorded, and what was planned at the times of the plans."""
    # A bag is a folder; its file has the ending.
    folder = path.with_suffix('') if path.suffix == '.mcap' else path
    with open_bag(tape.path, forgiving=True) as source:
        bag = Bag(folder)
        copied = {}
        for connection in source.connections:
            if connection.topic not in copied:
                bag.copy_topic(connection, source.types)
                copied[connection.topic] = connection.msgtype
        twist = all(_is_axis(name) for name in manifest.actions.names)
        bag.add_topic(COMMAND, TWIST if twist else NUMBERS)
        bag.add_topic(CYCLE, STATUS)
        recorded = ((nanoseconds, connection.topic, data) for connection, nanoseconds, data in
                    source.raw((), *span(source, config)))
        planned = _said(tape, run, manifest, bag, twist)
        for nanoseconds, topic, content in heapq.merge(
                recorded, planned, key=lambda entry: entry[0]):
            if isinstance(content, (bytes, memoryview)):
                bag.write(topic, nanoseconds, bytes(content))
            else:
                bag.write_message(topic, nanoseconds, content)
        bag.close()
    return folder


def _said(
    tape: Tape, run: Run, manifest: Manifest, bag: Bag, twist: bool,
) -> Iterator[tuple[int, str, Any]]:
    for row in run.rows:
        ready_s = tape.origin_s + row.time_s + row.age_ms / 1000
        # From the clock of the pictures to that of the recording.
        ready_s += tape.recorded[row.picture] - tape.arrived[row.picture]
        nanoseconds = round(ready_s * 1e9)
        yield nanoseconds, COMMAND, _command(row, manifest, bag, twist)
        late = row.total_ms > run.budget_ms
        fields = cycle_fields(
            row, tape.origin_s + row.time_s, row.total_ms, late, manifest.total_tokens,
            row.subset, row.plan)
        values = [bag.make(PAIR, key=key, value=str(value)) for key, value in fields.items()]
        yield nanoseconds, CYCLE, bag.make(
            STATUS, level=WARN if late else OK, name='replay: cycle',
            message='over budget' if late else 'in time', hardware_id='', values=values)


def _command(row: Row, manifest: Manifest, bag: Bag, twist: bool) -> Any:
    if not twist:
        layout = bag.make('std_msgs/msg/MultiArrayLayout', dim=[], data_offset=0)
        return bag.make(NUMBERS, layout=layout, data=np.array(row.plan[0], np.float64))
    said = dict(zip(manifest.actions.names, row.plan[0], strict=True))
    parts = {
        kind: bag.make('geometry_msgs/msg/Vector3', **{
            axis: said.get(f'{kind}.{axis}', 0.0) for axis in AXES})
        for kind in ('linear', 'angular')}
    return bag.make(TWIST, **parts)


def _is_axis(name: str) -> bool:
    kind, _, axis = name.partition('.')
    return kind in ('linear', 'angular') and axis in tuple(AXES)
