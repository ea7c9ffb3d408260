# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where each action of a bundle goes in the messages of a robot, and in which unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.errors import ConfigError


@dataclass(frozen=True)
class Wiring:
    """
    For each action, in the order of the bundle: its place by name, and the factor to its unit.

    A place is a part of a Twist, the name of a joint, or the number of an entry in an array.
    """

    places: tuple[str, ...]
    scales: tuple[float, ...]

    def out(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return actions [A] in the units of the robot."""
        return np.asarray(values * np.array(self.scales), np.float64)

    def back(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return what the robot was told, [A], in the units of the bundle."""
        return np.asarray(values / np.array(self.scales), np.float32)

    def row(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return an array with each action at its number, and zeros between."""
        numbers = [int(place) for place in self.places]
        row = np.zeros(max(numbers) + 1)
        row[numbers] = self.out(values)
        return row


def read_wiring(text: str, names: Sequence[str], numbered: bool = False) -> Wiring:
    """
    Read words as `action=place` or `action=place*factor`.

    What is not mentioned keeps its own name, or its number if places are numbered.
    """
    places = {name: str(number) if numbered else name for number, name in enumerate(names)}
    scales = dict.fromkeys(names, 1.0)
    for word in text.split():
        name, _, target = word.partition('=')
        place, _, factor = target.partition('*')
        if name not in places:
            raise ConfigError(
                f'`command_map`: the bundle has no action `{name}`; it has {", ".join(names)}')
        if not place or (numbered and not place.isdecimal()):
            raise ConfigError(
                f'`command_map`: {word!r} names no {"number" if numbered else "place"}; expected '
                f'words like {name}={"2" if numbered else "linear.x"}*0.5')
        places[name] = place
        if factor:
            scales[name] = _factor(factor, word)
    if len(set(places.values())) < len(places):
        raise ConfigError(f'`command_map`: {text!r} sends two actions to one place')
    return Wiring(tuple(places.values()), tuple(scales.values()))


def _factor(text: str, word: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    # Written so that a NaN is refused, too.
    if not 0 < abs(factor) < inf:
        raise ConfigError(f'`command_map`: {word!r}: the factor is no number other than zero')
    return factor
