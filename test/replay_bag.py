# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot in a room would have recorded, as messages that a test may damage."""

from typing import Any

from bag_maker import image, message, START_S, vector
import numpy as np

from sparse_imagination_ros.sim.rooms import Rooms

HZ = 10
DELAY_S = 0.03


def room_drive(seconds: float = 6.0, seed: int = 9000) -> list[Any]:
    """Return pictures at 10 Hz, which arrive late, and commands at 20 Hz, as bag_maker takes."""
    world = Rooms('omnidirectional')
    world.reset(seed, 'held_out')
    rng = np.random.default_rng(seed)
    said: list[Any] = []
    command = np.zeros(2)
    for tick in range(round(2 * HZ * seconds)):
        t = tick / (2 * HZ)
        if tick % 10 == 0:
            command = rng.uniform(-1, 1, 2)
        world.send(command)
        said.append(('/cmd_vel', t, message(
            'geometry_msgs/msg/Twist', linear=vector(*command), angular=vector(0.0))))
        if tick % 2 == 0:
            said.append(('/image', t + DELAY_S, image(START_S + t, world.picture())))
        world.advance(0.5 / HZ)
    return sorted(said, key=lambda entry: entry[1])
