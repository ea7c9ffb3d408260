# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Gives bad input by the million to all that reads any, and counts what should not have happened.

    make fuzz FUZZ_ARGS='--inputs 1000000 --seed 1 --json out/fuzz.json'
    python test/fuzz.py --only manifests --seed 1 --case 4711      # one input again

A finding is any exception but ours, an input that takes too long, memory that stays, and anything
that is executed. Each input follows from the seed, the name of the target and its number.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
import json
import os
from pathlib import Path
from random import Random
import resource
import signal
import sys
import tempfile
import time
import traceback
from typing import Any

from fuzz_targets import Case, TARGETS

# So long one input may take, on a machine that does other things, too.
PATIENCE_S = 10.0
# Beyond what the process has when a target is ready: for one input, and after all of them.
ROOM_BYTES, GROWTH_KB = 2 * 1024**3, 64 * 1024
# Until caches are filled, growth says nothing.
WARM_UP_SHARE = 0.1
EXECUTES = ('os.system', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.fork', 'subprocess.Popen',
            'pty.spawn', 'socket.connect', 'socket.bind')
SHOWN = 20


class Finding(BaseException):
    """What no code that is tested can catch by accident."""


@dataclass
class Found:
    """What became of the inputs of one target."""

    inputs: int = 0
    seconds: float = 0.0
    growth_kb: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    def note(self, number: int, kind: str, trace: str) -> None:
        """Keep the first of each kind."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if self.kinds[kind] == 1 and len(self.findings) < SHOWN:
            self.findings.append({'case': number, 'kind': kind, 'trace': trace[-3000:]})


class Guard:
    """Stops what takes too long, and what executes."""

    def __init__(self) -> None:
        self.watches = False
        signal.signal(signal.SIGALRM, self._on_alarm)
        sys.addaudithook(self._on_event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch one input."""
        self.watches = True
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.watches = False

    def _on_alarm(self, number: int, frame: object) -> None:
        raise Finding(f'takes longer than {PATIENCE_S:g} s')

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watches and event in EXECUTES:
            raise Finding(f'executes {event}')


def draw(seed: int, name: str, number: int) -> Random:
    """Return what one input is drawn from."""
    return Random(f'{seed} {name} {number}')


def attack(case: Case, name: str, seed: int, numbers: range, guard: Guard) -> Found:
    """Give one target so many inputs."""
    found, began_s = Found(), time.monotonic()
    warm = numbers.start + int(WARM_UP_SHARE * len(numbers))
    settled_kb = resident_kb()
    for number in numbers:
        if number == warm:
            settled_kb = resident_kb()
        rng = draw(seed, name, number)
        try:
            with guard.watching():
                case(rng)
        except (Exception, Finding) as error:
            found.note(number, _kind(error), traceback.format_exc())
        found.inputs += 1
    found.seconds = round(time.monotonic() - began_s, 1)
    found.growth_kb = resident_kb() - settled_kb
    if found.growth_kb > GROWTH_KB:
        found.note(-1, f'memory grew by {found.growth_kb} kB', '')
    return found


def silence() -> None:
    """Let libraries of C say nothing: they comment on each bad picture."""
    sys.stderr = os.fdopen(os.dup(2), 'w')
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def limit_memory() -> None:
    """Let an input that wants too much fail, instead of the machine."""
    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM_BYTES, hard))


def resident_kb() -> int:
    """Return what the process holds."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize() // 1024


def _kind(error: BaseException) -> str:
    """Name a finding by what it is and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = (frame for frame in reversed(frames) if 'sparse_imagination_ros/' in frame.filename)
    where = next(ours, frames[-1])
    text = str(error) if isinstance(error, Finding) else ''
    return f'{type(error).__name__} {text} at {Path(where.filename).name}:{where.lineno}'


def main() -> int:
    """Run all targets, or one input of one of them again."""
    parser = argparse.ArgumentParser(description='Bad input by the million.')
    parser.add_argument('--inputs', type=int, default=20_000, help='in total (%(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', choices=TARGETS, nargs='*', default=list(TARGETS))
    parser.add_argument('--case', type=int, help='only this one of the target, without a guard')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the totals here')
    args = parser.parse_args()
    guard = Guard()
    silence()
    shares = sum(TARGETS[name].share for name in args.only)
    results: dict[str, Found] = {}
    for name in args.only:
        target = TARGETS[name]
        with tempfile.TemporaryDirectory() as folder:
            case = target.prepare(Path(folder))
            if args.case is not None:
                case(draw(args.seed, name, args.case))
                continue
            limit_memory()
            count = max(1, round(args.inputs * target.share / shares))
            found = results[name] = attack(case, name, args.seed, range(count), guard)
        print(f'{name:20} {found.inputs:8} inputs in {found.seconds:7.1f} s, '
              f'{found.growth_kb:+6} kB, {sum(found.kinds.values())} findings', flush=True)
        for one in found.findings:
            print(f'    {found.kinds[one["kind"]]} x {one["kind"]}: --only {name!r} '
                  f'--seed {args.seed} --case {one["case"]}', flush=True)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({
            'seed': args.seed, 'inputs': sum(found.inputs for found in results.values()),
            'findings': sum(sum(found.kinds.values()) for found in results.values()),
            'targets': {name: asdict(found) for name, found in results.items()},
        }, indent=2) + '\n', encoding='utf-8')
    return 1 if any(found.findings for found in results.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
