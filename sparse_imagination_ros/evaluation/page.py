# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all reports are made of: templates, the style sheet, and a few pieces of HTML."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template


def part(name: str) -> str:
    """Return a file of templates/ as it is."""
    return files(__package__).joinpath('templates', name).read_text(encoding='utf-8')


def template(name: str) -> Template:
    """Return a file of templates/ whose $names are to be filled in."""
    return Template(part(name))


def fact(name: str, value: str, kind: str = '') -> str:
    """Return one number of a summary; value is HTML."""
    return f'<div><dt>{name}</dt><dd class="{kind}">{value}</dd></div>'


def pairs(given: Iterable[tuple[str, str]]) -> str:
    """Return names with what they stand for."""
    return '\n'.join(
        f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in given)
