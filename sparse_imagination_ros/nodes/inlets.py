# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera: messages in, frames of the size that the planner takes out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
import time
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from sparse_imagination_ros.errors import FrameError, NodeError
from sparse_imagination_ros.evaluation.rhythm import Rhythm
from sparse_imagination_ros.evaluation.voices import Voices
from sparse_imagination_ros.nodes.messages import frame_from, NANOSECONDS
from sparse_imagination_ros.nodes.problems import Problems
from sparse_imagination_ros.nodes.publishing import NEWEST, publishers
from sparse_imagination_ros.tokens.frames import cut, Frame, Picture, Region
from sparse_imagination_ros.tokens.trust import Doubt, Trust

# What may be doubted, in the order in which it is said.
DOUBTS = ('two cameras', 'blind camera', 'frozen camera')


class CameraInlet:
    """
    Hears the camera.

    newest: the last frame, if it could be read and is believed; arrived_s: when the last message
    came, on the steady clock, that was no repetition; age_s: how long before that its picture was
    taken; repeats: whether the stamp of the last message was that of the one before; rhythm: what
    the stamps say. heard: how many came; unread: how many of them could not be read; doubted: how
    many more were repetitions or are not believed.
    """

    def __init__(
        self, node: Node, transport: str, region: Region, size: tuple[int, int],
        on_frame: Callable[[Frame], None], problems: Problems, trust: Trust | None,
        moves: Callable[[], bool], forget: Callable[[], None],
    ) -> None:
        """
        Cut out the region, for a bundle that takes pictures of this width and height.

        trust: what judges the pictures, if they are to be judged; moves: tells whether the robot
        is told to move; forget: drops what was planned, if its pictures are doubted later.
        """
        self._node, self._region, self._size = node, region, size
        self._on_frame, self._problems = on_frame, problems
        self._trust, self._moves, self._forget = trust, moves, forget
        self._voices = Voices()
        self.newest: Frame | None = None
        self._stamp_s: float | None = None
        self.repeats = False
        self.arrived_s = self.age_s = 0.0
        self.rhythm = Rhythm()
        self.heard = self.unread = self.doubted = 0
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

    def _on_image(self, message: Image | CompressedImage, info: Mapping[str, Any]) -> None:
        now_s = time.monotonic()
        self._voices.add(info.get('publication_sequence_number'), now_s)
        self.heard += 1
        try:
            frame = frame_from(message)
            frame = replace(frame, rgb=cut(frame.rgb, self._region, self._size))
        except FrameError as error:
            self.unread += 1
            self.arrived_s, self.newest = now_s, None
            self._problems.note('bad image', f'{self.topic}: {error}')
            return
        self._problems.clear('bad image')
        self.rhythm.add(frame.stamp_s)
        self.repeats = self._trust is not None and frame.stamp_s == self._stamp_s
        if self.repeats:
            self.doubted += 1
            return
        self._stamp_s, self.arrived_s = frame.stamp_s, now_s
        self.age_s = self._node.get_clock().now().nanoseconds / NANOSECONDS - frame.stamp_s
        self.newest = frame if self._is_believed(frame, now_s) else None
        if self.newest is None:
            self.doubted += 1
        else:
            self._on_frame(frame)

    def _is_believed(self, frame: Frame, now_s: float) -> bool:
        if self._trust is None:
            return True
        doubt = self._trust.judge(frame.rgb, now_s, self._moves())
        if self._voices.are_several(now_s, self._node.count_publishers(self.topic)):
            doubt = Doubt(
                'two cameras', 'pictures come from several publishers in turns '
                f'({", ".join(publishers(self._node, self.topic))}); end all but one',
                at_once=True)
        self._problems.clear(*(about for about in DOUBTS if not doubt or about != doubt.about))
        if doubt is not None:
            self._problems.note(doubt.about, f'{self.topic}: {doubt.text}')
            if doubt.at_once:
                self._forget()
        return doubt is None
