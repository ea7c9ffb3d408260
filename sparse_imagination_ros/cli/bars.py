# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a training is: a bar for each of its parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from sparse_imagination_ros.training.loop import Progress as Step


class Bars:
    """Bars by name, each made when it is heard of first."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, part: str, done: int, total: int, loss: str = '') -> None:
        """Show that so much of a part is done."""
        if part not in self._tasks:
            self._tasks[part] = self._progress.add_task(part, total=total, loss=loss)
        self._progress.update(self._tasks[part], total=total, completed=done, loss=loss)

    def report(self, step: 'Step') -> None:
        """Show a step of a training."""
        loss = f'loss {step.loss:.4f}' if step.loss else ''
        self.show(step.part, step.step, step.steps, loss)


@contextmanager
def training_bars(console: Console) -> Iterator[Bars]:
    """Show bars while a training runs."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn('{task.fields[loss]}'))
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
