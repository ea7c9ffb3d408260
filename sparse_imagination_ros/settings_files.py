# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Settings as files: a parameter file, a JSON schema and a table, all from the config dataclasses.

Which settings a node has is said by whoever asks; nothing of ROS is needed here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import Field, fields
from math import inf, isinf
from typing import Any, get_args, get_origin

# Prefix of the parameters' names, and the dataclass that declares them.
Declared = Sequence[tuple[str, type[Any]]]

SCHEMA = 'http://json-schema.org/draft-07/schema#'
JSON_TYPES = {bool: 'boolean', int: 'integer', float: 'number', str: 'string'}


def parameter_file(header: Sequence[str], declared: Declared) -> str:
    """Return a parameter file with all defaults, each with its meaning and range above it."""
    lines = [*(f'# {line}' for line in header), '/**:', '  ros__parameters:']
    for name, one in _named(declared):
        lines += [f'    # {_explained(one)}', f'    {name}: {_yaml(one.default)}']
    return '\n'.join(lines) + '\n'


def schema(title: str, declared: Declared) -> dict[str, Any]:
    """Return a JSON schema of such a file."""
    properties = {name: _schema(one) for name, one in _named(declared)}
    return {
        '$schema': SCHEMA, 'title': title, 'type': 'object', 'required': ['/**'],
        'properties': {'/**': {
            'type': 'object', 'required': ['ros__parameters'],
            'properties': {'ros__parameters': {
                'type': 'object', 'additionalProperties': False, 'properties': properties}}}}}


def table(declared: Declared) -> str:
    """Return a table in Markdown; `live`: whether it may change while the node is active."""
    lines = ['| parameter | default | allowed | live | meaning |', '|---|---|---|---|---|']
    for name, one in _named(declared):
        allowed = ', '.join(one.metadata['choices']) or _range(one, '{} to {}')
        live = 'yes' if one.metadata['live'] else ''
        meaning = one.metadata['meaning'].replace('|', '\\|')
        lines.append(f'| `{name}` | `{_yaml(one.default)}` | {allowed} | {live} | {meaning} |')
    return '\n'.join(lines) + '\n'


def _named(declared: Declared) -> Iterator[tuple[str, Field[Any]]]:
    for prefix, kind in declared:
        for one in fields(kind):
            yield prefix + one.name, one


def _explained(one: Field[Any]) -> str:
    meaning, choices = one.metadata['meaning'], one.metadata['choices']
    if choices:
        return f'{meaning} ({", ".join(choices[:-1])} or {choices[-1]})'
    return f'{meaning}{_range(one, " [{} to {}]")}'


def _range(one: Field[Any], form: str) -> str:
    low, high = one.metadata['low'], one.metadata['high']
    if low is None and high is None:
        return ''
    bounds = (-inf if low is None else low, inf if high is None else high)
    return form.format(*(f'{bound:.10g}' for bound in bounds))


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and isinf(value):
        return '.inf' if value > 0 else '-.inf'
    if isinstance(value, tuple):
        return f'[{", ".join(map(_yaml, value))}]'
    if isinstance(value, str):
        return value if value.isidentifier() else "'" + value.replace("'", "''") + "'"
    return str(value)


def _schema(one: Field[Any]) -> dict[str, Any]:
    kind: Any = one.type
    described: dict[str, Any] = {'description': one.metadata['meaning']}
    if get_origin(kind) is tuple:
        return {**described, 'type': 'array', 'items': {'type': JSON_TYPES[get_args(kind)[0]]}}
    described['type'] = JSON_TYPES[kind]
    if one.metadata['choices']:
        described['enum'] = list(one.metadata['choices'])
    # JSON has no infinity: a bound that is none is left out.
    for name, bound in (('minimum', one.metadata['low']), ('maximum', one.metadata['high'])):
        if bound is not None and not isinf(bound):
            described[name] = bound
    if not (isinstance(one.default, float) and isinf(one.default)):
        described['default'] = one.default
    return described
