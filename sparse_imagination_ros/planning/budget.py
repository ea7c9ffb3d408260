# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a cycle may spend, so that its plan is ready in time and as good as that allows.

Twice: before the search the controller chooses how many tokens and candidates to imagine; during
it `Grants` decides before each chunk whether it still fits. How long things take is learned in
`latency.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from math import inf, log2, sqrt

from torch import Tensor

from sparse_imagination_ros.imagination.reference import Imagine, Memory, Moment, Objective
from sparse_imagination_ros.planning.aside import Aside
from sparse_imagination_ros.planning.latency import Cell, LatencyModel
from sparse_imagination_ros.planning.mppi import OutOfTimeError
from sparse_imagination_ros.world_models.manifest import Quality
from sparse_imagination_ros.world_models.predictor import Predictor

ENCODE, REMEMBER, IMAGINE, FINISH = 'encode', 'remember', 'imagine', 'finish'
# How late one wakes up who slept until a deadline. So many milliseconds are added to it, since
# what is on time would be no time at all.
WAKE, AWAKE_MS = 'wake', 1.25

# Candidates of the smallest chunk; larger ones have twice as many, and so on.
SMALLEST_CHUNK = 4
# The controller goes no lower.
FEWEST_CANDIDATES = 16
# The share of the time that a new choice is made for, and one that would replace a choice that
# still does: what lies between them keeps it from going back and forth.
SHARE, SHARE_TO_CHANGE = 0.9, 0.8
# A chunk is granted as if it took so many times as long as is typical, to be given up seldom.
MARGIN = 1.1
# The first one of a cycle rather surely comes: or there would be nothing at all.
CAREFUL = 2.0
# The smallest one is tried even if it must take only such a share of that, since it can be given
# up.
HOPE = 0.5
# What is kept back for all that is not measured, milliseconds.
RESERVE_MS = 1.0
# A choice is replaced by one that is so much better in so many cycles on end.
GAIN, CALM_CYCLES = 1.01, 3


@dataclass(frozen=True)
class Effort:
    """What a cycle spends."""

    tokens: int
    candidates: int
    iterations: int


@dataclass(frozen=True)
class Choice:
    """What the controller chose, and why."""

    effort: Effort
    reason: str


@dataclass(frozen=True)
class _Option:
    """Tokens and candidates, how many iterations fit, and the quality to expect."""

    tokens: int
    candidates: int
    iterations: float
    quality: float


class Controller:
    """
    Chooses the tokens and candidates of each cycle by the quality to expect in the time there is.

    It goes down at once when not even one iteration fits, and otherwise changes its choice only
    when another one was better for several cycles. Iterations are what fits.
    """

    def __init__(
        self, most: Effort, fewest_tokens: int, total_tokens: int, quality: Quality | None = None,
    ) -> None:
        self._most, self._total, self._quality = most, total_tokens, quality
        self._sizes = tuple(product(
            halvings(most.tokens, min(fewest_tokens, most.tokens)),
            halvings(most.candidates, min(FEWEST_CANDIDATES, most.candidates))))
        self._current: tuple[int, int] | None = None
        self._calm = 0

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """All pairs of tokens and candidates that it may choose, the most first."""
        return self._sizes

    def choose(self, latency: LatencyModel, room_ms: float) -> Choice:
        """Choose for a search that must end within so many milliseconds."""
        if room_ms == inf:
            return Choice(self._most, 'no deadline: all that is allowed')
        aimed = self._best(latency, SHARE * room_ms)
        if self._current is None:
            return self._change(aimed, 'the first cycle', room_ms)
        current = self._option(*self._current, latency, room_ms)
        if current.iterations < 1 and (aimed.tokens, aimed.candidates) != self._current:
            slower = f'not one iteration with {_size(self._current)} fits any more'
            return self._change(aimed, slower, room_ms)
        better = self._best(latency, SHARE_TO_CHANGE * room_ms)
        if better.quality <= GAIN * self._option(*self._current, latency, SHARE * room_ms).quality:
            self._calm = 0
            why = 'all that is allowed fits' if self._is_most(current) else (
                'nothing better fits')
            return self._choice(current, why, room_ms)
        self._calm += 1
        wish = _size((better.tokens, better.candidates))
        if self._calm < CALM_CYCLES:
            return self._choice(
                current, f'{wish} would be better for {self._calm} of {CALM_CYCLES} cycles',
                room_ms)
        return self._change(better, f'{wish} are better', room_ms)

    def affordable(self, latency: LatencyModel, room_ms: float) -> Effort:
        """Return the best effort that fits, whatever was chosen before."""
        best = self._best(latency, SHARE * room_ms)
        return Effort(best.tokens, best.candidates, max(1, int(best.iterations)))

    def _change(self, option: _Option, reason: str, room_ms: float) -> Choice:
        self._current, self._calm = (option.tokens, option.candidates), 0
        return self._choice(option, reason, room_ms)

    def _choice(self, option: _Option, reason: str, room_ms: float) -> Choice:
        effort = Effort(option.tokens, option.candidates, self._most.iterations)
        return Choice(effort, f'{reason}; {option.iterations:.1f} iterations in {room_ms:.0f} ms')

    def _is_most(self, option: _Option) -> bool:
        return Effort(option.tokens, option.candidates, int(option.iterations)) == self._most

    def _best(self, latency: LatencyModel, room_ms: float) -> _Option:
        """Return the best that fits; the least of all if nothing does."""
        options = [self._option(*size, latency, room_ms) for size in self._sizes]
        best = max(options, key=lambda option: option.quality)
        return best if best.quality > 0 else options[-1]

    def _option(
        self, tokens: int, candidates: int, latency: LatencyModel, room_ms: float,
    ) -> _Option:
        left_ms = room_ms - latency.typical_ms(Cell(REMEMBER, tokens))
        each_ms = latency.typical_ms(Cell(IMAGINE, tokens, candidates))
        fit = left_ms / each_ms if each_ms > 0 else inf
        iterations = min(fit, float(self._most.iterations))
        quality = 0.0
        if iterations >= 1:
            quality = success_of(tokens, self._total, self._quality) * search_quality(
                candidates, iterations)
        return _Option(tokens, candidates, iterations, quality)


def success_of(tokens: int, total: int, quality: Quality | None) -> float:
    """
    Return the success to expect of so many tokens.

    It is interpolated over the logarithm of the count, and more tokens are never taken for worse.
    What was not measured is taken to rise with the tenth root of the share of all tokens.
    """
    if quality is None:
        return float((tokens / total) ** 0.1)
    points: list[tuple[float, float]] = []
    for count, success in zip(quality.tokens, quality.success, strict=True):
        points.append((log2(count), max(success, points[-1][1] if points else 0.0)))
    at = log2(tokens)
    for (left, low), (right, high) in pairwise(points):
        if left <= at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return points[0][1] if at < points[0][0] else points[-1][1]


def search_quality(candidates: int, iterations: float) -> float:
    """Return what a search is taken to reach of what is possible; more pays less and less."""
    return (1 - 1 / sqrt(candidates)) * (1 - 0.1 / iterations)


class Grants:
    """
    Grants chunks of candidates until the deadline, and learns how long each took.

    A chunk is granted if it fits as a rule: so large ones come while there is much time, and small
    ones near the end. It is computed aside, and given up when its time is over, whatever it does.

    aside: if there is none, a chunk cannot be given up, and must hardly ever take too long.
    """

    def __init__(
        self, clock: Callable[[], float], latency: LatencyModel, tokens: int, deadline_s: float,
        aside: Aside | None = None,
    ) -> None:
        self._clock, self._latency, self._tokens = clock, latency, tokens
        self._aside = None if deadline_s == inf else aside
        kept_ms = RESERVE_MS + latency.worst_ms(Cell(FINISH))
        if self._aside is not None:
            kept_ms += latency.worst_ms(Cell(WAKE))
        self._until_s = deadline_s - kept_ms / 1000
        self._granted, self._since_s = 0, clock()
        self._is_first = True
        # Whether anything fitted as a rule.
        self.fitted = False

    @property
    def since_s(self) -> float:
        """When it was asked last."""
        return self._since_s

    def __call__(self, left: int) -> int:
        """Return how many of so many candidates may be imagined next."""
        self.settle()
        room_ms = 1000 * (self._until_s - self._since_s)
        self._granted = left if room_ms == inf else self._most(left, room_ms)
        self._is_first = self._is_first and not self._granted
        return self._granted

    def timely(self, engine: Imagine) -> Imagine:
        """Return an engine that raises `OutOfTimeError` instead of an answer that is too late."""
        if self._aside is None:
            return engine
        aside = self._aside

        def timely(
            predictor: Predictor, memory: Memory, goal: Tensor, subset: Tensor,
            candidates: Tensor, objective: Objective,
        ) -> Tensor:
            done = 0

            def watched(moment: Moment) -> Tensor:
                nonlocal done
                done = moment.step + 1
                # What is given up ends as soon as it can.
                if self._clock() > self._until_s:
                    raise OutOfTimeError
                return objective(moment)

            call = partial(engine, predictor, memory, goal, subset, candidates, watched)
            try:
                return aside(call, self._until_s - self._clock())
            except OutOfTimeError:
                now_s = self._clock()
                self._latency.observe(Cell(WAKE), AWAKE_MS + 1000 * (now_s - self._until_s))
                # As long as all of it would have taken: who gave up everything would learn
                # nothing more.
                self._settle(now_s, max(1.0, candidates.shape[1] / (done + 1)))
                raise
        return timely

    def settle(self) -> None:
        """Note how long the last chunk took."""
        self._settle(self._clock())

    def _settle(self, now_s: float, times: float = 1.0) -> None:
        if self._granted:
            self._latency.observe(
                Cell(IMAGINE, self._tokens, self._granted), times * 1000 * (now_s - self._since_s))
        self._granted, self._since_s = 0, now_s

    def _most(self, left: int, room_ms: float) -> int:
        sizes, least_ms = chunks_of(left), self._needed_ms(chunks_of(left)[-1])
        self.fitted = self.fitted or least_ms <= room_ms
        if self._aside is None:
            return next((count for count in sizes if self._needed_ms(count) <= room_ms), 0)
        margin = CAREFUL if self._is_first else 1.0
        for count in sizes:
            if margin * self._needed_ms(count) <= room_ms:
                return count
        return sizes[-1] if HOPE * least_ms <= room_ms else 0

    def _needed_ms(self, count: int) -> float:
        cell = Cell(IMAGINE, self._tokens, count)
        if self._aside is None:
            return self._latency.worst_ms(cell)
        return MARGIN * self._latency.typical_ms(cell)


def chunks_of(left: int) -> list[int]:
    """Return the sizes that the next chunk of so many candidates may have, the largest first."""
    if left <= SMALLEST_CHUNK:
        return [left]
    largest = SMALLEST_CHUNK * 2 ** int(log2(left / SMALLEST_CHUNK))
    return halvings(largest, SMALLEST_CHUNK)


def grantable(candidates: int) -> list[int]:
    """Return all sizes that chunks of so many candidates, and of what is left of them, have."""
    left = candidates % SMALLEST_CHUNK
    return [*chunks_of(candidates), *([left] if 0 < left < candidates else [])]


def halvings(most: int, fewest: int) -> list[int]:
    """Return a number, its half and so on, none of them below `fewest`."""
    sizes = [most]
    while sizes[-1] // 2 >= fewest:
        sizes.append(sizes[-1] // 2)
    return sizes


def _size(size: tuple[int, int]) -> str:
    return f'{size[0]} tokens x {size[1]} candidates'
