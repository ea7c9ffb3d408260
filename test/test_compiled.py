# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What torch.compile makes of a step, on a processor: it takes long, and so it is of one small size.

On a GPU these steps are recorded as CUDA graphs, which is not executed here.
"""

from pathlib import Path
import shutil

import pytest
from test_engines import ACTIONS, costs, made, prepare, WIDTH
import torch
from torch import nn

from sparse_imagination_ros.imagination.engines import maker_of, possible
from sparse_imagination_ros.imagination.reference import imagine
from sparse_imagination_ros.imagination.stepwise import Stepwise
from sparse_imagination_ros.imagination.verdict import Variant
from sparse_imagination_ros.world_models.sparse import PredictorShape

SHAPE = PredictorShape(WIDTH, ACTIONS, width=32, depth=1, heads=4, window=2)

needs_compiler = pytest.mark.skipif(
    torch.cuda.is_available() or shutil.which('g++') is None,
    reason='there is a GPU, or no C++ compiler')


@pytest.fixture(autouse=True)
def _with_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))


@needs_compiler
def test_compiled_steps_mean_the_same_and_are_not_compiled_again() -> None:
    predictor = made('sparse', SHAPE)
    engine = Stepwise(maker_of(Variant('compiled'), 1), predictor)
    prepare(engine, 4, 2)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for frames in (1, 2, 3):
            torch.testing.assert_close(
                costs(engine, predictor, 4, 2, frames), costs(imagine, predictor, 4, 2, frames),
                rtol=1e-4, atol=1e-5)


@needs_compiler
def test_what_a_network_of_one_output_gives_is_not_taken_for_a_list() -> None:
    network, x = nn.Linear(3, 2).requires_grad_(False), torch.randn(1, 3)
    graph = maker_of(Variant('compiled'), 1)(network, [x], [network(x)], 'a product')
    kept = graph([x])
    graph([x + 1])
    torch.testing.assert_close(kept, [network(x)])


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_it_is_not_among_those_that_are_tried() -> None:
    assert 'compiled' not in possible()
