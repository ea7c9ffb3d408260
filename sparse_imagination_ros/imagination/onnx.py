# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Graphs in the ONNX format, run by ONNX Runtime, on any processor or what else it was built for.

The files can be taken elsewhere: each is for inputs of one size, and says which opset it needs.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
import warnings

import onnx
import onnxruntime
from onnxruntime.quantization import quantize_dynamic, QuantType
import torch
from torch import nn, Tensor

from sparse_imagination_ros.imagination.graphs import Build, far, Graph
from sparse_imagination_ros.machine import has_whole_sums

OPSET = 18
# What is asked first to run a graph; the last one can all.
PROVIDERS = ('TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider')
# By such a share of the largest number a kept file is never off, if it is of this network.
FAR = {'float32': 1e-3, 'int8': 0.3}

_log = logging.getLogger(__name__)

# Graphs run one after the other, and compute in the same memory: of its own each keeps its most.
onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        'Cpu', onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0,
        onnxruntime.OrtMemType.DEFAULT), None)


def builder(threads: int, precision: str, folder: Path | None = None) -> Build:
    """Return what makes graphs that run on so many threads, and keeps their files in a folder."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that wait for work shall not keep the processor from others.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.add_session_config_entry('session.use_env_allocators', '1')
    return partial(_build, options, precision, folder)


def export(network: nn.Module, example: Sequence[Tensor]) -> onnx.ModelProto:
    """Return a network in the ONNX format, checked, for inputs of these sizes."""
    with warnings.catch_warnings():
        # Of what the exporter itself uses.
        warnings.simplefilter('ignore')
        program = torch.onnx.export(
            network, tuple(example), dynamo=True, opset_version=OPSET, verbose=False)
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    return model


def _build(
    options: Any, precision: str, folder: Path | None, network: nn.Module,
    example: Sequence[Tensor],
) -> Graph:
    path = None if folder is None else folder / f'{_key(network, example, precision)}.onnx'
    if path is not None and path.is_file():
        try:
            graph = _running(path.read_bytes(), options)
            if not far(graph(example), network(*example), FAR[precision]):
                return graph
            reason = 'it computes something else'
        except Exception as error:
            reason = (str(error).splitlines() or [''])[0]
        _log.warning('%s is damaged (%s): it is made again', path, reason)
    model = export(network, example)
    content = (_quantised(model) if precision == 'int8' else model).SerializeToString()
    if path is not None:
        # A folder that cannot be written is left alone.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix('.unfinished')
            unfinished.write_bytes(content)
            unfinished.replace(path)
    return _running(content, options)


def _running(content: bytes, options: Any) -> Graph:
    there = onnxruntime.get_available_providers()
    session = onnxruntime.InferenceSession(
        content, options, providers=[name for name in PROVIDERS if name in there])
    names = [given.name for given in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        arrays = (x.contiguous().numpy() for x in inputs)
        outputs = session.run(None, dict(zip(names, arrays, strict=True)))
        return [torch.from_numpy(x) for x in outputs]

    return run


def _quantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let products with weights be of whole numbers, each channel with a scale of its own."""
    # What the exporter says of the shapes of weights is wrong once they are turned round.
    del model.graph.value_info[:]
    # It is optimised already: what quantises need not advise to do so.
    onnx.helper.set_model_props(model, {'onnx.quant.pre_process': 'onnxruntime.quant'})
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'int8.onnx'
        quantize_dynamic(
            model, path, per_channel=True, weight_type=QuantType.QInt8,
            op_types_to_quantize=['MatMul', 'Gemm'], reduce_range=not has_whole_sums())
        return onnx.load(path)


def _key(network: nn.Module, example: Sequence[Tensor], precision: str) -> str:
    """Return a name for what a file depends on."""
    facts = sha256(repr((
        precision, OPSET, torch.__version__, has_whole_sums(), str(network),
        [tuple(x.shape) for x in example],
    )).encode())
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        facts.update(name.encode())
        facts.update(value.numpy().tobytes())
    return facts.hexdigest()[:24]
