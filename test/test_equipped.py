# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A planner for a robot has an engine that can be had, and says so if another was asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.imagination import engines
from sparse_imagination_ros.imagination.engines import AUTO, REFERENCE, with_stand_ins
from sparse_imagination_ros.imagination.verdict import Variant
from sparse_imagination_ros.planning.equipped import equipped
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import PlannerConfig
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle

BLANK = np.zeros((224, 224, 3), np.uint8)
CONFIG = PlannerConfig(tokens=2, candidates=4, steps=3, engine='tensorrt')

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')


@pytest.fixture
def bundle(untrained: Path) -> Bundle:
    return Bundle.load(untrained)


def test_engines_stand_in_for_one_another_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(engine: str) -> str:
        if engine in ('tensorrt', 'compiled'):
            raise EngineError(f'no {engine}')
        return engine

    assert with_stand_ins('openvino', make) == ('openvino', ())
    monkeypatch.setattr(engines, 'possible', lambda: ('tensorrt', 'compiled', 'openvino', 'onnx'))
    assert with_stand_ins('tensorrt', make) == ('openvino', ('no tensorrt', 'no compiled'))
    monkeypatch.setattr(engines, 'possible', lambda: ('onnx',))
    assert with_stand_ins('tensorrt', make) == ('onnx', ('no tensorrt',))
    monkeypatch.setattr(engines, 'possible', tuple)
    assert with_stand_ins('compiled', make) == (REFERENCE, ('no compiled',))


def test_what_auto_stands_for_is_replaced_by_the_reference_alone() -> None:
    def make(engine: str) -> str:
        if engine == AUTO:
            raise EngineError('no best one')
        return engine

    assert with_stand_ins(AUTO, make) == (REFERENCE, ('no best one',))


def test_what_fails_with_the_reference_is_not_hidden() -> None:
    def make(engine: str) -> str:
        raise EngineError(f'no {engine}')

    with pytest.raises(EngineError, match=f'no {REFERENCE}'):
        with_stand_ins(REFERENCE, make)


@without_gpu
@pytest.mark.parametrize('timeless', [True, False])
def test_a_planner_without_its_engine_plans_with_another_and_says_why(
    bundle: Bundle, timeless: bool,
) -> None:
    found = equipped(bundle, CONFIG, timeless)
    assert found.planner.engine.variant == Variant('openvino')
    assert 'the engine `tensorrt` needs' in found.notes
    found.planner.set_goal(BLANK + 200)
    found.planner.adjust(found.suited(CONFIG), bundle.limits(0.5))
    cycle = found.planner.plan(Frame(1.0, BLANK), CommandHistory(2, 5.0))
    assert np.isfinite(cycle.plan.actions).all()


def test_there_is_nothing_to_say_of_an_engine_that_could_be_had(bundle: Bundle) -> None:
    found = equipped(bundle, PlannerConfig(tokens=2, candidates=4, steps=3), timeless=True)
    assert (found.engine, found.notes) == (REFERENCE, '')


def test_a_bundle_that_lies_nowhere_keeps_deadlines_all_the_same(bundle: Bundle) -> None:
    config = replace(CONFIG, engine=REFERENCE)
    found = equipped(replace(bundle, folder=None), config, timeless=False)
    assert found.latency_file is None and found.planner.latency.costs_ms
    found.keep_latency()


@without_gpu
@pytest.mark.parametrize('command', ['evaluate', 'stress'])
def test_a_command_ends_with_the_reason_instead(
    command: str, untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    asked = [command, '--bundle', str(untrained), '--tokens', '2', '--engine', 'tensorrt']
    assert main(asked) == 2
    assert 'the engine `tensorrt` needs' in capsys.readouterr().err


def test_a_command_says_what_auto_stands_for(
    untrained: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['evaluate', '--bundle', str(untrained), '--tokens', '2', '--episodes', '1',
                 '--time-limit', '1', '--engine', 'auto']) == 0
    assert 'is not compiled: the reference imagines' in ' '.join(capsys.readouterr().out.split())
