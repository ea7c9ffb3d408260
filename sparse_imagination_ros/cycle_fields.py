# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is said of one planning cycle on `~/cycle`, live and in replayed bags."""

from collections.abc import Iterable
from typing import Protocol


class CycleFacts(Protocol):
    """What both a cycle and a row of a replay know."""

    @property
    def encode_ms(self) -> float:
        """Return the time for encoding."""

    @property
    def imagine_ms(self) -> float:
        """Return the time for imagining."""

    @property
    def tokens(self) -> int:
        """Return how many tokens were imagined."""

    @property
    def candidates(self) -> int:
        """Return how many candidates were drawn together."""

    @property
    def iterations(self) -> int:
        """Return how often they were drawn."""

    @property
    def imagined(self) -> int:
        """Return how many candidates all iterations had; none if the last plan goes on."""

    @property
    def reason(self) -> str:
        """Return why so much was spent."""

    @property
    def not_finite(self) -> int:
        """Return how many numbers were none, and so did not count."""

    @property
    def cost(self) -> float:
        """Return the lowest cost."""


def cycle_fields(
    cycle: CycleFacts, frame_stamp_s: float, total_ms: float, missed: bool, total_tokens: int,
    subset: Iterable[int], plan: Iterable[Iterable[float]],
) -> dict[str, object]:
    """Return names and values; plan: [T, A], one action after the other, all digits kept."""
    return {
        'frame_stamp': frame_stamp_s, 'total_ms': total_ms, 'encode_ms': cycle.encode_ms,
        'imagine_ms': cycle.imagine_ms, 'deadline_missed': int(missed), 'encodes': 1,
        'tokens': cycle.tokens, 'total_tokens': total_tokens, 'candidates': cycle.candidates,
        'iterations': cycle.iterations, 'imagined': cycle.imagined, 'reason': cycle.reason,
        'not_finite': cycle.not_finite, 'cost': cycle.cost,
        'subset': ' '.join(map(str, subset)),
        'plan': ' '.join(repr(float(value)) for action in plan for value in action)}
