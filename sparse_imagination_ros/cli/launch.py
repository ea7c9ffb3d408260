# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`sparse-imagination launch`: the launch files as processes, where there is no `ros2 launch`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import time
from typing import Any, TextIO

from sparse_imagination_ros.cli.processes import Processes
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.graph import Argument, GRAPHS, NodeSpec

PERIOD_S = 0.1
KILLED = 1


def add_parser(subparsers: Any) -> None:
    """Add this command to those of the main parser."""
    parser = subparsers.add_parser(
        'launch', help='start nodes as `ros2 launch` does, where there is none',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Start the nodes of a launch file, with the same arguments, in the ROS domain '
                    'of the\nenvironment; show what they log. Ctrl-C ends them.',
        epilog='\n'.join(f'  {name:9}{graph.meaning}' for name, graph in GRAPHS.items()))
    parser.add_argument('graph', choices=GRAPHS, help='what to start')
    parser.add_argument('words', nargs='*', metavar='NAME:=VALUE', help='what is chosen')
    parser.add_argument('-s', '--show-args', action='store_true',
                        help='show what may be chosen, and start nothing')
    parser.add_argument('--logs', type=Path, default=Path('out/launch'), metavar='FOLDER',
                        help='what the nodes log is kept in here, by what was started '
                             '(%(default)s)')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the nodes, and wait for their end."""
    graph = GRAPHS[args.graph]
    if args.show_args:
        for argument in graph.arguments:
            print(_described(argument))
        return 0
    specs = graph.describe(**_chosen(args.words, graph.arguments))
    return _run(specs, args.logs / args.graph)


def _described(argument: Argument) -> str:
    choices = f', one of {", ".join(argument.choices)}' if argument.choices else ''
    return f"{argument.name}:={argument.default or repr('')}\n    {argument.meaning}{choices}"


def _chosen(words: Sequence[str], arguments: Sequence[Argument]) -> dict[str, str]:
    known = {argument.name: argument for argument in arguments}
    chosen = {}
    for word in words:
        name, sign, value = word.partition(':=')
        if not sign or name not in known:
            raise ConfigError(
                f'`{word}` is no choice that there is; allowed: '
                + ', '.join(f'{name}:=' for name in known))
        choices = known[name].choices
        if choices and value not in choices:
            raise ConfigError(f'`{word}`: allowed are {", ".join(choices)}')
        chosen[name] = value
    return chosen


def _run(specs: Sequence[NodeSpec], folder: Path) -> int:
    with Processes(folder, {}) as processes:
        logs = []
        for spec in specs:
            processes.start(spec)
            logs.append(_Log(spec.name, processes.log(spec.name)))
        try:
            while True:
                time.sleep(PERIOD_S)
                codes = [processes.code(spec.name) for spec in specs if spec.ends_all]
                _show(logs)
                for code in codes:
                    if code is not None:
                        return code if code >= 0 else KILLED
                processes.check()
        finally:
            for spec in specs:
                processes.end(spec.name, lambda: _show(logs))
            _show(logs)


class _Log:
    """What a node logs, line by line, as it comes."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._rest = name, ''
        self._stream: TextIO = path.open(encoding='utf-8', errors='replace')

    def lines(self) -> list[str]:
        *lines, self._rest = (self._rest + self._stream.read()).split('\n')
        return [f'[{self._name}] {line}' for line in lines]


def _show(logs: Sequence[_Log]) -> None:
    for log in logs:
        for line in log.lines():
            print(line, flush=True)
