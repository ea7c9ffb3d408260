# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads pickles without running anything that they name: those of whole modules, and of numbers.

Only tensors and arrays are rebuilt. Classes of modules and optimisers become empty shells that
hold their attributes; every other name in the file is refused.
"""

from collections import defaultdict, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
import pickle
from types import ModuleType
from typing import Any
import zipfile

import numpy as np
import torch
from torch import Tensor
from torch._utils import _rebuild_parameter, _rebuild_tensor_v2

from sparse_imagination_ros.errors import CheckpointError

# What a pickled tensor is rebuilt by, and plain containers.
_SAFE: dict[tuple[str, str], Any] = {
    ('torch._utils', '_rebuild_tensor_v2'): _rebuild_tensor_v2,
    ('torch._utils', '_rebuild_parameter'): _rebuild_parameter,
    ('collections', 'OrderedDict'): OrderedDict,
    ('collections', 'defaultdict'): defaultdict,
    ('builtins', 'dict'): dict,
    ('__builtin__', 'dict'): dict,
    ('builtins', 'set'): set,
    ('__builtin__', 'set'): set,
}
_REBUILDERS: tuple[Any, ...] = (np.empty(0).__reduce__()[0], np.int64(0).__reduce__()[0])
# What pickled arrays and their numbers are rebuilt by; numpy 2 has renamed the module.
_NUMBERS: dict[tuple[str, str], Any] = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    **{(f'numpy.{core}.multiarray', function.__name__): function
       for core in ('core', '_core') for function in _REBUILDERS},
}
# Where the classes come from that checkpoints of world models hold, and that are never built.
_SHELLED = ('models.', 'torch.nn.', 'torch.optim.', 'accelerate.')


class Shell:
    """What stands for an object of a class that is not built; its attributes are kept."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def read_pickled_modules(path: Path) -> dict[str, Any]:
    """Return the top level of a checkpoint, with shells where it holds modules."""
    if not path.is_file():
        raise CheckpointError(f'{path} is not there; name a checkpoint file such as model.pth')
    if not zipfile.is_zipfile(path):
        raise CheckpointError(
            f'{path} is damaged, or no checkpoint of PyTorch 1.6 or newer: copy it again')
    with _explained(path) as refusal:
        # `pickle_module` is how torch.load is told which names may be resolved.
        found = torch.load(
            path, map_location='cpu', weights_only=False, pickle_module=_restricted(refusal))
    if not isinstance(found, dict):
        raise CheckpointError(f'{path} holds a {type(found).__name__}, not the parts of a model')
    return found


def read_pickled_numbers(path: Path) -> Any:
    """Return what a plain pickle holds, of numbers, arrays and lists."""
    with _explained(path) as refusal, path.open('rb') as file:
        return _careful(_NUMBERS, (), refusal)(file).load()


def tensors_of(module: Any) -> dict[str, Tensor]:
    """Return all parameters and buffers of a shelled module, named as its state_dict would be."""
    return dict(_walk(module, ''))


def children_of(module: Any) -> dict[str, Any]:
    """Return the modules inside a shelled module, by name."""
    return dict(getattr(module, '_modules', {}))


def _walk(module: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for kind in ('_parameters', '_buffers'):
        for name, value in getattr(module, kind, {}).items():
            if isinstance(value, Tensor):
                yield prefix + name, value.detach()
    for name, child in children_of(module).items():
        yield from _walk(child, f'{prefix}{name}.')


@contextmanager
def _explained(path: Path) -> Iterator[list[str]]:
    """Collect the names that are refused, and say what is wrong with a file."""
    refusal: list[str] = []
    try:
        yield refusal
    except Exception as error:
        if refusal:
            raise CheckpointError(
                f'{path} names `{refusal[0]}`, which no world model needs: it may be made to run '
                'commands on this machine. Nothing of it was run; do not use the file') from error
        raise CheckpointError(
            f'{path} is damaged ({type(error).__name__}: {error}); copy it again') from error


def _careful(
    known: Mapping[tuple[str, str], Any], shelled: tuple[str, ...], refusal: list[str],
) -> type[pickle.Unpickler]:
    class Unpickler(pickle.Unpickler):

        def find_class(self, module: str, name: str) -> Any:
            if (module, name) in known:
                return known[module, name]
            if f'{module}.'.startswith(shelled) and '.' not in name:
                return Shell
            refusal.append(f'{module}.{name}')
            raise pickle.UnpicklingError(refusal[0])

    return Unpickler


def _restricted(refusal: list[str]) -> ModuleType:
    def load(*_: Any, **__: Any) -> Any:
        raise pickle.UnpicklingError('files older than PyTorch 1.6 are not read')

    restricted = ModuleType('restricted_pickle')
    vars(restricted).update(Unpickler=_careful(_SAFE, _SHELLED, refusal), load=load)
    return restricted
