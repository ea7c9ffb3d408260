# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which engines there are, by name. Each lives in a file of its own, read when it is asked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import torch

from sparse_imagination_ros.errors import ConfigError, EngineError
from sparse_imagination_ros.imagination.graphs import GraphedEncoder, Maker
from sparse_imagination_ros.imagination.portions import Portioned, portioned
from sparse_imagination_ros.imagination.reference import Imagine, imagine
from sparse_imagination_ros.imagination.stepwise import Stepwise
from sparse_imagination_ros.imagination.verdict import foreign, read_verdict, Variant
from sparse_imagination_ros.machine import has_bfloat16
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor

Made = TypeVar('Made')

REFERENCE, AUTO = 'reference', 'auto'
# In which precisions there is each; in this order one stands in for another.
ENGINES = {
    'tensorrt': ('float32', 'bfloat16', 'float16'),
    'compiled': ('float32', 'bfloat16'),
    'openvino': ('float32', 'bfloat16'),
    'onnx': ('float32', 'int8'),
    REFERENCE: ('float32',),
}
# Those that run on a GPU if there is one.
ON_GPU = ('tensorrt', 'compiled')
# By such a share of its largest number a step may differ from the reference. What fewer bits do to
# the order of candidates is judged when a bundle is compiled; this only finds what is broken.
TOLERANCES = {'float32': 1e-3, 'float16': 0.02, 'bfloat16': 0.1, 'int8': 0.3}


@dataclass(frozen=True)
class Chosen:
    """A variant, and what its user should know of the choice, if anything."""

    variant: Variant
    note: str = ''


def chosen(name: str, bundle: Bundle) -> Chosen:
    """Return what an engine's name stands for; only what `compile` has judged has fewer bits."""
    if name != AUTO:
        return Chosen(Variant(name))
    verdict = read_verdict(bundle)
    if verdict is not None:
        return Chosen(verdict.best)
    why = 'was compiled for another machine, other software or weights' if foreign(bundle) else (
        'is not compiled')
    return Chosen(Variant(REFERENCE), (
        f'bundle `{bundle.manifest.name}` {why}: the reference imagines, which is slow; run '
        f'`sparse-imagination compile {bundle.folder}`'))


def with_stand_ins(name: str, make: Callable[[str], Made]) -> tuple[Made, tuple[str, ...]]:
    """
    Make something with an engine, or with the first of those after it that can be had here.

    Returns also why not with those before.
    """
    order, here = list(ENGINES), possible()
    others = () if name == AUTO else order[order.index(name) + 1:]
    wrong: list[str] = []
    for one in (name, *(other for other in others if other in here)):
        if one != REFERENCE:
            try:
                return make(one), tuple(wrong)
            except EngineError as error:
                wrong.append(str(error))
    return make(REFERENCE), tuple(wrong)


def possible() -> tuple[str, ...]:
    """Return the names of the engines that are worth a try on this machine."""
    needs = {'openvino': 'openvino', 'onnx': 'onnxruntime'}
    if torch.cuda.is_available():
        needs = {'tensorrt': 'torch_tensorrt', 'compiled': 'triton', **needs}
    return tuple(name for name, module in needs.items() if find_spec(module))


def variants_of(name: str) -> list[Variant]:
    """Return an engine in all precisions that this machine has."""
    if name not in ENGINES:
        raise ConfigError(f'there is no engine `{name}`; allowed: {", ".join(ENGINES)}')
    return [Variant(name, precision) for precision in ENGINES[name]
            if precision != 'bfloat16' or _has_bfloat16(name)]


def ready_engine(
    variant: Variant, bundle: Bundle, sizes: Iterable[tuple[int, int]],
) -> Imagine:
    """
    Return an engine that has all it needs for these numbers of tokens and candidates.

    What was made ready once for a bundle and a number of threads is shared by all who ask.
    """
    if variant.engine == REFERENCE:
        return Portioned(imagine)
    predictor, manifest = bundle.predictor, bundle.manifest
    if isinstance(predictor, RlaPredictor):
        raise EngineError(
            f'the engine `{variant.engine}` does not imagine bundles of the family rla yet; '
            f'choose `{REFERENCE}`')
    key, maker = _keyed(variant, bundle)
    engine: Stepwise = bundle.engines.setdefault(key, Stepwise(maker, predictor))
    whole = variant.engine in ON_GPU and torch.cuda.is_available()
    generator = torch.Generator().manual_seed(0)
    for tokens, candidates in sorted(sizes if whole else portioned(sizes)):
        seen = torch.randn(
            candidates, tokens, manifest.predictor.token_width, generator=generator)
        sensed = torch.randn(candidates, len(manifest.senses), generator=generator)
        actions = torch.rand(candidates, manifest.predictor.action_size, generator=generator)
        engine.prepare(predictor.observe(seen, sensed), 2 * actions - 1)
    return engine if whole else Portioned(engine)


def ready_encoder(variant: Variant, bundle: Bundle) -> Bundle:
    """Return a bundle that encodes single pictures by an engine."""
    if variant.engine == REFERENCE or isinstance(bundle.encoder, GraphedEncoder):
        return bundle
    key, maker = _keyed(variant, bundle)
    key = (*key, 'encoder')
    if key not in bundle.engines:
        bundle.engines[key] = GraphedEncoder(bundle.encoder, maker)
    return replace(bundle, encoder=bundle.engines[key])


def maker_of(variant: Variant, threads: int, folder: Path | None = None) -> Maker:
    """Return what makes the graphs of a variant, and may keep files in a folder."""
    name, precision = variant.engine, variant.precision
    if precision not in ENGINES[name]:
        raise EngineError(f'the engine `{name}` has no precision `{precision}`; '
                          f'it has {", ".join(ENGINES[name])}')
    try:
        module = import_module(f'sparse_imagination_ros.imagination.{name}')
    except ModuleNotFoundError as error:
        raise EngineError(
            f'the engine `{name}` needs the Python module `{error.name}`: '
            f"pip install 'sparse_imagination_ros[{name}]', or choose another engine") from error
    return Maker(str(variant), module.builder(threads, precision, folder), TOLERANCES[precision])


def _has_bfloat16(name: str) -> bool:
    """Tell whether what an engine runs on has it: where it is imitated, it is slow."""
    if name in ON_GPU and torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    return has_bfloat16()


def _keyed(variant: Variant, bundle: Bundle) -> tuple[tuple[object, ...], Maker]:
    """Return what makes the graphs of a bundle, and what these depend on beside it."""
    threads = torch.get_num_threads()
    # There an engine may keep files.
    folder = bundle.folder and bundle.folder / 'engines' / variant.engine
    return (variant, threads), maker_of(variant, threads, folder)
