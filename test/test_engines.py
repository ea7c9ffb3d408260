# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines imagine what the reference imagines, and say so when they cannot."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path
import sys

import numpy as np
from official_maker import SMALL
import pytest
import torch
from torch import nn, Tensor

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import ConfigError, EngineError
from sparse_imagination_ros.evaluation.loads import Spiky
from sparse_imagination_ros.imagination import engines, portions
from sparse_imagination_ros.imagination.compiling import rank_correlation
from sparse_imagination_ros.imagination.engines import (
    maker_of,
    possible,
    ready_encoder,
    REFERENCE,
    variants_of,
)
from sparse_imagination_ros.imagination.graphs import Graph, GraphedEncoder, Maker
from sparse_imagination_ros.imagination.portions import Portioned
from sparse_imagination_ros.imagination.reference import (
    Context,
    Imagine,
    imagine,
    Memory,
    remember,
)
from sparse_imagination_ros.imagination.stepwise import Stepwise
from sparse_imagination_ros.imagination.verdict import Variant
from sparse_imagination_ros.planning.budget import chunks_of, grantable
from sparse_imagination_ros.planning.charged import charged
from sparse_imagination_ros.planning.objective import GoalDistance, step_weights
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import engine_of, Planner, PlannerConfig
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.official import OfficialPredictor
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

HERE = possible()
FEWER_BITS = [v for name in HERE for v in variants_of(name) if v.precision != 'float32']
BLANK = np.zeros((224, 224, 3), np.uint8)
STEPS, TOTAL, WIDTH, ACTIONS = 5, 64, 36, 4
SHAPE = PredictorShape(WIDTH, ACTIONS, width=32, depth=2, heads=4)
TOKENS, CANDIDATES = (16, 8, 4, 2, 1), 7
SIZES = (*product(TOKENS, [CANDIDATES]), (4, 1))
# Each of its graphs takes seconds to make: many tokens, one of them, one candidate.
SIZES_OF = {'onnx': ((16, CANDIDATES), (1, CANDIDATES), (4, 1))}
QUICKLY_MADE = [name for name in HERE if name not in SIZES_OF]

Model = SparsePredictor | OfficialPredictor


@pytest.fixture(scope='module')
def bundle(untrained: Path) -> Bundle:
    return Bundle.load(untrained)


@pytest.fixture(scope='module', params=['sparse', 'official'])
def predictor(request: pytest.FixtureRequest) -> Model:
    return made(request.param)


@pytest.fixture(scope='module', params=HERE)
def engine(request: pytest.FixtureRequest, predictor: Model) -> Stepwise:
    return Stepwise(maker_of(Variant(request.param), 1), predictor)


def made(family: str, shape: PredictorShape = SHAPE) -> Model:
    """Return a predictor to which all of its window matters."""
    torch.manual_seed(0)
    model: Model = OfficialPredictor(SMALL)
    if family == 'sparse':
        model = SparsePredictor(shape)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, 0, parameter.shape[-1] ** -0.5)
    return model.eval().requires_grad_(False)


def costs(
    engine: Imagine, predictor: Model, tokens: int, candidates: int, frames: int,
) -> Tensor:
    """Imagine something that depends on the sizes, with the tokens in no order."""
    generator = torch.Generator().manual_seed(hash((tokens, candidates, frames)))
    subset = torch.randperm(TOTAL, generator=generator)[:tokens]
    goal = torch.randn(TOTAL, WIDTH, generator=generator)
    seen = torch.randn(frames, TOTAL, WIDTH, generator=generator)
    done = torch.rand(frames - 1, ACTIONS, generator=generator) * 2 - 1
    asked = torch.rand(candidates, STEPS, ACTIONS, generator=generator) * 2 - 1
    with torch.inference_mode():
        memory = remember(predictor, Context(seen[:, subset], done))
        objective = GoalDistance(predictor, tuple(step_weights(STEPS, 2.0).tolist()))
        return engine(predictor, memory, goal[subset], subset, asked, objective)


def prepare(engine: Stepwise, tokens: int, candidates: int) -> None:
    engine.prepare(torch.randn(candidates, tokens, WIDTH), torch.randn(candidates, ACTIONS))


class Builder:
    """Makes graphs of plain torch, which count their calls and may be wrong."""

    def __init__(self, wrong_by: float = 0.0) -> None:
        self.wrong_by, self.calls = wrong_by, 0

    def __call__(self, step: nn.Module, example: Sequence[Tensor]) -> Graph:
        def graph(inputs: Sequence[Tensor]) -> list[Tensor]:
            self.calls += 1
            return [x + self.wrong_by for x in step(*inputs)]
        return graph


def test_this_environment_has_engines_to_test() -> None:
    assert {'openvino', 'onnx'} <= set(HERE)


@pytest.mark.parametrize(
    ('engine', 'tokens', 'candidates'),
    [(name, *size) for name in HERE for size in SIZES_OF.get(name, SIZES)], indirect=['engine'])
def test_costs_are_those_of_the_reference_whatever_the_size_and_order(
    engine: Stepwise, tokens: int, candidates: int, predictor: Model,
) -> None:
    prepare(engine, tokens, candidates)
    for frames in range(1, predictor.shape.window + 2):
        sizes = (tokens, candidates, frames)
        torch.testing.assert_close(
            costs(engine, predictor, *sizes), costs(imagine, predictor, *sizes),
            rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('variant', FEWER_BITS, ids=str)
def test_fewer_bits_keep_the_order_of_candidates(variant: Variant) -> None:
    predictor = made('sparse')
    engine = Stepwise(maker_of(variant, 1), predictor)
    prepare(engine, 8, 16)
    right = costs(imagine, predictor, 8, 16, 2)
    assert rank_correlation(costs(engine, predictor, 8, 16, 2), right) > 0.9


@pytest.mark.parametrize('here', [False, True])
def test_bfloat16_is_offered_where_the_processor_has_it(
    here: bool, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, 'has_bfloat16', lambda: here)
    assert (Variant('openvino', 'bfloat16') in variants_of('openvino')) == here
    assert Variant('openvino') in variants_of('openvino')


def test_openvino_takes_bfloat16_where_it_is_imitated_too() -> None:
    network = nn.Linear(64, 64).requires_grad_(False)
    x = torch.randn(16, 64)
    graph = maker_of(Variant('openvino', 'bfloat16'), 1)(network, [x], [network(x)], 'a product')
    torch.testing.assert_close(graph([x])[0], network(x), rtol=0.02, atol=0.02)


def test_openvino_reports_nothing_to_its_makers() -> None:
    import_module('sparse_imagination_ros.imagination.openvino')
    using = import_module('openvino.tools.ovc.telemetry_utils')
    assert using.tm.__name__ == 'openvino.tools.ovc.telemetry_stub'


def test_all_steps_of_a_prepared_size_are_done_by_graphs(predictor: Model) -> None:
    builder = Builder()
    engine = Stepwise(Maker('plain', builder, 1e-3), predictor)
    prepare(engine, 8, 4)
    for frames in range(1, predictor.shape.window + 2):
        builder.calls = 0
        costs(engine, predictor, 8, 4, frames)
        assert builder.calls == STEPS


def test_a_size_that_was_not_prepared_is_imagined_by_the_reference(predictor: Model) -> None:
    builder = Builder()
    engine = Stepwise(Maker('plain', builder, 1e-3), predictor)
    prepare(engine, 8, 4)
    builder.calls = 0
    assert torch.equal(costs(engine, predictor, 7, 4, 2), costs(imagine, predictor, 7, 4, 2))
    assert builder.calls == 0


def test_what_is_prepared_once_is_not_made_again() -> None:
    builder, predictor = Builder(), made('sparse')
    engine = Stepwise(Maker('plain', builder, 1e-3), predictor)
    prepare(engine, 8, 4)
    made_once = builder.calls
    prepare(engine, 8, 4)
    assert builder.calls == made_once > 0


@pytest.mark.parametrize('wrong_by', [0.1, float('nan')])
def test_an_engine_that_computes_something_else_is_refused(wrong_by: float) -> None:
    engine = Stepwise(Maker('broken', Builder(wrong_by), 1e-3), made('sparse'))
    with pytest.raises(EngineError, match=r'`broken` is wrong.*of 8 tokens x 4 candidates'):
        prepare(engine, 8, 4)


def test_an_engine_whose_outputs_have_another_shape_is_refused() -> None:
    network, x = nn.Linear(3, 2).requires_grad_(False), torch.randn(1, 3)
    maker = Maker('broken', lambda network, example: lambda inputs: [network(*inputs)[0]], 1e-3)
    with pytest.raises(EngineError, match=r'has the shape \[2\], the reference \[1, 2\]'):
        maker(network, [x], [network(x)], 'a product')


@pytest.mark.parametrize('name', HERE)
def test_a_planner_plans_the_same_with_each_engine(name: str, bundle: Bundle) -> None:
    config = PlannerConfig(tokens=4, candidates=24, iterations=3, steps=3)
    plans = []
    for engine in (REFERENCE, name):
        planner = Planner(bundle, replace(config, engine=engine))
        planner.set_goal(BLANK + 200)
        plans.append(planner.plan(Frame(1.0, BLANK), CommandHistory(2, 5.0)).plan.actions)
    np.testing.assert_allclose(plans[1], plans[0], atol=1e-3)


@pytest.mark.parametrize('name', HERE)
def test_a_picture_is_encoded_as_by_the_reference(name: str, bundle: Bundle) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)
    ready = ready_encoder(Variant(name), bundle)
    assert isinstance(ready.encoder, GraphedEncoder)
    for count in (1, 2):
        torch.testing.assert_close(
            ready.encode(pictures[:count]), bundle.encode(pictures[:count]),
            rtol=1e-3, atol=1e-3)


def test_candidates_cost_the_same_in_portions(
    predictor: Model, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portions, 'AT_ONCE', 32)
    torch.testing.assert_close(
        costs(Portioned(imagine), predictor, 16, CANDIDATES, 2),
        costs(imagine, predictor, 16, CANDIDATES, 2))


@pytest.mark.parametrize('at_once', [portions.AT_ONCE, 4])
@pytest.mark.parametrize('name', QUICKLY_MADE)
def test_a_planner_with_a_deadline_has_a_graph_for_whatever_it_may_grant(
    name: str, at_once: int, bundle: Bundle, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portions, 'AT_ONCE', at_once)
    config = PlannerConfig(tokens=2, candidates=6, engine=name)
    engine = engine_of(replace(bundle, engines={}), config, hurried=True)
    memory = remember(bundle.predictor, Context(torch.randn(2, 2, 32), torch.zeros(1, 2)))

    def extend(*asked: object) -> None:
        pytest.fail('there is no graph')

    monkeypatch.setattr(bundle.predictor, 'extend', extend)
    for tokens, candidates in product((2, 1), {6, *grantable(6)}):
        some = Memory(memory.state[:, :tokens], [
            [(k[:, :, :tokens], v[:, :, :tokens]) for k, v in past] for past in memory.cache])
        engine(bundle.predictor, some, memory.state[0, :tokens], torch.arange(tokens),
               torch.zeros(candidates, 3, 2), lambda moment: moment.tokens.mean((1, 2)))


def test_what_wraps_an_engine_wraps_the_chosen_one(bundle: Bundle) -> None:
    called = []

    def engine(*asked: object) -> Tensor:
        called.append(len(asked))
        return torch.zeros(4)

    Spiky(engine, share=0.0, seed=0)(*[None] * 6)
    assert called == [6]
    planner = charged(bundle, PlannerConfig(tokens=4, candidates=4, engine=HERE[0]), 10.0)
    assert isinstance(planner.method.imagine.__self__._engine.engine.engine, Stepwise)


@pytest.mark.parametrize('candidates', [1, 3, 4, 5, 16, 27, 50, 64])
def test_all_sizes_of_chunks_are_known_before(candidates: int) -> None:
    reached, left = set(), {candidates}
    while left:
        count = left.pop()
        for chunk in chunks_of(count):
            reached.add(chunk)
            if count > chunk:
                left.add(count - chunk)
    assert reached == set(grantable(candidates))


def test_an_unknown_engine_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"`engine` is 'warp'; allowed: auto, tensorrt"):
        build(PlannerConfig, {'engine': 'warp'}, 'command line')


def test_an_engine_whose_package_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    monkeypatch.delitem(
        sys.modules, 'sparse_imagination_ros.imagination.openvino', raising=False)
    with pytest.raises(EngineError, match=r'needs the Python module `openvino`: pip install'):
        maker_of(Variant('openvino'), 1)
