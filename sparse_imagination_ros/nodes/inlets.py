# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera: messages in, frames of the size that the planner takes out."""

from collections.abc import Callable
from dataclasses import replace
import time

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from sparse_imagination_ros.errors import FrameError, NodeError
from sparse_imagination_ros.evaluation.rhythm import Rhythm
from sparse_imagination_ros.nodes.messages import frame_from, NANOSECONDS
from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import NEWEST
from sparse_imagination_ros.tokens.frames import cut, Frame, Picture, Region


class CameraInlet:
    """
    Hears the camera.

    newest: the last frame that could be read; arrived_s: when the last message came, on the steady
    clock; age_s: how long before that its picture was taken; rhythm: what the stamps say. heard:
    how many came; unread: how many of them could not be read.
    """

    def __init__(
        self, node: Node, transport: str, region: Region, size: tuple[int, int],
        on_frame: Callable[[Frame], None], problems: Problems,
    ) -> None:
        """Cut out the region, for a bundle that takes pictures of this width and height."""
        self._node, self._region, self._size = node, region, size
        self._on_frame, self._problems = on_frame, problems
        self.newest: Frame | None = None
        self.arrived_s = self.age_s = 0.0
        self.rhythm = Rhythm()
        self.heard = self.unread = 0
        if transport == 'compressed':
            # As image_transport names it: beside whatever topic `image` is remapped to.
            topic = node.resolve_topic_name('image') + '/compressed'
            self._inlet = node.create_subscription(
                CompressedImage, topic, self._on_image, NEWEST)
        else:
            self._inlet = node.create_subscription(Image, 'image', self._on_image, NEWEST)

    @property
    def topic(self) -> str:
        """Return what is listened to."""
        return str(self._inlet.topic_name)

    def see(self, limit_s: float) -> Picture:
        """Return what the camera sees now, to be kept; raise that it sees nothing so young."""
        if self.newest is None or time.monotonic() - self.arrived_s > limit_s:
            raise NodeError(f'no image on {self.topic} within {limit_s:g} s: see /diagnostics')
        # The buffer of the frame may be used again.
        return self.newest.rgb.copy()

    def close(self) -> None:
        """Listen no more."""
        self._node.destroy_subscription(self._inlet)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.arrived_s = time.monotonic()
        self.heard += 1
        try:
            frame = frame_from(message)
            frame = replace(frame, rgb=cut(frame.rgb, self._region, self._size))
        except FrameError as error:
            self.unread += 1
            self._problems.note('bad image', f'{self.topic}: {error}')
            return
        self._problems.clear('bad image')
        self.age_s = self._node.get_clock().now().nanoseconds / NANOSECONDS - frame.stamp_s
        self.rhythm.add(frame.stamp_s)
        self.newest = frame
        self._on_frame(frame)
