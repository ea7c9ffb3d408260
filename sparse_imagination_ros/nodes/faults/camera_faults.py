# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the camera."""

from array import array
from collections.abc import Callable
import time

import numpy as np
from sensor_msgs.msg import Image

from sparse_imagination_ros.nodes.faults.cast import Camera, CAMERA_PERIOD_S
from sparse_imagination_ros.nodes.faults.fault import Fault, FREEZE_S, RECOVERY_S, STALENESS_S
from sparse_imagination_ros.nodes.faults.stage import Stage

AHEAD_S, BACK_S, TREMOR_S = 10.0, 5.0, 0.2
# Of two cameras in step one is heard alone for a while, which does no harm.
APART_S = 3.0
FLOOD_HZ, FLOOD_S = 1000, 4.0


def camera(change: Callable[[Camera], None]) -> Callable[[Stage], None]:
    """Return what changes the camera."""
    return lambda stage: change(stage.camera)


def message(change: Callable[[Image], None]) -> Callable[[Stage], None]:
    """Return what changes each message of the camera."""
    def spoil(stage: Stage) -> None:
        stage.camera.spoil = change
    return spoil


def stops(camera: Camera) -> None:
    """Send nothing."""
    camera.on = False


def freezes(camera: Camera) -> None:
    """Send the same picture for ever."""
    camera.noisy = False


def repeats(camera: Camera) -> None:
    """Send the same message for ever."""
    stamp_s = time.time()
    camera.noisy, camera.stamped = False, lambda now_s: stamp_s


def goes_black(camera: Camera) -> None:
    """Show nothing but noise."""
    camera.picture = np.zeros_like(camera.picture)


def shrinks(camera: Camera) -> None:
    """Show half as many rows and columns."""
    camera.picture = np.ascontiguousarray(camera.picture[::2, ::2])


def shifts(by_s: float) -> Callable[[Stage], None]:
    """Return what stamps pictures so much later."""
    def spoil(stage: Stage) -> None:
        stage.camera.stamped = lambda now_s: now_s + by_s
    return spoil


def trembles(camera: Camera) -> None:
    """Stamp every other picture earlier than the one before it."""
    back = False

    def stamped(now_s: float) -> float:
        nonlocal back
        back = not back
        return now_s - TREMOR_S * back
    camera.stamped = stamped


def unknown(message: Image) -> None:
    """Name an encoding that nobody knows."""
    message.encoding = 'yuv_exotic'


def swapped(message: Image) -> None:
    """Name another encoding that is known."""
    message.encoding = 'bgr8'


def wrong_step(message: Image) -> None:
    """Say that rows are longer than they are."""
    message.step += 7


def short(message: Image) -> None:
    """Lack the end of the picture."""
    message.data = message.data[:-100]


def empty(message: Image) -> None:
    """Be no picture at all."""
    message.height = message.width = message.step = 0
    message.data = array('B')


def second(stage: Stage) -> None:
    """Have another camera send on the same topic, too."""
    upside_down = np.ascontiguousarray(stage.camera.picture[::-1])
    other = Camera(stage.domain, upside_down, 'another_camera')
    # Only those that are wired together are exposed at the same moment.
    stage.listen(CAMERA_PERIOD_S)
    other.pause(CAMERA_PERIOD_S / 2)
    stage.more.append(other)
    stage.mark()


def peer_leaves(stage: Stage) -> None:
    """Have the camera leave the network."""
    stage.camera.leave()


def peer_restarts(stage: Stage) -> None:
    """Have the camera leave the network and return."""
    stage.camera.leave()
    stage.camera.join()


def flood(stage: Stage) -> str:
    """Have a process send pictures as fast as it can; return what the planner says of it."""
    stage.start_flood(FLOOD_HZ)
    stage.listen(FLOOD_S)
    stage.wait(stage.drives, RECOVERY_S, 'the robot to drive in the flood')
    rate = stage.observer.reading('camera', 'pictures per second')
    return f'{stage.observer.status} (camera: pictures per second {rate})'


CAMERA_FAULTS = (
    Fault('peer_restarts', 'the camera leaves the network and returns at once',
          'rests until it is found again, and drives on', peer_restarts),
    Fault('camera_stops', 'no picture comes any more', 'comes to rest', camera(stops),
          STALENESS_S, 'stale camera: no image on /image'),
    Fault('camera_freezes', 'the same picture with new stamps', 'comes to rest', camera(freezes),
          FREEZE_S, 'frozen camera'),
    Fault('camera_repeats', 'the same picture with the same stamp', 'comes to rest',
          camera(repeats), STALENESS_S, 'stale camera: no new image'),
    Fault('camera_black', 'the lens is covered', 'comes to rest', camera(goes_black),
          STALENESS_S, 'blind camera'),
    Fault('camera_size', 'pictures of another size', 'comes to rest', camera(shrinks),
          STALENESS_S, 'unfit image'),
    Fault('camera_encoding_unknown', 'an encoding that nobody knows', 'comes to rest',
          message(unknown), STALENESS_S, 'bad image'),
    Fault('camera_encoding_other', 'another encoding that is known', 'drives on',
          message(swapped)),
    Fault('camera_step', 'rows longer than they are', 'comes to rest', message(wrong_step),
          STALENESS_S, 'bad image'),
    Fault('camera_short', 'a buffer that lacks its end', 'comes to rest', message(short),
          STALENESS_S, 'bad image'),
    Fault('camera_empty', 'pictures of 0 x 0 pixels', 'comes to rest', message(empty),
          STALENESS_S, 'bad image'),
    Fault('stamps_ahead', f'stamps {AHEAD_S:g} s in the future', 'comes to rest',
          shifts(AHEAD_S), STALENESS_S, 'stale stamps'),
    Fault('stamps_old', f'stamps {AHEAD_S:g} s in the past', 'comes to rest', shifts(-AHEAD_S),
          STALENESS_S, 'stale stamps'),
    Fault('stamps_jump_back', f'stamps jump back by {BACK_S:g} s and go on from there',
          'comes to rest', shifts(-BACK_S), STALENESS_S, 'stale stamps'),
    Fault('stamps_tremble', f'every other stamp {TREMOR_S:g} s too early', 'drives on',
          camera(trembles)),
    Fault('two_cameras', 'another camera on the same topic', 'comes to rest', second,
          APART_S, 'two cameras'),
    Fault('camera_flood', f'a camera that sends at {FLOOD_HZ} Hz, or as fast as it can',
          'drives on', flood, words='pictures per second'),
    Fault('peer_leaves', 'the camera leaves the network', 'comes to rest', peer_leaves,
          STALENESS_S, 'stale camera: no image on /image'))
