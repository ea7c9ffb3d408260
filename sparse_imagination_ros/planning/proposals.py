# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates: smooth noise around a nominal sequence, bold guesses, and the bounds on all."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor
from torch.nn import functional


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


def propose(
    nominal: Tensor, count: int, sigma: float, given: Tensor, spread: Spread, bounds: Bounds,
    generator: Generator,
) -> Tensor:
    """
    Draw candidates [N, T, A] within the bounds around a nominal sequence [T, A].

    The first is the nominal itself, the second is standing still, and then come those that are
    `given`, [E, T, A]. Of the others a share is bold: drawn from the whole range with no regard to
    the nominal, so that a way around a wall can be found. Each draw comes with its mirror image.
    Any number of them, counted from the first, is a sample of the same kind.
    """
    steps, size = nominal.shape
    given = given[:max(0, count - 2)]
    fresh = count - 2 - len(given)
    bold = round(spread.bold_share * fresh)
    noise = sigma * torch.randn((fresh - bold + 1) // 2, size, spread.knots, generator=generator)
    # Reaching past the limits makes full speed, the common best choice, likely.
    reach = 3 * torch.rand((bold + 1) // 2, size, spread.knots, generator=generator) - 1.5
    sequences = _smooth(torch.cat([noise, -noise, reach, -reach]), steps)
    near = nominal + sequences[:2 * len(noise)]
    drawn = torch.cat([near, sequences[2 * len(noise):]])[_mixed(fresh, bold)]
    still = torch.zeros_like(nominal)
    return bounded(torch.cat([nominal[None], still[None], given, drawn])[:count], bounds)


def bounded(candidates: Tensor, bounds: Bounds) -> Tensor:
    """Return candidates [N, T, A] as near to these as the bounds allow, step by step."""
    candidates = candidates.clamp(bounds.low, bounds.high)
    if (bounds.rate >= bounds.high - bounds.low).all():
        return candidates
    before = bounds.last.clamp(bounds.low, bounds.high).expand(len(candidates), -1)
    for step in candidates.unbind(1):
        # In place: each step is a view.
        torch.clamp(step, before - bounds.rate, before + bounds.rate, out=step)
        before = step
    return candidates


def _smooth(knots: Tensor, steps: int) -> Tensor:
    """Interpolate [N, A, M] to [N, T, A]."""
    return (knots @ _between(knots.shape[-1], steps)).transpose(1, 2)


@lru_cache
def _between(knots: int, steps: int) -> Tensor:
    """Return what each knot counts at each step, [M, T]."""
    each = torch.eye(knots)[None]
    return functional.interpolate(each, size=steps, mode='linear', align_corners=True)[0]


@lru_cache
def _mixed(fresh: int, bold: int) -> Tensor:
    """
    Return the order of the draws, [fresh]: mirror images together, bold ones spread among others.

    They are counted as `propose` lays them: draws near the nominal, their images, bold, theirs.
    """
    near = fresh - bold
    placed = []
    for start, count in ((0, near), (2 * ((near + 1) // 2), bold)):
        pairs = (count + 1) // 2
        order = [start + pair + image * pairs for pair in range(pairs) for image in (0, 1)]
        # Where each lies between the first and the last of its kind.
        placed += [((place // 2 + 0.5) / pairs, index)
                   for place, index in enumerate(order[:count])]
    return torch.tensor([index for _, index in sorted(placed, key=lambda pair: pair[0])],
                        dtype=torch.long)
