# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One cycle: a frame in, a time-stamped plan out, before its deadline. No threads here."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import ceil, inf, nan
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import ConfigError, FrameError, PlanningError
from sparse_imagination_ros.imagination.engines import (
    AUTO,
    chosen,
    ENGINES,
    ON_GPU,
    ready_encoder,
    ready_engine,
    REFERENCE,
)
from sparse_imagination_ros.imagination.reference import Imagine, imagine
from sparse_imagination_ros.imagination.sparing import Sparing
from sparse_imagination_ros.planning.aside import Aside
from sparse_imagination_ros.planning.budget import (
    AWAKE_MS,
    Choice,
    chunks_of,
    Controller,
    Effort,
    ENCODE,
    FINISH,
    grantable,
    Grants,
    IMAGINE,
    REMEMBER,
    WAKE,
)
from sparse_imagination_ros.planning.deciding import decided, proposed
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.planning.latency import Cell, LatencyModel
from sparse_imagination_ros.planning.mppi import Optimum, Refinement
from sparse_imagination_ros.planning.objective import (
    added_objectives,
    GoalDistance,
    region_weights,
    step_weights,
    Sum,
)
from sparse_imagination_ros.planning.plan import Array, CommandHistory, Plan, slide
from sparse_imagination_ros.planning.proposals import Spread
from sparse_imagination_ros.planning.search import (
    Method,
    OPTIMISERS,
    Question,
    Record,
    search,
)
from sparse_imagination_ros.planning.seen import Seen
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.tokens.subsets import SUBSETS
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.predictor import Predictor

# Why nothing was imagined.
STUCK = 'what an earlier cycle gave up has not ended'
MODES = PLAN, POLICY = 'plan', 'policy'
# How often each size is tried before the first cycle. The first time is always slow.
TRIALS = 3

# Tokens of the newest frame [K, D] and the goal [K, D] to sequences [M, T, A] worth a try.
Prior = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PlannerConfig:
    """The most that a cycle may spend, and how candidates are drawn and weighed."""

    mode: str = setting(
        PLAN, 'what a cycle does: search for a plan, or take what the policy of the bundle says',
        choices=MODES)
    tokens: int = setting(8, 'most tokens of a frame that are imagined', 1, 4096)
    fewest_tokens: int = setting(1, 'fewest, when time is short', 1, 4096)
    subset: str = setting(
        'differing', 'how they are chosen in each cycle; `differing`: rather those that differ '
                     'between frame and goal', choices=tuple(SUBSETS), live=True)
    candidates: int = setting(64, 'most action sequences that are imagined together', 4, 65536)
    iterations: int = setting(
        2, 'most times that the candidates are drawn in a cycle', 1, 100, live=True)
    steps: int = setting(
        0, 'model steps that are looked ahead; 0: as many as the bundle says', 0, 100)
    budget_ms: float = setting(
        150.0, 'time from the start of a cycle to its plan, milliseconds', 1.0, 60000.0, live=True)
    engine: str = setting(
        REFERENCE, 'what imagines; `auto`: what `sparse-imagination compile` found best',
        choices=(AUTO, *ENGINES))
    optimiser: str = setting(
        'mppi', 'how candidates are weighed: softly, or the few best ones alike',
        choices=tuple(OPTIMISERS), live=True)
    sigma: float = setting(
        0.3, 'noise on the last plan, of the action limits', 0.01, 2.0, live=True)
    least_sigma: float = setting(
        0.1, 'noise that is left when the best candidates agree', 0.0, 2.0, live=True)
    knots: int = setting(4, 'points between which candidates are interpolated', 2, 100, live=True)
    bold_share: float = setting(
        0.2, 'share of candidates drawn from the whole range', 0.0, 0.9, live=True)
    elites: int = setting(4, 'best candidates that are imagined again', 0, 1000, live=True)
    effective_samples: float = setting(
        0.0, 'how many candidates shall count in the mean, 1 or more; 0: as the bundle says',
        0.0, 10000.0, live=True)
    growth: float = setting(
        0.0, 'how much more each later step counts than the one before; .inf: only the last does; '
             '0: as the bundle says', 0.0, inf, live=True)
    effort_cost: float = setting(
        0.0, 'cost of the mean square of the commands', 0.0, inf, live=True)
    change_cost: float = setting(
        0.0, 'cost of the mean square of their changes', 0.0, inf, live=True)
    draws: int = setting(
        1, 'futures imagined of each candidate, by models that know several', 1, 64)
    worst_share: float = setting(
        1.0, 'share of them, the worst ones, by whose mean a candidate is judged', 0.001, 1.0,
        live=True)
    region_mask: str = setting('', 'path of a picture, white where tokens count')
    objectives: str = setting('', 'objectives of other packages, as name=weight name=weight')
    seed: int = setting(0, 'seed of the candidates and token subsets', 0, 2**31 - 1)


@dataclass(frozen=True)
class Cycle:
    """
    What one cycle did.

    iterations: how many were begun; imagined: how many candidates all of them had together, none
    if there was no time: then the plan is the last one; subset: [K], the token positions that
    were imagined, row by row; not_finite: numbers that were none, and so did not count; record:
    what the search can be repeated from; optimum: what it came to; goal_distance: from the frame
    to the goal, all tokens counted, as the predictor measures it.
    """

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
    imagined: int = 0
    reason: str = ''
    not_finite: int = 0
    record: Record | None = None
    optimum: Optimum | None = None
    goal_distance: float = nan


class Planner:
    """
    Plans with one bundle toward one goal picture at a time.

    latency: what is known of this machine, for one that is to keep deadlines. What is not known
    of it is tried before the first cycle, which takes a while. engine: if not the configured one.
    aside: where chunks are imagined that can be given up, if anywhere.
    """

    def __init__(
        self, bundle: Bundle, config: PlannerConfig,
        stopwatch: Callable[[], float] = monotonic, latency: LatencyModel | None = None,
        engine: Imagine | None = None, prior: Prior | None = None,
    ) -> None:
        self._stopwatch = stopwatch
        config = suited(config, bundle)
        self.engine = chosen(config.engine, bundle)
        self._bundle, self._config = ready_encoder(self.engine.variant, bundle), config
        manifest = bundle.manifest
        if config.mode == POLICY and bundle.policy is None:
            raise ConfigError(
                f'`mode` is {POLICY}, but bundle `{manifest.name}` has none; make one with '
                '`sparse-imagination train-policy`')
        if config.draws > bundle.predictor.futures:
            raise ConfigError(
                f'`draws` is {config.draws}; bundle `{manifest.name}` imagines '
                f'{bundle.predictor.futures} at most')
        self._scale = np.array(manifest.actions.high, np.float32)
        self._prior = self._policy_prior() if prior is None else prior
        self._engine = engine or engine_of(bundle, config, hurried=latency is not None)
        self.method = method_of(bundle, config, self._engine)
        self.latency = LatencyModel() if latency is None else latency
        self.aside = self._make_aside() if latency is not None else None
        self._controller = _controller(bundle, config)
        self._generator = torch.Generator().manual_seed(config.seed)
        self._goal: Tensor | None = None
        self._encodes = 0
        self.forget()
        self._warm_up(hurried=latency is not None)

    @property
    def budget_s(self) -> float:
        """How long a cycle may take."""
        return self._config.budget_ms / 1000

    def affordable(self, budget_ms: float) -> Effort:
        """Return the effort that would fill a budget, by what is known of this machine now."""
        encode_ms = self.latency.typical_ms(Cell(ENCODE))
        return self._controller.affordable(self.latency, budget_ms - encode_ms)

    def adjust(self, config: PlannerConfig, limits: Limits) -> None:
        """
        Go on by other settings and within other limits; what was seen and planned is kept.

        Of the settings only those that are `live` may differ: the others are what the planner was
        made ready for.
        """
        config = suited(config, self._bundle)
        refuse_fixed(self._config, config)
        self._config = config
        self.method = method_of(self._bundle, config, self._engine, limits)
        self._controller = _controller(self._bundle, config)

    def forget(self) -> None:
        """Drop what was seen and planned, as after a jump of the scene."""
        self._seen = Seen(self._bundle.manifest.predictor.window, self._step_s)
        self._plan: Plan | None = None
        self._elites = self._still(0)
        self._cycle_s = self.budget_s

    @torch.inference_mode()
    def set_goal(self, picture: Picture, sensed: Array | None = None) -> None:
        """Plan toward what this picture shows, and the robot then senses, from now on."""
        goal = self._encode(picture, sensed, 'goal picture')
        if not goal.isfinite().all(-1).any():
            raise FrameError('the goal picture, or what is sensed there, gives no numbers')
        self._goal = goal
        self.forget()

    @torch.inference_mode()
    def plan(
        self, frame: Frame, sent: CommandHistory, deadline_s: float = inf, waited_s: float = 0.0,
    ) -> Cycle:
        """
        Plan from a frame, and the commands that were sent up to now.

        The best plan that could be found is returned before the deadline, which is on the clock
        of the stopwatch. waited_s: how long ago the frame was taken.
        """
        if self._goal is None:
            raise PlanningError('there is no goal yet; publish a goal picture')
        start_s = self._stopwatch()
        self._encodes = 0
        self._see(frame)
        encoded_s = self._stopwatch()
        self.latency.observe(Cell(ENCODE), 1000 * (encoded_s - start_s))
        room_ms = self._room_ms(deadline_s, encoded_s)
        choice = self._controller.choose(self.latency, room_ms)
        subset = self._subset(self._goal, choice.effort.tokens)
        if len(subset) < self._bundle.manifest.fewest_tokens:
            subset = subset[:0]
        optimum, record, not_finite = None, None, self._seen.newest.not_finite
        reason = choice.reason
        predictor: Predictor = self._bundle.predictor
        goal_distance = float(
            predictor.distance(predictor.start(self._seen.newest.tokens[None]), self._goal))
        is_free = self.aside is None or self.aside.is_free(room_ms / 1000)
        grants = Grants(self._stopwatch, self.latency, len(subset), deadline_s, self.aside)
        if len(subset) and self._config.mode == POLICY:
            optimum = self._decide(self._goal[subset], subset)
        elif not is_free:
            reason = STUCK
        elif len(subset):
            question, bad = self._question(
                frame.stamp_s, self._goal, subset, sent, choice.effort.candidates, waited_s)
            optimum = self._search(question, choice, grants)
            record = Record(question, optimum.granted)
            not_finite += bad + optimum.not_finite
        self._take(optimum, frame.stamp_s)
        assert self._plan is not None
        done_s = self._stopwatch()
        self.latency.observe(Cell(FINISH), 1000 * (done_s - grants.since_s))
        self.latency.end_cycle()
        if optimum is not None and room_ms > 0 and not grants.fitted:
            for stage in (IMAGINE, WAKE):
                self.latency.grow_bolder(stage)
        # A moving average is enough here: it only shifts the first actions.
        self._cycle_s += 0.2 * (done_s - start_s - self._cycle_s)
        return Cycle(
            self._plan, 1000 * (encoded_s - start_s), 1000 * (done_s - encoded_s),
            1000 * (done_s - start_s), len(subset), choice.effort.candidates,
            len(optimum.granted) if optimum else 0, self._encodes, subset.numpy(),
            optimum.cost if optimum else inf, optimum.imagined if optimum else 0, reason,
            not_finite, record, optimum, goal_distance)

    @property
    def _step_s(self) -> float:
        return self._bundle.manifest.step_s

    @property
    def _command_s(self) -> float:
        """How long one of the commands in a model step is held."""
        return self._step_s / self._bundle.manifest.frameskip

    @property
    def _commands(self) -> int:
        """How many commands a plan has."""
        return self._config.steps * self._bundle.manifest.frameskip

    def _still(self, *count: int) -> Array:
        """Return so many sequences of standing still, [..., T, A]."""
        return np.zeros((*count, self._commands, len(self._scale)), np.float32)

    def _see(self, frame: Frame) -> None:
        if self._seen.is_ahead_of(frame.stamp_s):
            # The clock went back, as when a bag is replayed again.
            self.forget()
        self._seen.add(
            frame.stamp_s, self._encode(frame.rgb, frame.sensed, 'camera picture'))

    def _subset(self, goal: Tensor, count: int) -> Tensor:
        """Choose so many tokens, [K], of those that are numbers here and at the goal."""
        newest = self._seen.newest.tokens
        sound = (newest.isfinite() & goal.isfinite()).all(-1).nonzero().squeeze(1)
        difference = (newest[sound] - goal[sound]).square().mean(-1)
        draw = SUBSETS[self._config.subset]
        chosen: Tensor = sound[draw(difference, min(count, len(sound)), self._generator)]
        return chosen

    def _room_ms(self, deadline_s: float, now_s: float) -> float:
        return 1000 * (deadline_s - now_s) - self.latency.worst_ms(Cell(FINISH))

    def _search(self, question: Question, choice: Choice, grants: Grants) -> Optimum:
        def remembered() -> None:
            began_s = grants.since_s
            grants.settle()
            self.latency.observe(
                Cell(REMEMBER, len(question.subset)), 1000 * (grants.since_s - began_s))

        method = replace(self.method, imagine=grants.timely(self.method.imagine))
        optimum = search(self._bundle.predictor, method, question, choice.effort.iterations,
                         grants, remembered)
        grants.settle()
        return optimum

    def _make_aside(self) -> Aside | None:
        """Return where chunks are imagined that can be given up, if they can."""
        # Nobody can sleep by another clock; and what runs on a GPU belongs to its thread.
        if self._stopwatch is not monotonic or self.engine.variant.engine in ON_GPU:
            return None
        if not self.latency.knows(Cell(WAKE)):
            self.latency.observe(Cell(WAKE), AWAKE_MS)
        return Aside()

    def _policy_prior(self) -> Prior | None:
        policy = self._bundle.policy
        if policy is None:
            return None
        steps, size = self._commands, len(self._scale)
        return lambda tokens, goal: proposed(policy, tokens, goal, steps, size)

    def _decide(self, goal: Tensor, subset: Tensor) -> Optimum:
        """Take what the policy says."""
        assert self._bundle.policy is not None
        commands = decided(
            self._bundle.policy, self._seen.newest.tokens[subset], goal, len(self._scale))
        actions = commands.numpy()
        return Optimum(
            actions, 0.0, self._still(0), (), 0, actions[None], np.zeros(1, np.float32), 1.0)

    def _question(
        self, stamp_s: float, goal: Tensor, subset: Tensor, sent: CommandHistory,
        candidates: int, waited_s: float,
    ) -> tuple[Question, int]:
        """Gather what the search starts from, and count the numbers in it that were none."""
        nominal, elites = self._still(), self._elites
        if self._plan is not None:
            shift = (stamp_s - self._plan.start_s) / self._plan.step_s
            nominal, elites = self._plan.slid(stamp_s) / self._scale, slide(elites, shift)
        tokens, actions = self._context(subset, sent)
        committed, known = self._committed(stamp_s, sent, waited_s)
        priors = self._still(0)
        if self._prior is not None:
            priors = self._prior(tokens[-1], goal[subset]).numpy()
        parts = [np.asarray(part, np.float32) for part in (
            actions, nominal, elites, priors, committed, sent.last() / self._scale)]
        bad = sum(int((~np.isfinite(part)).sum()) for part in parts)
        if bad:
            parts = [np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0) for part in parts]
        actions, nominal, elites, priors, committed, last = parts
        seed = int(torch.randint(2**62, (), generator=self._generator))
        return Question(
            tokens, torch.from_numpy(actions), goal[subset], subset, nominal, elites, priors,
            committed, known, last, candidates, seed), bad

    def _committed(
        self, stamp_s: float, sent: CommandHistory, waited_s: float,
    ) -> tuple[Array, Array]:
        """
        Return what the robot is told until the plan can be ready, and for what share of each step.

        That time counts from the frame: it has waited, and the cycle takes as long as they do.
        """
        steps, command_s = np.arange(self._commands), self._command_s
        ready = (waited_s + self._cycle_s) / command_s
        known = np.clip(ready - steps, 0, 1).astype(np.float32)[:, None]
        committed = self._still()
        for step in range(min(self._commands, ceil(ready))):
            start_s = stamp_s + step * command_s
            end_s = stamp_s + min(step + 1, ready) * command_s
            if end_s > start_s:
                committed[step] = sent.mean(start_s, end_s) / self._scale
        return committed, known

    def _take(self, optimum: Optimum | None, stamp_s: float) -> None:
        """Keep what was found as the plan; if nothing was, the last plan goes on."""
        if optimum is not None and optimum.cost < inf and np.isfinite(optimum.actions).all():
            actions = optimum.actions * self._scale
            self._plan = Plan(stamp_s, stamp_s, self._command_s, actions)
            self._elites = optimum.elites
        elif self._plan is None:
            self._plan = Plan(stamp_s, stamp_s, self._command_s, self._still())

    def _context(self, subset: Tensor, sent: CommandHistory) -> tuple[Tensor, Array]:
        """Collect what was seen, tokens [H, K, D], and done in between, [H - 1, F * A]."""
        manifest, sights = self._bundle.manifest, self._seen.steps_apart()
        actions = np.zeros((len(sights) - 1, manifest.predictor.action_size), np.float32)
        for number, (one, other) in enumerate(pairwise(sights)):
            means = sent.means(one.stamp_s, other.stamp_s, manifest.frameskip)
            # A longer or shorter interval moves the robot more or less than a model step.
            means *= (other.stamp_s - one.stamp_s) / self._step_s
            actions[number] = (means / self._scale).ravel()
        return torch.stack([sight.tokens[subset] for sight in sights]), actions

    def _encode(
        self, picture: Picture, sensed: NDArray[np.float32] | None, what: str,
    ) -> Tensor:
        self._encodes += 1
        return self._bundle.encode(
            picture[None], None if sensed is None else sensed[None], what)[0]

    def _warm_up(self, hurried: bool) -> None:
        """Run everything before it counts; if it will be hurried, each size that is not known."""
        width, height = self._bundle.manifest.picture_size
        blank = np.zeros((height, width, 3), np.uint8)
        sensed = np.zeros(len(self._bundle.manifest.senses), np.float32)
        sent = CommandHistory(len(self._scale), 1.0)
        self.set_goal(blank, sensed)
        # The first cycles are slow, and that is nothing to learn from.
        latency, self.latency = self.latency, LatencyModel()
        for cycle in range(TRIALS):
            self.plan(Frame(cycle * self._step_s, blank, sensed), sent)
        self.latency = latency
        self.plan(Frame(TRIALS * self._step_s, blank, sensed), sent)
        if hurried:
            self._try_sizes(sent)
        self._goal = None
        self.forget()
        # What was tried, and so drawn, differs from machine to machine; plans shall not.
        self._generator.manual_seed(self._config.seed)

    @torch.inference_mode()
    def _try_sizes(self, sent: CommandHistory) -> None:
        assert self._goal is not None
        tokens_tried: dict[int, set[int]] = {}
        for tokens, candidates in self._controller.sizes:
            tokens_tried.setdefault(tokens, set()).update(chunks_of(candidates))
        for tokens, counts in tokens_tried.items():
            subset = self._subset(self._goal, tokens)
            for count in sorted(counts):
                if self.latency.knows(Cell(IMAGINE, tokens, count)):
                    continue
                for _ in range(TRIALS):
                    question, _ = self._question(
                        self._seen.newest.stamp_s, self._goal, subset, sent, count, 0.0)
                    grants = Grants(self._stopwatch, self.latency, tokens, inf)
                    self._search(question, Choice(Effort(tokens, count, 1), ''), grants)


def refuse_fixed(now: PlannerConfig, wanted: PlannerConfig) -> None:
    """Raise if settings differ that a planner is made ready for."""
    for declared in fields(PlannerConfig):
        name = declared.name
        if not declared.metadata['live'] and getattr(now, name) != getattr(wanted, name):
            raise ConfigError(
                f'`{name}` is {getattr(now, name)!r} and cannot become {getattr(wanted, name)!r} '
                'while the planner is in use: it was made ready for it')


def suited(config: PlannerConfig, bundle: Bundle) -> PlannerConfig:
    """Return a configuration that the bundle allows, with what is left to it as it says."""
    manifest, advice = bundle.manifest, bundle.manifest.lookahead
    fewest, most = manifest.fewest_tokens, manifest.total_tokens
    if not fewest <= config.tokens <= most:
        raise ConfigError(
            f'`tokens` is {config.tokens}; allowed range for bundle `{manifest.name}` is '
            f'[{fewest}, {most}]'
            + (', since its dense predictor is tied to positions' if fewest > 1 else ''))
    return replace(config, steps=config.steps or advice.steps,
                   growth=config.growth or advice.growth,
                   effective_samples=config.effective_samples or advice.effective_samples)


def engine_of(bundle: Bundle, config: PlannerConfig, hurried: bool) -> Imagine:
    """Return the configured engine, ready for all that a planner may ask of it."""
    config = suited(config, bundle)
    sizes = {(config.tokens, config.candidates)}
    if hurried:
        for tokens, candidates in _controller(bundle, config).sizes:
            sizes |= {(tokens, count) for count in (candidates, *grantable(candidates))}
    return Sparing(ready_engine(chosen(config.engine, bundle).variant, bundle, sizes))


def _controller(bundle: Bundle, config: PlannerConfig) -> Controller:
    manifest = bundle.manifest
    return Controller(
        Effort(config.tokens, config.candidates, config.iterations),
        max(manifest.fewest_tokens, config.fewest_tokens), manifest.total_tokens,
        manifest.quality)


def method_of(
    bundle: Bundle, config: PlannerConfig, engine: Imagine = imagine,
    limits: Limits | None = None,
) -> Method:
    """Return how such a planner searches; limits: if not those of the bundle."""
    config = suited(config, bundle)
    limits = bundle.limits(inf) if limits is None else limits
    manifest, scale = bundle.manifest, np.array(bundle.manifest.actions.high, np.float32)
    regions = None
    if config.region_mask:
        regions = region_weights(Path(config.region_mask), manifest.encoder.grid)
    predictor: Predictor = bundle.predictor
    weights = step_weights(config.steps, config.growth, predictor.stride, predictor.looks)
    distance = GoalDistance(predictor, tuple(weights.tolist()), regions)
    added = added_objectives(config.objectives)
    low, high, acceleration = (
        part / scale for part in (limits.low, limits.high, limits.acceleration))
    return Method(
        Sum([(1.0, distance), *added]) if added else distance,
        Spread(config.knots, config.bold_share), low, high,
        acceleration * np.float32(manifest.step_s / manifest.frameskip), manifest.frameskip,
        Refinement(config.sigma, min(config.sigma, config.least_sigma),
                   config.effective_samples, config.elites),
        config.optimiser, config.effort_cost, config.change_cost, engine, config.draws,
        config.worst_share)
