# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates: smooth noise around a nominal sequence, bold guesses, and the bounds on all."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

# For so many iterations noise is drawn at once: it costs hardly more than for one.
AT_ONCE = 8


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

    low: Tensor
    high: Tensor
    rate: Tensor
    last: Tensor

    @cached_property
    def binding(self) -> bool:
        """Whether the rate limits anything that low and high allow."""
        return not bool((self.rate >= self.high - self.low).all())


class Proposals:
    """
    Draws candidates [N, T, A] within the bounds around a nominal sequence [T, A].

    The first is the nominal itself, the second is standing still, and then come those that are
    given. Of the others a share is bold: drawn from the whole range with no regard to the nominal,
    so that a way around a wall can be found. Each draw comes with its mirror image. Any number of
    them, counted from the first, is a sample of the same kind.
    """

    def __init__(
        self, shape: tuple[int, int, int], spread: Spread, bounds: Bounds, generator: Generator,
    ) -> None:
        """Draw for candidates of this shape, (N, T, A)."""
        self._shape, self._spread, self._bounds = shape, spread, bounds
        self._generator = generator
        self._near = _near(shape[0], spread.bold_share)
        self._bold = 1 - self._near
        self._drawn: list[Tensor] = []

    def __call__(self, nominal: Tensor, sigma: float, given: Tensor) -> Tensor:
        """Return the next candidates, with [E, T, A] that are given among them."""
        if not self._drawn:
            self._drawn = list(self._draw().unbind(0))
        noise = self._drawn.pop()
        candidates = torch.addcmul(noise * (sigma * self._near + self._bold), self._near, nominal)
        if len(given):
            end = min(2 + len(given), self._shape[0])
            candidates[2:end] = given[:end - 2]
        return bounded(candidates, self._bounds)

    def _draw(self) -> Tensor:
        """Draw for several iterations at once: noise, and bold sequences, [I, N, T, A]."""
        count, steps, size = self._shape
        fresh = count - 2
        bold = round(self._spread.bold_share * fresh)
        pairs = ((fresh - bold + 1) // 2, (bold + 1) // 2)
        knots = self._spread.knots
        noise = torch.randn(AT_ONCE, pairs[0], size, knots, generator=self._generator)
        # Reaching past the limits makes full speed, the common best choice, likely.
        reach = 3 * torch.rand(AT_ONCE, pairs[1], size, knots, generator=self._generator) - 1.5
        still = torch.zeros(AT_ONCE, 1, size, knots)
        every = torch.cat([noise, -noise, reach, -reach, still], 1)[:, _order(count, bold)]
        return (every @ _between(knots, steps)).transpose(2, 3).contiguous()


def bounded(candidates: Tensor, bounds: Bounds) -> Tensor:
    """Return candidates [N, T, A] as near to these as the bounds allow, step by step."""
    candidates = candidates.clamp(bounds.low, bounds.high)
    if not bounds.binding:
        return candidates
    before = bounds.last.clamp(bounds.low, bounds.high).expand(len(candidates), -1)
    for step in candidates.unbind(1):
        # In place: each step is a view.
        torch.clamp(step, before - bounds.rate, before + bounds.rate, out=step)
        before = step
    return candidates


@lru_cache
def _between(knots: int, steps: int) -> Tensor:
    """Return what each knot counts at each step, [M, T]."""
    each = torch.eye(knots)[None]
    return functional.interpolate(each, size=steps, mode='linear', align_corners=True)[0]


@lru_cache
def _near(count: int, bold_share: float) -> Tensor:
    """Return 1 for candidates that lie near the nominal and 0 for others, [N, 1, 1]."""
    bold = round(bold_share * (count - 2))
    near = [1.0, 0.0, *(kind == 0 for kind, _ in _mixed(count - 2, bold))]
    return torch.tensor(near)[:, None, None]


@lru_cache
def _order(count: int, bold: int) -> Tensor:
    """Return where each candidate lies among near draws, their images, bold ones, theirs, none."""
    near_pairs, bold_pairs = (count - 2 - bold + 1) // 2, (bold + 1) // 2
    starts, pairs = (0, 2 * near_pairs), (near_pairs, bold_pairs)
    nothing = 2 * (near_pairs + bold_pairs)
    drawn = [starts[kind] + place // 2 + place % 2 * pairs[kind]
             for kind, place in _mixed(count - 2, bold)]
    return torch.tensor([nothing, nothing, *drawn])


def _mixed(fresh: int, bold: int) -> list[tuple[int, int]]:
    """Return near ones (0) and bold ones (1), numbered, each kind spread evenly, in pairs."""
    placed = [((place // 2 + 0.5) / max(1, count), kind, place)
              for kind, count in ((0, fresh - bold), (1, bold)) for place in range(count)]
    return [(kind, place) for _, kind, place in sorted(placed)]
