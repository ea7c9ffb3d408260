# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What imagination and planning ask of a predictor, of whichever family it is."""

from typing import Any, Protocol

from torch import Tensor

# The past frames of a rollout, as its predictor keeps them; nobody else looks inside.
Cache = Any


class Stepper(Protocol):
    """Does one model step. Actions are in units of the robot's limits."""

    def extend(self, tokens: Tensor, actions: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """
        Predict the successor of one frame, given those before it.

        tokens: [B, K, D], as observed or predicted; actions: [B, A], of one model step.
        Returns the prediction [B, K, D] and the cache that includes this frame.
        """


class Predictor(Stepper, Protocol):
    """Predicts the tokens of the next frame."""

    def observe(self, tokens: Tensor, sensed: Tensor) -> Tensor:
        """Join an encoder's tokens [B, K, D] with what was sensed [B, Q], if that is used."""

    def empty_cache(self) -> Cache:
        """Return the cache before the first frame."""

    def distance(self, tokens: Tensor, goal: Tensor, counts: Tensor | None = None) -> Tensor:
        """
        Return how far frames [B, K, D] are from the goal [K, D], [B].

        counts: [K], how much each token counts; all the same if it is None.
        """


def mean_over_tokens(values: Tensor, counts: Tensor | None) -> Tensor:
    """Return the mean [B] of values [B, K] of tokens, of which each counts so much, [K]."""
    if counts is None:
        return values.mean(-1)
    # If none of them counts, all do.
    shares = (counts + 1e-12) / (counts + 1e-12).sum()
    return values @ shares
