# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras as one: their newest pictures side by side, at the pace of the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
import sys

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import ConfigError, FrameError
from sparse_imagination_ros.nodes.messages import image_from, picture_from, seconds
from sparse_imagination_ros.nodes.parameters import Group, Parameters
from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import (
    NEWEST,
    OK,
    Outlet,
    RELIABLE,
    Reporter,
    Status,
    WARN,
)
from sparse_imagination_ros.nodes.runtime import run_node
from sparse_imagination_ros.tokens.frames import beside, Picture


@dataclass(frozen=True)
class CamerasConfig:
    """Which cameras there are."""

    images: tuple[str, ...] = setting(
        ('',), 'topics of the cameras, from left to right; the first one sets the pace')
    image_transport: str = setting(
        'raw', 'how they send their pictures; compressed: on the topics .../compressed',
        choices=('raw', 'compressed'))
    apart_s: float = setting(
        0.1, 'how far in time a picture may be from that of the first camera, seconds', 0.001,
        10.0)


GROUPS = (Group(CamerasConfig, read_only=('images', 'image_transport', 'apart_s')),)


class CamerasNode(Node):
    """Keeps the newest message of each camera, and decodes them when the first one speaks."""

    def __init__(self) -> None:
        super().__init__('cameras_node', automatically_declare_parameters_from_overrides=True)
        config = Parameters(self, GROUPS).config(CamerasConfig)
        names = [self.resolve_topic_name(name) for name in config.images if name]
        if len(set(names)) < max(2, len(names)):
            raise ConfigError(
                f'`images` names {", ".join(names) or "no topic"}; name two cameras or more, each '
                'once, as images:=[left/image_raw, right/image_raw]')
        self._names, self._apart_s = names, config.apart_s
        self._newest: dict[str, Image | CompressedImage] = {}
        self._problems = Problems(self.get_logger().warning)
        self._image = Outlet(self, Image, 'image', RELIABLE)
        self._reporter = Reporter(self, 'cameras', self._status, '')
        self._reporter.watch(self._image)
        kind, end = ((CompressedImage, '/compressed') if config.image_transport == 'compressed'
                     else (Image, ''))
        for name in names:
            self.create_subscription(kind, name + end, partial(self._keep, name), NEWEST)

    def close(self) -> None:
        """Say the last words."""
        self._reporter.close()

    def _keep(self, name: str, message: Image | CompressedImage) -> None:
        self._newest[name] = message
        if name == self._names[0]:
            self._join()

    def _join(self) -> None:
        first = self._newest[self._names[0]].header
        pictures = [self._picture(name, seconds(first.stamp)) for name in self._names]
        together = [picture for picture in pictures if picture is not None]
        if len(together) == len(pictures):
            self._image.publish(image_from(beside(together), first.stamp, first.frame_id))

    def _picture(self, name: str, stamp_s: float) -> Picture | None:
        """Return what a camera saw at a time, or note why it is not known."""
        message = self._newest.get(name)
        if message is None:
            self._problems.note(name, 'no picture yet')
            return None
        late_s = stamp_s - seconds(message.header.stamp)
        if abs(late_s) > self._apart_s:
            self._problems.note(
                name, f'its newest picture is {abs(late_s):.2f} s '
                      f'{"older" if late_s > 0 else "younger"} than that of {self._names[0]}, '
                      f'more than `apart_s` ({self._apart_s:g} s)')
            return None
        try:
            picture = picture_from(message)
        except FrameError as error:
            self._problems.note(name, str(error))
            return None
        self._problems.clear(name)
        return picture

    def _status(self) -> Status:
        problem = self._problems.first(*self._names)
        if not problem and self._names[0] not in self._newest:
            problem = f'{self._names[0]}: no picture yet'
        return Status(WARN, problem) if problem else Status(
            OK, f'joins {len(self._names)} cameras')


def main(args: Sequence[str] | None = None) -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(CamerasNode, args))


if __name__ == '__main__':
    main()
