# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What comes before TensorRT's builder: export, static shapes, and numbers in half precision.

TensorRT itself is not executed: it cannot be installed where these tests are developed.
"""

import pytest
from test_engines import ACTIONS, costs, made, Model, WIDTH
import torch
from torch import nn

from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.imagination.engines import maker_of
from sparse_imagination_ros.imagination.graphs import Maker
from sparse_imagination_ros.imagination.lowered import exported, lowered, LoweredLinear
from sparse_imagination_ros.imagination.reference import imagine
from sparse_imagination_ros.imagination.stepwise import Stepwise
from sparse_imagination_ros.imagination.verdict import Variant


@pytest.fixture(params=['sparse', 'official'])
def predictor(request: pytest.FixtureRequest) -> Model:
    return made(request.param)


def prepared(
    predictor: Model, precision: str,
) -> tuple[Stepwise, list[torch.export.ExportedProgram]]:
    """Return an engine that runs what TensorRT would be given."""
    programs = []

    def build(step, example):
        programs.append(exported(step, example, precision))
        run = programs[-1].module()
        return lambda inputs: list(run(*(x.contiguous() for x in inputs)))

    engine = Stepwise(Maker('exported', build, 0.02), predictor)
    engine.prepare(torch.randn(4, 8, WIDTH), torch.randn(4, ACTIONS))
    return engine, programs


@pytest.mark.parametrize('precision', ['float32', 'float16', 'bfloat16'])
def test_every_step_is_exported_and_means_the_same(predictor: Model, precision: str) -> None:
    engine, programs = prepared(predictor, precision)
    assert len(programs) >= 5
    close = 1e-4 if precision == 'float32' else 0.03
    for frames in range(1, predictor.shape.window + 2):
        right = costs(imagine, predictor, 8, 4, frames)
        torch.testing.assert_close(
            costs(engine, predictor, 8, 4, frames), right, rtol=close, atol=1e-5)


def test_shapes_are_static(predictor: Model) -> None:
    _, programs = prepared(predictor, 'float32')
    for program in programs:
        for node in program.graph.nodes:
            value = node.meta.get('val')
            if isinstance(value, torch.Tensor):
                assert all(isinstance(side, int) for side in value.shape), node


def test_norms_and_softmax_keep_float32(predictor: Model) -> None:
    _, programs = prepared(predictor, 'float16')
    for program in programs:
        kinds = {str(node.target): node.meta['val'].dtype for node in program.graph.nodes
                 if node.op == 'call_function' and isinstance(node.meta.get('val'), torch.Tensor)}
        kept = [kind for name, kind in kinds.items()
                if 'layer_norm' in name or 'softmax' in name or 'attention' in name]
        assert kept and set(kept) == {torch.float32}
        assert any('linear' in name and kind == torch.float16 for name, kind in kinds.items())


def test_a_module_is_lowered_in_a_copy() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    copy = lowered(network, 'float16')
    assert isinstance(copy[0], LoweredLinear) and isinstance(network[0], nn.Linear)
    x = torch.randn(2, 4)
    torch.testing.assert_close(copy(x), network(x), rtol=0.01, atol=0.01)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(EngineError, match=r'`tensorrt` needs an NVIDIA GPU'):
        maker_of(Variant('tensorrt', 'float16'), 1)
