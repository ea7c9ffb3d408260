# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings as frozen dataclasses: declared once with meaning and range, validated at the door."""

from collections.abc import Mapping
from dataclasses import field, fields, MISSING
from pathlib import Path
import reprlib
from typing import Any, get_args, get_origin, TypeVar

import yaml

from sparse_imagination_ros.errors import ConfigError

Config = TypeVar('Config')

LARGEST_WHOLE = 2**63 - 1
# No settings are longer; PyYAML would take minutes to say that they are none.
LONGEST_YAML = 2**20
# What PyYAML raises about texts that are none, beside its own errors.
_NO_YAML = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError,
    RecursionError)
# A value may hold itself, or a list of a list of a list, a thousand million times.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 2, 80, 80, 40


def setting(
    default: Any, meaning: str, low: float | None = None, high: float | None = None,
    choices: tuple[str, ...] = (), live: bool = False,
) -> Any:
    """
    Declare one field of a config dataclass: default, meaning, closed range or choices.

    A field whose default is MISSING must be given. live: whether it may change while in use.
    """
    return field(default=default, metadata={
        'meaning': meaning, 'low': low, 'high': high, 'choices': choices, 'live': live})


def build(
    kind: type[Config], values: Mapping[str, Any], where: str, prefix: str = '',
) -> Config:
    """
    Build a validated config from a mapping; its lists become tuples.

    In error messages `where` names the source, and `prefix` stands before each setting's name.
    """
    values = {name: tuple(value) if isinstance(value, list) else value
              for name, value in values.items()}
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise ConfigError(
                f'{where}: unknown setting `{prefix}{str(name)[:80]}`; '
                f'known settings: {", ".join(prefix + name for name in sorted(known))}')
    for name, f in known.items():
        if name in values:
            _check(f, values[name], where, prefix)
        elif f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(f'{where}: setting `{prefix}{name}` is missing')
    return kind(**values)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds names with values."""
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path} cannot be read ({error})') from error
    values = read_yaml(text, str(path))
    if not isinstance(values, dict):
        raise ConfigError(f'{path} does not hold settings, as `name: value`')
    return values


def read_word(word: str, names: str = 'NAME') -> tuple[str, Any]:
    """Read NAME=VALUE from the command line, as `names` calls the names; the value is YAML."""
    name, equals, value = word.partition('=')
    if not equals or not name:
        raise ConfigError(f'--set {word} is not of the form {names}=VALUE')
    return name, read_yaml(value, f'--set {word}')


def read_yaml(text: str, where: str) -> Any:
    """Read YAML, which runs nothing; `where` is what errors call the text."""
    if len(text) > LONGEST_YAML:
        raise ConfigError(
            f'{where} cannot be read: no settings are longer than {LONGEST_YAML} characters')
    try:
        return yaml.safe_load(text)
    except _NO_YAML as error:
        raise ConfigError(
            f'{where} cannot be read ({type(error).__name__}: {str(error)[:300]}): it is damaged, '
            'or no YAML') from error


def shown(value: Any) -> str:
    """Return a value as an error shows it: not longer than one can read."""
    return _SHORT.repr(value)


def _check(declared: Any, value: Any, where: str, prefix: str) -> None:
    name = prefix + declared.name
    if not _fits(value, declared.type):
        raise ConfigError(
            f'{where}: `{name}` is {shown(value)} ({type(value).__name__}); '
            f'expected a {_called(declared.type)}')
    low, high = declared.metadata.get('low'), declared.metadata.get('high')
    # Written so that a NaN is refused, too.
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise ConfigError(
            f'{where}: `{name}` is {shown(value)}; allowed range is '
            f'[{"-inf" if low is None else low}, {"inf" if high is None else high}]')
    choices = declared.metadata.get('choices')
    if choices and value not in choices:
        raise ConfigError(f'{where}: `{name}` is {shown(value)}; allowed: {", ".join(choices)}')


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a type; whole numbers are numbers, truth values are not."""
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, tuple):
            return False
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if kind in (int, float):
        # What is larger is no number of this machine, nor of ROS.
        return (isinstance(value, (int, kind)) and not isinstance(value, bool)
                and not (isinstance(value, int) and abs(value) > LARGEST_WHOLE))
    return isinstance(value, kind)


def _called(kind: Any) -> str:
    if get_origin(kind) is not tuple:
        return str(getattr(kind, '__name__', kind))
    first, *others = get_args(kind)
    count = '' if Ellipsis in others else f' of length {1 + len(others)}'
    return f'list of {first.__name__}{count}'
