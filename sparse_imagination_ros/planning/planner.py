# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One cycle: a frame in, a time-stamped plan out. No threads and no clock but the stopwatch."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import ConfigError, PlanningError
from sparse_imagination_ros.imagination.reference import Context, imagine, remember
from sparse_imagination_ros.planning.mppi import optimise, Optimum
from sparse_imagination_ros.planning.objective import step_weights
from sparse_imagination_ros.planning.plan import CommandHistory, Plan
from sparse_imagination_ros.planning.proposals import Spread
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.tokens.subsets import SUBSETS
from sparse_imagination_ros.world_models.bundle import Bundle


@dataclass(frozen=True)
class PlannerConfig:
    """The effort of a cycle, and how candidates are drawn and weighed."""

    tokens: int = setting(8, 'tokens of a frame that are imagined', 1, 4096)
    subset: str = setting(
        'differing', 'how they are chosen in each cycle; `differing`: rather those that differ '
                     'between frame and goal', choices=tuple(SUBSETS))
    candidates: int = setting(64, 'action sequences that are imagined together', 4, 65536)
    iterations: int = setting(2, 'times that the candidates are drawn in a cycle', 1, 100)
    steps: int = setting(8, 'model steps that are looked ahead', 1, 100)
    budget_ms: float = setting(
        150.0, 'time from the start of a cycle to its plan, milliseconds', 1.0, 60000.0)
    sigma: float = setting(0.3, 'noise on the last plan, of the action limits', 0.01, 2.0)
    knots: int = setting(4, 'points between which candidates are interpolated', 2, 100)
    bold_share: float = setting(0.4, 'share of candidates drawn from the whole range', 0.0, 0.9)
    temperature: float = setting(
        0.01, 'how much worse candidates count, of the spread of costs', 0.001, 10.0)
    growth: float = setting(
        3.0, 'how much more each later step counts than the one before; .inf: only the last does',
        1.0, inf)
    seed: int = setting(0, 'seed of the candidates and token subsets', 0, 2**31 - 1)


@dataclass(frozen=True)
class Cycle:
    """What one cycle did. subset: [K], the token positions that were imagined, row by row."""

    plan: Plan
    encode_ms: float
    imagine_ms: float
    total_ms: float
    tokens: int
    candidates: int
    iterations: int
    encodes: int
    subset: NDArray[np.int64]
    cost: float


@dataclass(frozen=True)
class _Seen:
    stamp_s: float
    tokens: Tensor


class Planner:
    """Plans with one bundle toward one goal picture at a time."""

    def __init__(
        self, bundle: Bundle, config: PlannerConfig,
        stopwatch: Callable[[], float] = perf_counter,
    ) -> None:
        self._stopwatch = stopwatch
        self._bundle, self._config = bundle, config
        manifest = bundle.manifest
        fewest, most = manifest.fewest_tokens, manifest.total_tokens
        if not fewest <= config.tokens <= most:
            raise ConfigError(
                f'`tokens` is {config.tokens}; allowed range for bundle `{manifest.name}` is '
                f'[{fewest}, {most}]'
                + (', since its dense predictor is tied to positions' if fewest > 1 else ''))
        self._scale = np.array(manifest.actions.high, np.float32)
        self._weights = step_weights(config.steps, config.growth)
        self._spread = Spread(config.sigma, config.knots, config.bold_share)
        self._generator = torch.Generator().manual_seed(config.seed)
        self._goal: Tensor | None = None
        self._encodes = 0
        self.forget()
        self._warm_up()

    def forget(self) -> None:
        """Drop what was seen and planned, as after a jump of the scene."""
        self._seen: deque[_Seen] = deque()
        self._plan: Plan | None = None
        self._latency_s = self._config.budget_ms / 1000

    @torch.inference_mode()
    def set_goal(self, picture: Picture, sensed: NDArray[np.float32] | None = None) -> None:
        """Plan toward what this picture shows, and the robot then senses, from now on."""
        self._goal = self._encode(picture, sensed, 'goal picture')
        self.forget()

    @torch.inference_mode()
    def plan(self, frame: Frame, sent: CommandHistory) -> Cycle:
        """Plan from a frame, and the commands that were sent up to now."""
        if self._goal is None:
            raise PlanningError('there is no goal yet; publish a goal picture')
        start = self._stopwatch()
        self._encodes = 0
        self._see(frame)
        encoded = self._stopwatch()
        difference = (self._seen[-1].tokens - self._goal).square().mean(-1)
        subset = SUBSETS[self._config.subset](difference, self._config.tokens, self._generator)
        optimum = self._search(frame.stamp_s, self._goal, subset, sent)
        actions = optimum.actions.numpy() * self._scale
        self._plan = Plan(frame.stamp_s, frame.stamp_s, self._command_s, actions)
        done = self._stopwatch()
        # A moving average is enough here: it only shifts the first action.
        self._latency_s += 0.2 * (done - start - self._latency_s)
        return Cycle(
            self._plan, 1000 * (encoded - start), 1000 * (done - encoded), 1000 * (done - start),
            self._config.tokens, self._config.candidates, self._config.iterations, self._encodes,
            subset.numpy(), optimum.cost)

    @property
    def _step_s(self) -> float:
        return self._bundle.manifest.step_s

    @property
    def _command_s(self) -> float:
        """How long one of the commands in a model step is held."""
        return self._step_s / self._bundle.manifest.frameskip

    def _see(self, frame: Frame) -> None:
        if self._seen and frame.stamp_s <= self._seen[-1].stamp_s:
            # The clock went back, as when a bag is replayed again.
            self.forget()
        tokens = self._encode(frame.rgb, frame.sensed, 'camera picture')
        self._seen.append(_Seen(frame.stamp_s, tokens))
        span_s = self._bundle.manifest.predictor.window * self._step_s
        while self._seen[0].stamp_s < frame.stamp_s - span_s:
            self._seen.popleft()

    def _search(
        self, now_s: float, goal: Tensor, subset: Tensor, sent: CommandHistory,
    ) -> Optimum:
        config, predictor = self._config, self._bundle.predictor
        memory = remember(predictor, self._context(subset, sent))
        frameskip = self._bundle.manifest.frameskip
        nominal = torch.zeros(config.steps * frameskip, len(self._scale))
        if self._plan is not None:
            nominal = torch.from_numpy(self._plan.slid(now_s) / self._scale)
        # Until this plan can be ready the robot goes on with what it is told now.
        known = np.clip(self._latency_s / self._command_s - np.arange(frameskip), 0, 1)[:, None]
        given, free = (torch.from_numpy(share).float() for share in (known, 1 - known))
        committed = torch.from_numpy(sent.mean(now_s, now_s + self._latency_s) / self._scale)

        def costs_of(candidates: Tensor) -> Tensor:
            commands = candidates.clone()
            commands[:, :frameskip] = given * committed + free * candidates[:, :frameskip]
            actions = commands.reshape(len(commands), config.steps, -1)
            return imagine(predictor, memory, goal[subset], actions, self._weights)

        return optimise(nominal, costs_of, config.candidates, config.iterations, self._spread,
                        config.temperature, self._generator)

    def _context(self, subset: Tensor, sent: CommandHistory) -> Context:
        """Collect the frames that lie whole model steps before the newest, as far as seen."""
        manifest = self._bundle.manifest
        chosen = [self._seen[-1]]
        actions: list[Tensor] = []
        for back in range(1, manifest.predictor.window):
            wanted_s = self._seen[-1].stamp_s - back * self._step_s
            nearest = min(self._seen, key=lambda seen: abs(seen.stamp_s - wanted_s))
            if abs(nearest.stamp_s - wanted_s) > self._step_s / 4:
                break
            between_s = chosen[0].stamp_s - nearest.stamp_s
            means = sent.means(nearest.stamp_s, chosen[0].stamp_s, manifest.frameskip)
            # A longer or shorter interval moves the robot more or less than a model step.
            means *= between_s / self._step_s
            actions.insert(0, torch.from_numpy(means / self._scale).flatten())
            chosen.insert(0, nearest)
        return Context(
            torch.stack([seen.tokens[subset] for seen in chosen]),
            torch.stack(actions) if actions else torch.zeros(0, manifest.predictor.action_size))

    def _encode(
        self, picture: Picture, sensed: NDArray[np.float32] | None, what: str,
    ) -> Tensor:
        self._encodes += 1
        return self._bundle.encode(
            picture[None], None if sensed is None else sensed[None], what)[0]

    def _warm_up(self) -> None:
        width, height = self._bundle.manifest.picture_size
        blank = np.zeros((height, width, 3), np.uint8)
        sensed = np.zeros(len(self._bundle.manifest.senses), np.float32)
        self.set_goal(blank, sensed)
        for cycle in range(3):
            self.plan(Frame(cycle * self._step_s, blank, sensed),
                      CommandHistory(len(self._scale), 1.0))
        self._goal = None
        self.forget()
