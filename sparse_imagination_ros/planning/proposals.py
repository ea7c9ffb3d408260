# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates: smooth noise around a nominal sequence, bold guesses, and the bounds on both."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Spread:
    """How candidates are drawn, in units of the action limits."""

    sigma: float
    knots: int
    bold_share: float


def propose(nominal: Tensor, count: int, spread: Spread, generator: Generator) -> Tensor:
    """
    Draw candidates [N, T, A] within -1 .. 1 around a nominal sequence [T, A].

    The first is the nominal itself and the second is standing still. A share is bold: drawn from
    the whole range with no regard to the nominal, so that a way around a wall can be found.
    """
    steps, size = nominal.shape
    bold = round(spread.bold_share * count)
    noise = _smooth(torch.randn(count, spread.knots, size, generator=generator), steps)
    candidates = nominal + spread.sigma * noise
    # Reaching past the limits makes full speed, the common best choice, likely.
    reach = 3 * torch.rand(bold, spread.knots, size, generator=generator) - 1.5
    candidates[count - bold:] = _smooth(reach, steps)
    candidates[0] = nominal
    candidates[1] = 0
    return candidates.clamp(-1, 1)


def _smooth(knots: Tensor, steps: int) -> Tensor:
    """Interpolate [N, M, A] to [N, T, A]."""
    return functional.interpolate(
        knots.transpose(1, 2), size=steps, mode='linear', align_corners=True).transpose(1, 2)
