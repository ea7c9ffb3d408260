# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A copy of a bag in which the planner speaks, too, so that viewers show both.

What it says is on the topics of its node, under the namespace `replay`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import heapq
from pathlib import Path
import shutil
import tempfile
from typing import Any

import numpy as np

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import IMAGE
from sparse_imagination_ros.bags.recording import Bag
from sparse_imagination_ros.cycle_fields import cycle_fields
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.replay.drive import Film
from sparse_imagination_ros.replay.results import Row, Run
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import span, Tape
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.views.overlay import token_mask
from sparse_imagination_ros.views.rollouts import planar, poses
from sparse_imagination_ros.views.shown import BASE_FRAME, GOAL, PATHS, PLANNER, PLOTS, TOKENS
from sparse_imagination_ros.world_models.manifest import Manifest

NAMESPACE = '/replay'
COMMAND, CYCLE = f'{NAMESPACE}/cmd_vel', f'{NAMESPACE}/{PLANNER}/cycle'
TWIST, NUMBERS = 'geometry_msgs/msg/Twist', 'std_msgs/msg/Float64MultiArray'
STATUS, PAIR = 'diagnostic_msgs/msg/DiagnosticStatus', 'diagnostic_msgs/msg/KeyValue'
PATH, NUMBER = 'nav_msgs/msg/Path', 'std_msgs/msg/Float64'
OK, WARN = 0, 1
AXES = 'xyz'
# Of those that the node plots, what a replay knows, and what it calls them.
PLOTTED = {'cycle_ms': 'total_ms', 'encode_ms': 'encode_ms', 'imagine_ms': 'imagine_ms',
           'tokens_used': 'tokens', 'imagined': 'imagined', 'cost': 'cost'}


@dataclass(frozen=True)
class Written:
    """A copy. left_out: topics whose messages nobody could read there."""

    folder: Path
    left_out: tuple[str, ...]


def check_target(path: Path, source: Path) -> Path:
    """Return the folder of a copy, if nothing that was recorded would be lost by writing it."""
    # A bag is a folder; its file has the ending.
    folder = path.with_suffix('') if path.suffix == '.mcap' else path
    if folder.resolve() in (source.resolve(), *source.resolve().parents):
        raise DataError(f'{folder} holds the bag that is replayed; name another folder')
    if folder.exists():
        try:
            with open_bag(folder) as bag:
                ours = any(connection.topic == CYCLE for connection in bag.connections)
        except DataError:
            ours = False
        if not ours:
            raise DataError(
                f'{folder} is there, and no copy with what a planner said; name another folder')
    return folder


def write_bag(
    tape: Tape, run: Run, manifest: Manifest, config: ReplayConfig, path: Path,
) -> Written:
    """Write a bag with all that was recorded, and what was planned at the times of the plans."""
    folder = check_target(path, tape.path)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.unfinished-') as unfinished:
        made = Path(unfinished) / folder.name
        left_out = _write(tape, run, manifest, config, made)
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    return Written(folder, left_out)


def _write(
    tape: Tape, run: Run, manifest: Manifest, config: ReplayConfig, folder: Path,
) -> tuple[str, ...]:
    # The pictures are read by themselves: a plan comes later than its picture.
    with open_bag(tape.path, forgiving=True) as source, \
            open_bag(tape.path, forgiving=True) as pictures, \
            open_bag(tape.path, forgiving=True) as ahead:
        bag = Bag(folder)
        copied = {}
        left_out = []
        for connection in source.connections:
            topic = connection.topic
            if topic in copied or topic in left_out:
                continue
            if bag.copy_topic(connection, source.types):
                copied[topic] = connection
            else:
                left_out.append(topic)
        speaker = _Speaker(tape, run, manifest, bag)
        speaker.announce()
        recorded = (
            (nanoseconds, connection.topic, data) for connection, nanoseconds, data in
            source.raw((), *span(source, config)) if connection.topic in copied)
        planned: Iterator[tuple[int, str, Any]] = iter(())
        if run.rows:
            planned = speaker.said(
                Film(tape, pictures, manifest, config, [row.picture for row in run.rows]),
                Film(tape, ahead, manifest, config, [row.goal for row in run.rows]))
        for nanoseconds, topic, content in heapq.merge(
                recorded, planned, key=lambda entry: entry[0]):
            if isinstance(content, (bytes, memoryview)):
                bag.write(topic, nanoseconds, bytes(content))
            else:
                bag.write_message(topic, nanoseconds, content)
        bag.close()
    return tuple(left_out)


class _Speaker:
    """Makes of each row the messages that the planner's node would have sent."""

    def __init__(self, tape: Tape, run: Run, manifest: Manifest, bag: Bag) -> None:
        self._tape, self._run, self._manifest, self._bag = tape, run, manifest, bag
        self._names = manifest.actions.names
        self._twist = all(_is_axis(name) for name in self._names)

    def announce(self) -> None:
        kinds = {COMMAND: TWIST if self._twist else NUMBERS, CYCLE: STATUS,
                 _topic(TOKENS.topic): IMAGE, _topic(GOAL.topic): IMAGE}
        if planar(self._names):
            kinds[_topic(PATHS[0].topic)] = PATH
        kinds |= {_topic(PLOTS[name].topic): NUMBER for name in PLOTTED}
        for topic, kind in kinds.items():
            self._bag.add_topic(topic, kind)

    def said(self, pictures: Film, goals: Film) -> Iterator[tuple[int, str, Any]]:
        """Return times, topics and messages."""
        goal = None
        for row in self._run.rows:
            stamp_s = self._tape.origin_s + row.time_s
            # From the clock of the pictures to that of the recording.
            ready_s = stamp_s + row.age_ms / 1000 + float(
                self._tape.recorded[row.picture] - self._tape.arrived[row.picture])
            for topic, message in (
                    (COMMAND, self._command(row)), (CYCLE, self._cycle(row, stamp_s)),
                    (_topic(TOKENS.topic), self._tokens(row, pictures, stamp_s))):
                yield round(ready_s * 1e9), topic, message
            if planar(self._names):
                yield round(ready_s * 1e9), _topic(PATHS[0].topic), self._path(row, stamp_s)
            for name, ours in PLOTTED.items():
                yield (round(ready_s * 1e9), _topic(PLOTS[name].topic),
                       self._bag.make(NUMBER, data=float(getattr(row, ours))))
            if row.goal != goal:
                goal = row.goal
                yield (round(ready_s * 1e9), _topic(GOAL.topic),
                       self._image(goals.picture(goal), stamp_s))

    def _cycle(self, row: Row, stamp_s: float) -> Any:
        late = row.total_ms > self._run.budget_ms
        fields = cycle_fields(
            row, stamp_s, row.total_ms, late, self._manifest.total_tokens, row.subset, row.plan)
        values = [self._bag.make(PAIR, key=key, value=str(value)) for key, value in fields.items()]
        return self._bag.make(
            STATUS, level=WARN if late else OK, name='replay: cycle',
            message='over budget' if late else 'in time', hardware_id='', values=values)

    def _command(self, row: Row) -> Any:
        make = self._bag.make
        if not self._twist:
            layout = make('std_msgs/msg/MultiArrayLayout', dim=[], data_offset=0)
            return make(NUMBERS, layout=layout, data=np.array(row.plan[0], np.float64))
        said = dict(zip(self._names, row.plan[0], strict=True))
        return make(TWIST, **{
            kind: make('geometry_msgs/msg/Vector3', **{
                axis: said.get(f'{kind}.{axis}', 0.0) for axis in AXES})
            for kind in ('linear', 'angular')})

    def _tokens(self, row: Row, pictures: Film, stamp_s: float) -> Any:
        lines = (f'{row.tokens} of {self._manifest.total_tokens} tokens   {row.total_ms:.0f} of '
                 f'{self._run.budget_ms:.0f} ms', f'{row.imagined} imagined')
        picture = pictures.picture(row.picture)
        return self._image(
            token_mask(picture, self._manifest.encoder.grid, row.subset, lines), stamp_s)

    def _image(self, picture: Picture, stamp_s: float) -> Any:
        height, width, channels = picture.shape
        return self._bag.make(
            IMAGE, header=self._header(stamp_s), height=height, width=width, encoding='rgb8',
            is_bigendian=0, step=width * channels,
            data=np.ascontiguousarray(picture).reshape(-1))

    def _path(self, row: Row, stamp_s: float) -> Any:
        make = self._bag.make
        step_s = self._manifest.step_s / self._manifest.frameskip
        way, = poses(np.array([row.plan], np.float32), self._names, step_s)
        return make(PATH, header=self._header(stamp_s), poses=[
            make('geometry_msgs/msg/PoseStamped', header=self._header(stamp_s + step_s * number),
                 pose=make(
                     'geometry_msgs/msg/Pose',
                     position=make('geometry_msgs/msg/Point', x=x, y=y, z=0.0),
                     orientation=make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0,
                                      z=float(np.sin(heading / 2)), w=float(np.cos(heading / 2)))))
            for number, (x, y, heading) in enumerate(way.tolist())])

    def _header(self, time_s: float) -> Any:
        nanoseconds = round(time_s * 1e9)
        stamp = self._bag.make('builtin_interfaces/msg/Time', sec=nanoseconds // 10**9,
                               nanosec=nanoseconds % 10**9)
        return self._bag.make('std_msgs/msg/Header', stamp=stamp, frame_id=BASE_FRAME)


def _topic(name: str) -> str:
    return f'{NAMESPACE}/{name}'


def _is_axis(name: str) -> bool:
    kind, _, axis = name.partition('.')
    return kind in ('linear', 'angular') and axis in tuple(AXES)
