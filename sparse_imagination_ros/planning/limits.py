# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits that a user sets below those of the bundle; the gate and the planner keep them."""

from dataclasses import dataclass, replace
from math import inf

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.planning.gate import Limits


@dataclass(frozen=True)
class LimitsConfig:
    """How fast the robot may be, by the names of Nav2; of actions without such a name nothing."""

    vx_max: float = setting(
        inf, 'most speed forward, m/s; .inf: as the bundle says, as for all of these', 0.0, inf,
        live=True)
    vx_min: float = setting(-inf, 'most speed backward, m/s, below zero', -inf, 0.0, live=True)
    vy_max: float = setting(inf, 'most speed sideways, m/s', 0.0, inf, live=True)
    wz_max: float = setting(inf, 'most turning, rad/s', 0.0, inf, live=True)
    ax_max: float = setting(inf, 'most change of speed forward, m/s^2', 0.01, inf, live=True)
    ay_max: float = setting(inf, 'most change of speed sideways, m/s^2', 0.01, inf, live=True)
    az_max: float = setting(inf, 'most change of turning, rad/s^2', 0.01, inf, live=True)


def narrowed(limits: Limits, names: tuple[str, ...], config: LimitsConfig) -> Limits:
    """Return what is within both: limits [A] of actions of these names, and the user's."""
    wishes = {
        'linear.x': (config.vx_min, config.vx_max, config.ax_max),
        'linear.y': (-config.vy_max, config.vy_max, config.ay_max),
        'angular.z': (-config.wz_max, config.wz_max, config.az_max)}
    low, high, acceleration = (
        part.copy() for part in (limits.low, limits.high, limits.acceleration))
    for number, name in enumerate(names):
        if name in wishes:
            least, most, change = wishes[name]
            low[number], high[number] = max(low[number], least), min(high[number], most)
            acceleration[number] = min(acceleration[number], change)
        if low[number] > high[number]:
            raise ConfigError(
                f'no {name} is left between the limits of the bundle, {limits.low[number]:g} to '
                f'{limits.high[number]:g}, and the wished ones')
    return replace(limits, low=low, high=high, acceleration=acceleration)
