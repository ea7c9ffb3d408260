# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What imagination and planning ask of a predictor, of whichever family it is."""

from typing import Any, Protocol

from torch import Tensor

# A frame of a rollout, and the frames before it, as their predictor keeps them; nobody else looks
# inside.
State = Any
Cache = Any


class Predictor(Protocol):
    """Predicts what actions lead to. They are in units of the robot's limits."""

    @property
    def stride(self) -> int:
        """How many model steps it takes at once, at most."""

    @property
    def looks(self) -> int:
        """After how many of them, at most, it is looked at what has come so far."""

    @property
    def futures(self) -> int:
        """How many different futures of a candidate it can imagine."""

    def observe(self, tokens: Tensor, sensed: Tensor) -> Tensor:
        """Join an encoder's tokens [B, P, D] with what was sensed [B, Q], if that is used."""

    def start(self, tokens: Tensor, draws: int = 1) -> State:
        """
        Make the last frame seen ready, tokens [B, K, D] as observed.

        draws: how many futures of each candidate will be asked for, one after another.
        """

    def extend(self, state: State, actions: Tensor, cache: Cache) -> tuple[State, Cache]:
        """
        Predict what follows a frame, given those before it.

        state: of B frames, or of one that all share; actions: [B, S * A], of up to `stride` model
        steps, one after another. Returns B frames, and the cache that includes the frame given.
        """

    def empty_cache(self) -> Cache:
        """Return the cache before the first frame."""

    def tokens(self, state: State) -> Tensor:
        """Return the tokens of frames, [B, K, D], as observed or predicted."""

    def distance(self, state: State, goal: Tensor, counts: Tensor | None = None) -> Tensor:
        """
        Return how far B frames are from the goal [K, D], [B].

        counts: [K], how much each token counts; all the same if it is None.
        """


def mean_over_tokens(values: Tensor, counts: Tensor | None) -> Tensor:
    """Return the mean [B] of values [B, K] of tokens, of which each counts so much, [K]."""
    if counts is None:
        return values.mean(-1)
    # If none of them counts, all do.
    shares = (counts + 1e-12) / (counts + 1e-12).sum()
    return values @ shares
