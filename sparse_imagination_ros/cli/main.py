# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
`sparse-imagination`: finds the sub-command and reports what went wrong in one line.

Only the module of the chosen sub-command is imported: help is quick and needs no ROS.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
import sys
from typing import Any

from sparse_imagination_ros.errors import SparseImaginationError

COMMANDS = {
    'demo': 'drive a simulated robot to goal pictures over ROS 2',
    'record': 'record episodes in the simulator',
    'train': 'train a bundle from recorded episodes',
    'train-policy': 'train what decides without a search, also from videos',
    'train-rl': 'correct a policy by what it tries in imagination',
    'import': 'turn a checkpoint of an official release into a bundle',
    'evaluate': 'drive many simulated episodes without ROS',
    'quality': 'store in a bundle what was measured by number of tokens',
    'stress': 'keep a deadline while the machine is loaded',
    'soak': 'drive for long, and show that nothing grows or is lost',
    'faults': 'cause one fault after another to a planner that drives',
    'compile': 'find the fastest engine for a bundle on this machine',
    'benchmark': 'how fast this machine imagines, by engine and size',
    'replay': 'what the planner would have done on a recorded bag, and how well it imagines',
    'launch': 'start nodes as `ros2 launch` does, where there is none',
    'inspect': 'show what a bundle, or a checkpoint of an official release, holds',
}
FAILED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    args = _parser(given[0] if given else '').parse_args(given)
    try:
        return int(_module(args.command).run(args))
    except SparseImaginationError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('sparse_imagination_ros'):
            raise
        return _fail(
            f'the Python module `{error.name}` is missing: install the extras of the package '
            "(pip install 'sparse_imagination_ros[ros,bags,dino]') or source your ROS 2 "
            f'installation; this Python is {sys.executable}')


def _parser(chosen: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='sparse-imagination',
        description='Plan from a camera, in real time, with a sparse visual world model.')
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, meaning in COMMANDS.items():
        if name == chosen:
            _module(name).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=meaning)
    return parser


def _module(command: str) -> Any:
    # No module can be called `import`, or have a hyphen.
    name = f'{command}_' if iskeyword(command) else command.replace('-', '_')
    return import_module(f'sparse_imagination_ros.cli.{name}')


def _fail(reason: str) -> int:
    print(f'error: {reason}', file=sys.stderr)
    return FAILED


if __name__ == '__main__':
    sys.exit(main())
