# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The loop of a training: steps, checkpoints, the curve on disk. What is learned is not known here.

A run that was stopped, or killed at any moment, goes on as if it had not been: each step draws
from a generator of its own, and what lies after the last checkpoint is done again.
"""

from collections.abc import Callable
import csv
from dataclasses import dataclass
from math import cos, pi
import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from torch import distributed, Generator, nn, Tensor

from sparse_imagination_ros.errors import DataError

CHECKPOINT_STEPS = 100

Made = TypeVar('Made')


@dataclass(frozen=True)
class Progress:
    """Where a training is: the part's name, its finished steps and all its steps, its loss."""

    part: str
    step: int
    steps: int
    loss: float


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Share:
    """
    One process's part of a loss that is a share: an error, of what it is measured against.

    Both are sums, so that several processes' parts add up to the same loss as one process's.
    """

    wrong: Tensor
    change: Tensor


@dataclass(frozen=True)
class Team:
    """The processes that train together."""

    rank: int
    size: int

    @staticmethod
    def alone() -> 'Team':
        """Return a team of this process."""
        return Team(0, 1)

    @staticmethod
    def joined() -> 'Team':
        """Join the processes that `torchrun` started; without it this process is alone."""
        team = Team(int(os.environ.get('RANK', '0')), int(os.environ.get('WORLD_SIZE', '1')))
        if team.size > 1 and not distributed.is_initialized():
            distributed.init_process_group('gloo')
        return team

    def first_alone(self, make: Callable[[], Made]) -> Made:
        """Let the first process make something on disk before the others find it there."""
        if self.size == 1:
            return make()
        if self.rank == 0:
            made = make()
        distributed.barrier()
        return made if self.rank == 0 else make()

    def share(self, loss: Share) -> tuple[Tensor, float]:
        """Return what this process minimises, and the loss of all."""
        if self.size == 1:
            share = loss.wrong / loss.change
            return share, share.item()
        sums = torch.stack([loss.wrong.detach(), loss.change.detach()])
        distributed.all_reduce(sums)
        wrong, change = sums
        # The gradients of these add up to that of wrong / change.
        mine = loss.wrong / change - wrong * loss.change / change.square()
        return mine, (wrong / change).item()

    def add_gradients(self, modules: nn.Module) -> None:
        """Make every process's gradients those of the common loss."""
        if self.size > 1:
            gradients = [p.grad for p in modules.parameters() if p.grad is not None]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            distributed.all_reduce(flat)
            start = 0
            for gradient in gradients:
                gradient.copy_(flat[start:start + gradient.numel()].reshape(gradient.shape))
                start += gradient.numel()

    def part_of(self, batch: Tensor) -> Tensor:
        """Return this process's part of a batch that all have drawn alike."""
        return batch[self.rank::self.size]


@dataclass(frozen=True)
class Course:
    """How a part is trained. average: how slowly the averaged weights follow, 0 for no average."""

    part: str
    steps: int
    learning_rate: float
    seed: int
    average: float


def run(
    course: Course, modules: nn.Module, loss_of: Callable[[int, Generator], Share], work: Path,
    report: Report, team: Team,
) -> None:
    """Train modules in place; at the end they hold the averaged weights."""
    optimiser = torch.optim.AdamW(modules.parameters(), course.learning_rate, weight_decay=0.01)
    average = {name: value.clone() for name, value in modules.state_dict().items()}
    path, curve = work / f'{course.part}.pt', work / f'{course.part}.csv'
    done = _resume(path, modules, optimiser, average)
    if team.rank == 0:
        _rewind(curve, done)
    for step in range(done, course.steps):
        rate = course.learning_rate * _schedule(step, course.steps)
        for group in optimiser.param_groups:
            group['lr'] = rate
        generator = torch.Generator().manual_seed(course.seed * 10_000_000 + step)
        mine, loss = team.share(loss_of(step, generator))
        if not torch.tensor(loss).isfinite():
            raise DataError(
                f'the loss of the {course.part} is {loss} at step {step + 1}: the recording '
                'holds values that are not finite, or `learning_rate` is too high')
        optimiser.zero_grad()
        mine.backward()  # type: ignore[no-untyped-call]
        team.add_gradients(modules)
        nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimiser.step()
        _follow(average, modules, course.average)
        if team.rank == 0:
            _append(curve, step + 1, loss, rate)
            if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == course.steps:
                _checkpoint(path, step + 1, modules, optimiser, average)
        report(Progress(course.part, step + 1, course.steps, loss))
    modules.load_state_dict(average)


def _schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine down to 2 %."""
    return min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 + cos(pi * step / steps)) / 2)


def _follow(average: dict[str, Tensor], modules: nn.Module, slowness: float) -> None:
    for name, value in modules.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - slowness)
        else:
            average[name].copy_(value)


def _checkpoint(
    path: Path, step: int, modules: nn.Module, optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
) -> None:
    part = path.with_suffix('.part')
    torch.save({'step': step, 'modules': modules.state_dict(), 'average': average,
                'optimiser': optimiser.state_dict()}, part)
    part.rename(path)


def _resume(
    path: Path, modules: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, Tensor],
) -> int:
    if not path.exists():
        return 0
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        modules.load_state_dict(state['modules'])
        optimiser.load_state_dict(state['optimiser'])
        average.update(state['average'])
        return int(state['step'])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError,
            UnpicklingError) as error:
        raise DataError(
            f'{path} is damaged ({type(error).__name__}: {error}); delete it, and this '
            'part of the training begins again') from error


def _rewind(curve: Path, done: int) -> None:
    """Drop what the curve says of steps that will be done again."""
    rows = curve.read_text().splitlines()[1:done + 1] if curve.exists() else []
    curve.write_text('\n'.join(['step,loss,learning_rate', *rows]) + '\n')


def _append(curve: Path, step: int, loss: float, rate: float) -> None:
    with curve.open('a', newline='') as file:
        csv.writer(file, lineterminator='\n').writerow([step, repr(loss), repr(rate)])
