# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
This package's searches beside those of others: arithmetic, and what comes of so many candidates.

All are asked the same questions, with the same model, objective, bounds and number of imagined
candidates, from the same start. The others' noise and temperature are tuned to these questions
(to other ones than those that count); ours are the planner's defaults.
docs/planning.md tells how to run it and what came of it.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import product
import json
from math import inf
from pathlib import Path
from statistics import median
import sys
from time import process_time
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Generator, Tensor

from sparse_imagination_ros.evaluation.closed_loop import drive_episode, LoopConfig
from sparse_imagination_ros.imagination.reference import Context, imagine, Memory, remember
from sparse_imagination_ros.planning.mppi import optimise, Refinement
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Cycle, Planner, PlannerConfig
from sparse_imagination_ros.planning.proposals import Bounds, Proposals, Spread
from sparse_imagination_ros.planning.search import Method, OPTIMISERS, Question
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Frame, Picture
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Lookahead

Costs = Callable[[Tensor], Tensor]
# Costs of candidates, steps, actions, candidates, iterations, seed to a plan [T, A].
Solve = Callable[[Costs, int, int, int, int, int], Tensor]

COUNTS = (32, 64, 128, 256)
SIGMAS, TEMPERATURES = (0.3, 0.6, 1.0), (0.03, 0.1, 0.5)
# The best known plan of a question is looked for with so much.
THOROUGH = (512, 12)


@dataclass(frozen=True)
class Regret:
    """How much worse than the best known plan; 1 is as bad as standing still. 95 % interval."""

    who: str
    candidates: int
    mean: float
    low: float
    high: float


def ours(optimiser: str) -> Solve:
    """Return a search of this package, with the planner's defaults."""
    config = PlannerConfig()
    refinement = Refinement(
        config.sigma, config.least_sigma, Lookahead().effective_samples, config.elites)
    spread = Spread(config.knots, config.bold_share)

    def solve(
        costs_of: Costs, steps: int, size: int, count: int, iterations: int, seed: int,
    ) -> Tensor:
        one = np.ones(size, np.float32)
        bounds = Bounds(-one, one, 2 * one, 0 * one)
        plan = optimise(
            np.zeros((steps, size), np.float32), np.zeros((0, steps, size), np.float32),
            lambda candidates: costs_of(torch.from_numpy(candidates)).numpy(),
            Proposals((count, steps, size), spread, bounds, np.random.default_rng(seed)),
            OPTIMISERS[optimiser], refinement, iterations).actions
        return torch.from_numpy(plan)

    return solve


def pytorch_mppi(sigma: float, temperature: float) -> Solve:
    """Return pytorch-mppi; its dynamics do nothing, all is in its terminal cost."""
    kind = import_module('pytorch_mppi').MPPI

    def solve(
        costs_of: Costs, steps: int, size: int, count: int, iterations: int, seed: int,
    ) -> Tensor:
        torch.manual_seed(seed)
        nothing = torch.zeros(count)
        search = kind(
            lambda state, action: state, lambda state, action: nothing, 1,
            sigma**2 * torch.eye(size), count, steps, lambda_=temperature,
            terminal_state_cost=lambda states, actions: costs_of(actions[0]),
            u_min=-torch.ones(size), u_max=torch.ones(size), U_init=torch.zeros(steps, size))
        for _ in range(iterations):
            search.command(torch.zeros(1), shift_nominal_trajectory=False)
        plan: Tensor = search.U
        return plan

    return solve


def stable_worldmodel(name: str, sigma: float, temperature: float) -> Solve:
    """Return a solver of stable-worldmodel."""
    kind = getattr(_solvers(), name)
    extra = {'temperature': temperature} if name == 'MPPISolver' else {}

    def solve(
        costs_of: Costs, steps: int, size: int, count: int, iterations: int, seed: int,
    ) -> Tensor:
        def get_cost(info: dict[str, Any], candidates: Tensor) -> Tensor:
            return costs_of(candidates[0].clamp(-1, 1))[None]

        solver = kind(
            SimpleNamespace(get_cost=get_cost), num_samples=count, var_scale=sigma,
            n_steps=iterations, topk=max(2, count // 10), seed=seed, **extra)
        solver.configure(
            action_space=gymnasium.spaces.Box(-1.0, 1.0, (1, size)), n_envs=1,
            config=SimpleNamespace(horizon=steps, action_block=1))
        plan: Tensor = solver.solve({'question': torch.zeros(1, 1)})['actions'][0]
        return plan.clamp(-1, 1)

    return solve


def peers(sigma: float, temperature: float) -> dict[str, Solve]:
    """Return the searches of others that are installed."""
    found: dict[str, Solve] = {}
    if find_spec('pytorch_mppi'):
        found['pytorch-mppi'] = pytorch_mppi(sigma, temperature)
    if 'stable_worldmodel' in sys.modules or find_spec('stable_worldmodel'):
        for name in ('MPPISolver', 'CEMSolver', 'ICEMSolver'):
            found[f'stable-worldmodel {name}'] = stable_worldmodel(name, sigma, temperature)
    return found


def arithmetic(rounds: int) -> dict[str, dict[str, float]]:
    """Measure the processor's milliseconds of an iteration with a model that does nothing."""
    count, steps, size, iterations = 300, 6, 2, 30
    costs = torch.rand(count, generator=Generator().manual_seed(0))
    solvers = {'ours mppi': ours('mppi'), 'ours cem': ours('cem'), **peers(0.6, 0.1)}
    taken: dict[str, list[float]] = {name: [] for name in solvers}
    # In turns, so that all meet the same machine; the first round warms up.
    for number in range(rounds + 1):
        for name, solve in solvers.items():
            began_s = process_time()
            solve(lambda candidates: costs, steps, size, count, iterations, number)
            if number:
                taken[name].append(1000 * (process_time() - began_s) / iterations)
    return {name: {'min_ms': min(times), 'median_ms': median(times)}
            for name, times in taken.items()}


def quality(bundle: Bundle, questions: int, iterations: int, seed: int) -> list[Regret]:
    """Measure the regret of each search at each number of candidates."""
    asked = [_Asked(bundle, question) for question in _questions(bundle, 2 * questions, seed)]
    tuning, counting = asked[::2], asked[1::2]
    for one in asked:
        one.settle()
    solvers: dict[str, Solve] = {'ours mppi': ours('mppi'), 'ours cem': ours('cem')}
    for name in peers(1.0, 1.0):
        def regret(setting: tuple[float, float], name: str = name) -> float:
            solve = peers(*setting)[name]
            return float(np.mean([one.regret(solve, 64, iterations) for one in tuning]))

        best = min(product(SIGMAS, TEMPERATURES), key=regret)
        solvers[name] = peers(*best)[name]
        print(f'{name}: sigma {best[0]}, temperature {best[1]}', file=sys.stderr)
    rows = []
    for name, solve in solvers.items():
        for count in COUNTS:
            regrets = np.array([one.regret(solve, count, iterations) for one in counting])
            half = 1.96 * regrets.std(ddof=1) / len(regrets) ** 0.5
            mean = float(regrets.mean())
            rows.append(Regret(name, count, mean, mean - half, mean + half))
    return rows


class _Asked:
    """A question, with costs in units of what standing still costs more than the best plan."""

    def __init__(self, bundle: Bundle, asked: tuple[Question, Method]) -> None:
        self._question, self._method = asked
        self._predictor, self._frameskip = bundle.predictor, bundle.manifest.frameskip
        self._memory: Memory = remember(
            bundle.predictor, Context(self._question.tokens, self._question.actions))
        self._steps, self._size = self._question.nominal.shape
        self._best, self._scale = 0.0, 1.0

    def settle(self) -> None:
        """Find the best plan that can be found, and the scale."""
        still = torch.zeros(1, self._steps, self._size)
        plans = [ours(optimiser)(self._costs_of, self._steps, self._size, *THOROUGH, 1)
                 for optimiser in OPTIMISERS]
        best = min(float(self._costs_of(plan[None])) for plan in plans)
        scale = float(self._costs_of(still)) - best
        self._best, self._scale = best, max(scale, 1e-9)

    def regret(self, solve: Solve, count: int, iterations: int) -> float:
        """Return how much worse a search's plan is than the best known."""
        plan = solve(self._costs_of, self._steps, self._size, count, iterations, 0)
        return float(self._costs_of(plan[None]))

    @torch.inference_mode()
    def _costs_of(self, candidates: Tensor) -> Tensor:
        actions = candidates.reshape(len(candidates), -1, self._size * self._frameskip)
        costs = imagine(self._predictor, self._memory, self._question.goal,
                        self._question.subset, actions, self._method.objective)
        return (costs - self._best) / self._scale


class _Curious:
    """A planner whose questions are kept, now and then."""

    def __init__(self, planner: Planner) -> None:
        self._planner, self._asked = planner, 0
        self.questions: list[Question] = []

    def set_goal(self, picture: Picture) -> None:
        self._planner.set_goal(picture)

    def plan(self, frame: Frame, sent: CommandHistory, *, waited_s: float) -> Cycle:
        cycle = self._planner.plan(frame, sent, inf, waited_s)
        self._asked += 1
        if self._asked % 10 == 1 and cycle.record is not None:
            self.questions.append(cycle.record.question)
        return cycle


def _questions(bundle: Bundle, count: int, seed: int) -> list[tuple[Question, Method]]:
    """Drive, and return what was asked on the way."""
    planner = Planner(bundle, replace(PlannerConfig(), tokens=4))
    curious = _Curious(planner)
    world = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
    limits = bundle.limits(LoopConfig().staleness_s)
    while len(curious.questions) < count:
        drive_episode(world, curious, limits, seed, LoopConfig(time_limit_s=8.0),
                      lambda cycle: 60.0)
        seed += 1
    return [(question, planner.method) for question in curious.questions[:count]]


def _solvers() -> ModuleType:
    """Import only the solvers: the package itself imports its data tools, gigabytes of them."""
    if 'stable_worldmodel' not in sys.modules:
        spec = find_spec('stable_worldmodel')
        assert spec is not None and spec.submodule_search_locations is not None
        package = ModuleType('stable_worldmodel')
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules['stable_worldmodel'] = package
    solvers = import_module('stable_worldmodel.solver')
    # They say how long each search took.
    for name in ('mppi', 'cem', 'icem'):
        vars(import_module(f'stable_worldmodel.solver.{name}'))['print'] = lambda *words: None
    return solvers


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables."""
    parser = ArgumentParser(description='Searches of this package and of others.')
    parser.add_argument('--bundle', type=Path, default=Path('models/rooms'))
    parser.add_argument('--questions', type=int, default=100, help='(%(default)s)')
    parser.add_argument('--iterations', type=int, default=2, help='of each search (%(default)s)')
    parser.add_argument('--rounds', type=int, default=30, help='of arithmetic (%(default)s)')
    parser.add_argument('--seed', type=int, default=100, help='of the layouts (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='draw the regrets here')
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    times = arithmetic(args.rounds)
    print('milliseconds of an iteration, 300 candidates x 6 steps x 2 actions, no model')
    for name, taken in times.items():
        print(f'{name:32} min {taken["min_ms"]:.3f}  median {taken["median_ms"]:.3f}')
    rows = quality(Bundle.load(args.bundle), args.questions, args.iterations, args.seed)
    print(f'regret after {args.iterations} iterations; 1 is standing still')
    for row in rows:
        print(f'{row.who:32} {row.candidates:4}  {row.mean:.3f} ({row.low:.3f} to {row.high:.3f})')
    if args.json:
        args.json.write_text(json.dumps(
            {'arithmetic': times, 'regret': [asdict(row) for row in rows]}, indent=2) + '\n')
    if args.plot:
        draw(rows, args.iterations, args.plot)


def draw(rows: Sequence[Regret], iterations: int, path: Path) -> None:
    """Draw the regret of each search over the number of candidates, with its interval."""
    plots = import_module('matplotlib.pyplot')
    figure, axes = plots.subplots(figsize=(7, 4), layout='constrained')
    for who in dict.fromkeys(row.who for row in rows):
        mine = [row for row in rows if row.who == who]
        counts = [row.candidates for row in mine]
        line, = axes.plot(counts, [row.mean for row in mine], marker='o', label=who,
                          linewidth=2.5 if who.startswith('ours') else 1.2)
        axes.fill_between(counts, [row.low for row in mine], [row.high for row in mine],
                          color=line.get_color(), alpha=0.12, linewidth=0)
    axes.set_xscale('log', base=2)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set_ylim(bottom=0)
    axes.set_xlabel('candidates')
    axes.set_ylabel(f'regret after {iterations} iterations')
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == '__main__':
    main()
