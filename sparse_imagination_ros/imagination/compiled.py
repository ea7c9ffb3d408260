# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Graphs by torch.compile, for a GPU: each is recorded as a CUDA graph, and so is one launch.

What a cache holds stays on the GPU between steps. On a GPU it was NOT EXECUTED by us so far: there
was none. Without one the same is compiled for the processor, which is tested; it takes a C++
compiler and long to make, and is not worth it where another engine runs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn, Tensor

from sparse_imagination_ros.imagination.graphs import Build, Graph, listed
from sparse_imagination_ros.imagination.lowered import exported

# Runs before a recording, in which kernels are chosen and memory is taken.
WARM_UPS = 3

Run = Callable[..., Tensor | Sequence[Tensor]]


def builder(threads: int, precision: str, folder: Path | None = None) -> Build:
    """Return what makes graphs; threads and cached files are torch's own."""
    del threads, folder
    return partial(_build, 'cuda' if torch.cuda.is_available() else 'cpu', precision)


def _build(device: str, precision: str, network: nn.Module, example: Sequence[Tensor]) -> Graph:
    # Inputs are copied to these places: a recording reads from where it was made, and other
    # tensors, such as those of an inference mode, would be compiled for anew.
    places = [x.to(device, copy=True).contiguous() for x in example]
    # The exported program has code of its own: of one code torch keeps only a few graphs.
    run: Run = torch.compile(
        exported(network, places, precision).module(), fullgraph=True, dynamic=False)
    if device == 'cuda':
        run = _recorded(run, places)

    @torch.inference_mode(False)
    @torch.no_grad()
    def graph(inputs: Sequence[Tensor]) -> list[Tensor]:
        for place, x in zip(places, inputs, strict=True):
            place.copy_(x)
        first, *others = listed(run(*places))
        # Objectives live on the processor.
        return [first.cpu(), *others]

    return graph


def _recorded(run: Run, places: Sequence[Tensor]) -> Run:
    """Record what a network launches, to launch all of it at once from then on."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            run(*places)
    torch.cuda.current_stream().wait_stream(aside)
    recording = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recording):
        outputs = run(*places)

    def replay(*_: Tensor) -> list[Tensor]:
        recording.replay()
        # The next replay writes over them.
        return [x.clone() for x in listed(outputs)]

    return replay
