# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates: smooth noise around a nominal sequence, bold guesses, and the bounds on all."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sparse_imagination_ros.planning.plan import Array


@dataclass(frozen=True)
class Spread:
    """
    How candidates are drawn, in units of the action limits.

    knots: points between which they are interpolated; bold_share: of those that are drawn.
    """

    knots: int
    bold_share: float


@dataclass(frozen=True)
class Bounds:
    """
    What candidates may be, in units of the action limits.

    low, high: [A]; rate: [A], how much an action may differ from the one before it; last: [A],
    what the robot was told last, which the first action follows.
    """

    low: Array
    high: Array
    rate: Array
    last: Array

    @cached_property
    def binding(self) -> bool:
        """Whether the rate limits anything that low and high allow."""
        return not (self.rate >= self.high - self.low).all()


class Proposals:
    """
    Draws candidates [N, T, A] within the bounds around a nominal sequence [T, A].

    The first is the nominal itself, the second is standing still (unless that is the nominal), and
    then come those that are given. The others are drawn in pairs, each draw with its mirror image.
    A share of the pairs is bold: drawn from the whole range with no regard to the nominal, so that
    a way around a wall can be found. Any number of candidates, counted from the first, is a sample
    of the same kind.
    """

    def __init__(
        self, shape: tuple[int, int, int], spread: Spread, bounds: Bounds, generator: Generator,
    ) -> None:
        """Draw for candidates of this shape, (N, T, A)."""
        self._count, steps, size = shape
        self._bounds, self._generator = bounds, generator
        # As many as there are candidates: with the few numbers of one step numpy would be slow.
        self._low, self._high = (limit[None].repeat(self._count * steps, 0).reshape(shape)
                                 for limit in (bounds.low, bounds.high))
        # One pair more than is drawn: it makes room for the nominal and standing still.
        drawn = (self._count - 1) // 2
        self._bold = round(spread.bold_share * drawn)
        self._near = drawn + 1 - self._bold
        self._order, self._is_near = _mixed(self._near, self._bold)
        self._between = _between(spread.knots, steps, size)

    def __call__(self, nominal: Array, sigma: float, given: Array) -> Array:
        """Return the next candidates, with [E, T, A] that are given among them."""
        size = len(self._between)
        noise = sigma * self._generator.standard_normal((self._near, size), np.float32)
        # Reaching past the limits makes full speed, the common best choice, likely.
        reach = 3 * self._generator.random((self._bold, size), np.float32) - 1.5
        drawn = np.concatenate([noise, reach]).take(self._order, 0) @ self._between
        centre = self._is_near @ nominal.reshape(1, -1)
        pairs = np.concatenate([centre + drawn, centre - drawn], 1)
        candidates = pairs.reshape(-1, *nominal.shape)[:self._count]
        candidates[0] = nominal
        if nominal.any():
            # Twice the same would count as two that agree.
            candidates[1] = 0
        candidates[2:2 + len(given)] = given[:self._count - 2]
        np.maximum(candidates, self._low, out=candidates)
        np.minimum(candidates, self._high, out=candidates)
        if self._bounds.binding:
            _limit_rates(candidates, self._bounds)
        return candidates


def _limit_rates(candidates: Array, bounds: Bounds) -> None:
    """Bring each step of candidates [N, T, A], in place, as near to the one before as it must."""
    before = np.minimum(np.maximum(bounds.last, bounds.low), bounds.high)[:, None]
    rate = bounds.rate[:, None]
    # One step of all candidates after the other, also in memory: so numpy is fast.
    steps = candidates.transpose(1, 2, 0).copy()
    for step in steps:
        np.maximum(step, before - rate, out=step)
        np.minimum(step, before + rate, out=step)
        before = step
    candidates[:] = steps.transpose(2, 0, 1)


@lru_cache
def _between(knots: int, steps: int, size: int) -> Array:
    """Return what the numbers of all knots count for those of all steps, [M * A, T * A]."""
    place = np.linspace(0, knots - 1, steps)
    share = np.maximum(0, 1 - np.abs(place - np.arange(knots)[:, None]))
    return np.kron(share, np.eye(size)).astype(np.float32)


@lru_cache
def _mixed(near: int, bold: int) -> tuple[NDArray[np.int64], Array]:
    """Return an order [P] that spreads both kinds evenly, and 1 where near ones lie, [P, 1]."""
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in (near, bold)])
    order = place.argsort(kind='stable')
    return order, (order < near).astype(np.float32)[:, None]
