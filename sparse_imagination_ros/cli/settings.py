# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Config dataclasses on the command line: one option for each field."""

from argparse import ArgumentParser, Namespace
from dataclasses import fields
from typing import TypeVar

from sparse_imagination_ros.config import build

Config = TypeVar('Config')


def add_settings(parser: ArgumentParser, kind: type[Config]) -> None:
    """Add an option for each setting of a config dataclass, with its meaning and default."""
    for field in fields(kind):  # type: ignore[arg-type]
        parser.add_argument(
            '--' + field.name.replace('_', '-'), type=type(field.default), default=field.default,
            choices=field.metadata['choices'] or None,
            help=f'{field.metadata["meaning"]} (default: {field.default})')


def read_settings(args: Namespace, kind: type[Config]) -> Config:
    """Build the validated config from parsed arguments."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return build(kind, {name: getattr(args, name) for name in names}, 'command line')
