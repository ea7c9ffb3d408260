# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Graphs by OpenVINO, for processors of the x86 kind."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
import sys
from typing import Any
import warnings

from torch import from_numpy, nn, Tensor
from torch.jit import trace

from sparse_imagination_ros.imagination.graphs import Build, far, Graph

# With that module it would report every import and every conversion to its makers, over the
# network. Without it, it does not.
sys.modules['openvino_telemetry'] = None  # type: ignore[assignment]
openvino = import_module('openvino')
# Who imported it before us did not know.
vars(import_module('openvino.tools.ovc.telemetry_utils'))['tm'] = import_module(
    'openvino.tools.ovc.telemetry_stub')

# As OpenVINO calls them.
HINTS = {'float32': 'f32', 'bfloat16': 'bf16'}
# By such a share of the largest number they are never off.
FAR = {'float32': 1e-3, 'bfloat16': 0.05}


def builder(threads: int, precision: str, folder: Path | None = None) -> Build:
    """Return what makes graphs that run on so many threads."""
    del folder
    return _Builder(FAR[precision], {
        'PERFORMANCE_HINT': 'LATENCY',
        'NUM_STREAMS': 1,
        'INFERENCE_NUM_THREADS': threads,
        # Or the graphs of several processes would wait for one and the same core.
        'ENABLE_CPU_PINNING': False,
        'INFERENCE_PRECISION_HINT': HINTS[precision],
    })


class _Builder:
    """Makes graphs of a network: converted once, and compiled for each size."""

    def __init__(self, share: float, config: dict[str, Any]) -> None:
        self._share, self._config, self._core = share, config, openvino.Core()
        self._models: dict[nn.Module, Any] = {}

    def __call__(self, network: nn.Module, example: Sequence[Tensor]) -> Graph:
        if network not in self._models:
            self._models[network] = _converted(network, example)
        model = self._models[network].clone()
        model.reshape({port: list(x.shape) for port, x in zip(model.inputs, example, strict=True)})
        graph = _running(self._core.compile_model(model, 'CPU', self._config))
        if far(graph(example), network(*example), self._share):
            # What 2026.4 fuses of attention is wrong where there are as many tokens as heads.
            unfused = {**self._config, 'SNIPPETS_MODE': 'DISABLE'}
            graph = _running(self._core.compile_model(model, 'CPU', unfused))
        return graph


def _converted(network: nn.Module, example: Sequence[Tensor]) -> Any:
    with warnings.catch_warnings():
        # That what is not a tensor becomes a constant is meant so; the result is checked.
        warnings.simplefilter('ignore')
        traced = trace(network, tuple(example), check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced)


def _running(compiled: Any) -> Graph:
    request = compiled.create_infer_request()

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        arrays = [x.contiguous().numpy() for x in inputs]
        outputs = request.infer(arrays, share_inputs=True)
        return [from_numpy(x) for x in outputs.values()]

    return run
