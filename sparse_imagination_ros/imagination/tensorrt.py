# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Graphs by TensorRT, through torch-tensorrt: one engine for each size, of static shapes.

Written against the documentation of torch-tensorrt 2.8 and newer, and NOT EXECUTED by us so far:
there was no machine with TensorRT. What comes before the builder is tested: export, shapes, and
the numbers of products in half precision with norms and softmax in float32. docs/jetson.md says
how to report a run.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn, Tensor

from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.imagination.graphs import Build, Graph, listed
from sparse_imagination_ros.imagination.lowered import exported

# Built engines are kept up to so many bytes.
CACHE_BYTES = 4 * 2**30


def builder(threads: int, precision: str, folder: Path | None = None) -> Build:
    """Return what makes graphs, and keeps what TensorRT built in a folder."""
    del threads
    if not torch.cuda.is_available():
        raise EngineError('the engine `tensorrt` needs an NVIDIA GPU that PyTorch can use: choose '
                          'another engine')
    return partial(_build, precision, folder)


def _build(
    precision: str, folder: Path | None, step: nn.Module, example: Sequence[Tensor],
) -> Graph:
    import torch_tensorrt

    inputs = [x.cuda().contiguous() for x in example]
    keep = {} if folder is None else {
        'cache_built_engines': True, 'reuse_cached_engines': True,
        'engine_cache_dir': str(folder), 'engine_cache_size': CACHE_BYTES,
        'timing_cache_path': str(folder / 'timing.bin')}
    compiled = torch_tensorrt.dynamo.compile(
        exported(step, inputs, precision), arg_inputs=inputs, use_explicit_typing=True,
        require_full_compilation=True, **keep)

    def graph(given: Sequence[Tensor]) -> list[Tensor]:
        first, *others = listed(compiled(*(x.cuda() for x in given)))
        # Objectives live on the processor.
        return [first.cpu(), *others]

    return graph
