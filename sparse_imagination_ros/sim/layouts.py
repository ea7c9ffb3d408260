# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where walls, doors, start and goal are: drawn from a seed, some doors for evaluation only."""

from dataclasses import dataclass

import numpy as np

from sparse_imagination_ros.sim.world import episode_rng

SIZE_M = 3.0
WALL_M = 0.12
DOOR_M = 0.7
# Robots are put at least so far from walls.
MARGIN_M = 0.05
# Door positions along the wall are divided into bands; training never sees these.
DOOR_BANDS = 9
HELD_OUT_BANDS = (1, 4, 7)


@dataclass(frozen=True)
class Rectangle:
    """An axis-aligned solid block, in metres."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Layout:
    """One episode's world: solid blocks, a door, a start pose and a goal pose (x, y, heading)."""

    blocks: tuple[Rectangle, ...]
    door: tuple[float, float]
    start: tuple[float, float, float]
    goal: tuple[float, float, float]
    size_m: float = SIZE_M

    @property
    def upright(self) -> bool:
        """Tell whether the wall between the rooms is parallel to y."""
        return self.blocks[0].left == self.blocks[1].left


def draw_layout(seed: int, split: str, robot_radius_m: float, heading_free: bool) -> Layout:
    """Draw two rooms, a door between them, a start in one room and a goal in the other."""
    rng = episode_rng(seed, split)
    wall = rng.uniform(1.1, 1.9)
    door = 0.5 + 2.0 * _door_position(rng, split)
    upright = bool(rng.integers(2))
    edges = ((0.0, door - DOOR_M / 2), (door + DOOR_M / 2, SIZE_M))
    near, far = wall - WALL_M / 2, wall + WALL_M / 2
    blocks = tuple(
        Rectangle(near, low, far, high) if upright else Rectangle(low, near, high, far)
        for low, high in edges)
    rooms = _rooms(near, far, robot_radius_m)
    rng.shuffle(rooms)
    start, goal = (_draw_pose(rng, room, robot_radius_m, upright, heading_free) for room in rooms)
    return Layout(blocks, (wall, door) if upright else (door, wall), start, goal)


def draw_place(
    layout: Layout, rng: np.random.Generator, robot_radius_m: float, heading_free: bool,
) -> tuple[float, float, float]:
    """Draw a pose (x, y, heading) in one of the rooms."""
    block = layout.blocks[0]
    near, far = (block.left, block.right) if layout.upright else (block.bottom, block.top)
    room = _rooms(near, far, robot_radius_m)[rng.integers(2)]
    return _draw_pose(rng, room, robot_radius_m, layout.upright, heading_free)


def _rooms(near: float, far: float, robot_radius_m: float) -> list[tuple[float, float]]:
    """Return where a robot's centre may be on each side of the wall, across it."""
    margin = robot_radius_m + MARGIN_M
    return [(margin, near - margin), (far + margin, SIZE_M - margin)]


def _door_position(rng: np.random.Generator, split: str) -> float:
    bands = [b for b in range(DOOR_BANDS) if (b in HELD_OUT_BANDS) == (split == 'held_out')]
    return float((rng.choice(bands) + rng.uniform()) / DOOR_BANDS)


def _draw_pose(
    rng: np.random.Generator, room: tuple[float, float], robot_radius_m: float,
    upright: bool, heading_free: bool,
) -> tuple[float, float, float]:
    margin = robot_radius_m + MARGIN_M
    a, b = rng.uniform(*room), rng.uniform(margin, SIZE_M - margin)
    heading = rng.uniform(-np.pi, np.pi) if heading_free else 0.0
    return (a, b, heading) if upright else (b, a, heading)
