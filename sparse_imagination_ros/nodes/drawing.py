# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lines as messages for RViz. Where they lead and their colours are worked out in views/."""

from itertools import pairwise

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Path
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from sparse_imagination_ros.nodes.messages import pose_from, seconds, stamp_at

THIN_M, THICK_M = 0.004, 0.015
FAINT = 0.6
# Thick lines lie above thin ones.
LIFT_M = 0.01


def candidate_markers(
    ways: NDArray[np.floating], colours: NDArray[np.floating], elites: int, frame_id: str,
    stamp: Time,
) -> MarkerArray:
    """Return ways [N, T, 3] of colours [N, 3], best first; the elites thick."""
    header = Header(stamp=stamp, frame_id=frame_id)
    return MarkerArray(markers=[
        _lines('candidates', ways[elites:], colours[elites:], header, THIN_M, FAINT, 0.0),
        _lines('elites', ways[:elites], colours[:elites], header, THICK_M, 1.0, LIFT_M)])


def path_from(way: NDArray[np.floating], step_s: float, frame_id: str, stamp: Time) -> Path:
    """Return a way [T, 3] as a path, whose places have the times of the plan."""
    path, start_s = Path(header=Header(stamp=stamp, frame_id=frame_id)), seconds(stamp)
    path.poses = [
        PoseStamped(header=Header(stamp=stamp_at(start_s + number * step_s), frame_id=frame_id),
                    pose=pose_from(*place))
        for number, place in enumerate(way.tolist())]
    return path


def _lines(
    name: str, ways: NDArray[np.floating], colours: NDArray[np.floating], header: Header,
    width_m: float, alpha: float, height_m: float,
) -> Marker:
    # One marker with all lines: many markers would be slow to make and to draw.
    marker = Marker(header=header, ns=name, type=Marker.LINE_LIST, action=Marker.ADD)
    marker.scale.x = width_m
    marker.pose.orientation.w = 1.0
    points: list[Point] = []
    shades: list[ColorRGBA] = []
    for way, colour in zip(ways.tolist(), colours.tolist(), strict=True):
        shade = ColorRGBA(r=colour[0], g=colour[1], b=colour[2], a=alpha)
        places = [Point(x=x, y=y, z=height_m) for x, y, _ in way]
        for one, other in pairwise(places):
            points += (one, other)
            shades += (shade, shade)
    if not points:
        marker.action = Marker.DELETE
    marker.points, marker.colors = points, shades
    return marker
