# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `compile` finds is right, kept, found again, and never believed where it does not hold."""

from collections.abc import Sequence
from dataclasses import replace
import json
import logging
from pathlib import Path
import shutil
import sys
from types import ModuleType

import pytest
from rla_maker import rla_bundle
import torch
from torch import nn, Tensor

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.evaluation import benchmark
from sparse_imagination_ros.evaluation.samples import samples_for
from sparse_imagination_ros.imagination import compiling, engines, verdict
from sparse_imagination_ros.imagination.compiling import rank_correlation, tried
from sparse_imagination_ros.imagination.engines import AUTO, chosen, REFERENCE
from sparse_imagination_ros.imagination.graphs import Graph
from sparse_imagination_ros.imagination.verdict import (
    read_verdict,
    Size,
    Variant,
    write_verdict,
)
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.world_models.bundle import Bundle

OPENVINO = Variant('openvino')
SIZES = [Size(4, 8, 3)]
ARGUMENTS = ['--engine', 'openvino', '--tokens', '4', '--candidates', '8']


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, 'TIMED_S', 0.0)
    # As the commands have it: what was compiled is of a number of threads.
    torch.set_num_threads(1)


@pytest.fixture
def folder(untrained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained, tmp_path / 'mine'))


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    return Bundle.load(folder)


def compiled(bundle: Bundle) -> Path:
    """Write down that OpenVINO is best, without trying."""
    found = verdict.Verdict(
        verdict.facts_of(bundle), OPENVINO, (
            verdict.Row('openvino', 'float32', 4, 8, 3, 1.0, 1.0, 1.0),), {}, 'nothing')
    return write_verdict(bundle, found)


class Wrong:
    """Makes graphs that add noise: small enough for the tolerance of few bits, or not."""

    def __init__(self, share: float) -> None:
        self._share = share

    def __call__(self, step: nn.Module, example: Sequence[Tensor]) -> Graph:
        generator = torch.Generator().manual_seed(0)

        def graph(inputs: Sequence[Tensor]) -> list[Tensor]:
            return [x + self._share * x.abs().max() * (
                2 * torch.rand(x.shape, generator=generator) - 1) for x in step(*inputs)]
        return graph


def test_the_command_tries_keeps_and_says_what_is_best(
    folder: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['compile', str(folder), *ARGUMENTS]) == 0
    out = capsys.readouterr().out
    assert 'Judged on the simulator' in out
    assert 'openvino float32: 4 tokens x 8 candidates' in out, 'it shows how far it is'
    found = read_verdict(Bundle.load(folder))
    assert found is not None
    rows = {(row.engine, row.precision): row for row in found.rows}
    assert rows['openvino', 'float32'].correlation > 0.999
    assert {(row.tokens, row.candidates) for row in found.rows} == {(4, 8)}
    assert f'engine: auto takes {found.best}' in out


def test_nothing_is_measured_twice_until_something_changes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(['compile', str(folder), *ARGUMENTS]) == 0
    monkeypatch.setattr(compiling, 'imagined', lambda *asked: pytest.fail('it measures'))
    capsys.readouterr()
    assert main(['compile', str(folder), *ARGUMENTS]) == 0
    assert 'Nothing has changed' in capsys.readouterr().out


def test_what_is_interrupted_leaves_the_old_verdict(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = compiled(bundle)
    before = path.read_bytes()

    def interrupted(*asked: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiling, 'in_turns', interrupted)
    assert main(['compile', str(folder), *ARGUMENTS, '--again']) == 130
    assert path.read_bytes() == before
    assert not list(folder.rglob('*.unfinished'))


def test_auto_takes_what_was_found_best(bundle: Bundle) -> None:
    compiled(bundle)
    planner = Planner(bundle, PlannerConfig(tokens=4, candidates=8, steps=3, engine=AUTO))
    assert planner.engine.variant == OPENVINO
    assert not planner.engine.note


def test_auto_is_the_reference_and_says_so_where_nothing_was_compiled(bundle: Bundle) -> None:
    found = chosen(AUTO, bundle)
    assert found.variant == Variant(REFERENCE)
    assert 'is not compiled' in found.note
    assert f'sparse-imagination compile {bundle.folder}' in found.note


def test_a_verdict_on_other_weights_or_another_machine_is_not_believed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled(bundle)
    changed = Bundle.load(bundle.folder or '')
    with torch.no_grad():
        changed.predictor.blocks[0].mlp[0].weight[0, 0] += 1
    with monkeypatch.context() as other:
        other.setattr(verdict, 'facts', lambda: {'processor': 'another'})
        for asked in (changed, bundle):
            found = chosen(AUTO, asked)
            assert found.variant == Variant(REFERENCE)
            assert 'for another machine, other software or weights' in found.note
    assert chosen(AUTO, changed).variant == Variant(REFERENCE)
    assert chosen(AUTO, bundle).variant == OPENVINO


@pytest.mark.parametrize('text', ['', '{}', '[1]', 'null', '{"facts": {}}'])
def test_a_damaged_verdict_is_named_and_made_anew(
    folder: Path, bundle: Bundle, text: str, caplog: pytest.LogCaptureFixture,
) -> None:
    path = compiled(bundle)
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert chosen(AUTO, bundle).variant == Variant(REFERENCE)
    assert path.name in caplog.text and 'is damaged' in caplog.text
    assert main(['compile', str(folder), *ARGUMENTS]) == 0
    assert json.loads(path.read_text())['best']


def test_a_verdict_that_was_copied_over_another_is_not_believed(bundle: Bundle) -> None:
    path = compiled(bundle)
    values = json.loads(path.read_text())
    values['facts']['processor'] = 'another'
    path.write_text(json.dumps(values))
    assert read_verdict(bundle) is None


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return an engine of tests, whose builder they choose."""
    module = ModuleType('noisy')
    monkeypatch.setitem(engines.ENGINES, 'noisy', ('int8',))
    monkeypatch.setitem(sys.modules, 'sparse_imagination_ros.imagination.noisy', module)
    return module


@pytest.mark.parametrize(('share', 'says'), [
    (0.5, 'is wrong on this machine'), (0.25, 'otherwise than the reference')])
def test_an_engine_that_orders_candidates_otherwise_is_refused(
    bundle: Bundle, share: float, says: str, noisy: ModuleType,
) -> None:
    noisy.builder = lambda threads, precision, folder: Wrong(share)
    found = tried(
        bundle, [Variant('noisy', 'int8'), OPENVINO], SIZES, samples_for(bundle).samples, 'all')
    assert says in found.refused['noisy int8']
    assert {row.engine for row in found.rows} == {REFERENCE, 'openvino'}


@pytest.mark.parametrize('error', [
    MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_an_engine_without_memory_is_refused_and_others_are_tried(
    error: Exception, bundle: Bundle, noisy: ModuleType,
) -> None:
    def build(step: nn.Module, example: Sequence[Tensor]) -> Graph:
        def graph(inputs: Sequence[Tensor]) -> list[Tensor]:
            # It suffices as long as graphs are made.
            if torch.is_inference_mode_enabled():
                raise error
            return list(step(*inputs))
        return graph

    noisy.builder = lambda threads, precision, folder: build
    found = tried(
        bundle, [Variant('noisy', 'int8'), OPENVINO], SIZES, samples_for(bundle).samples, 'all')
    assert found.refused['noisy int8'] == (
        'memory does not suffice for 8 candidates of 4 tokens')
    assert {row.engine for row in found.rows} == {REFERENCE, 'openvino'}


def test_where_not_even_the_reference_has_memory_nothing_is_found(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def extend(*asked: object) -> None:
        raise MemoryError

    samples = samples_for(bundle).samples
    monkeypatch.setattr(bundle.predictor, 'extend', extend)
    with pytest.raises(EngineError, match=r'memory does not suffice.*ask for fewer'):
        tried(bundle, [OPENVINO], SIZES, samples, 'all')


def test_ranks_are_compared_and_not_costs() -> None:
    costs = torch.tensor([3.0, 1.0, 2.0, 5.0])
    assert rank_correlation(costs ** 3, costs) == pytest.approx(1.0)
    assert rank_correlation(-costs, costs) == pytest.approx(-1.0)
    assert rank_correlation(costs * torch.nan, costs) == 0


def test_an_unknown_engine_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['compile', str(folder), '--engine', 'warp']) == 2
    assert 'no engine `warp`; allowed: tensorrt, compiled, openvino' in capsys.readouterr().err


def test_pictures_of_the_robot_are_what_it_is_judged_on(bundle: Bundle, tmp_path: Path) -> None:
    import cv2
    import numpy as np
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        cv2.imwrite(str(pictures / f'{number}.png'), rng.integers(0, 255, (60, 80, 3)))
    found = samples_for(bundle, pictures)
    assert str(pictures) in found.source and len(found.samples) == 1
    assert found.samples[0].tokens.shape == (3, 16, 32)
    other = replace(bundle, manifest=replace(bundle.manifest, robot='arm'))
    assert 'noise' in samples_for(other).source


def test_the_benchmark_measures_and_writes_what_it_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(benchmark, 'PEAK_SIDE', 64)
    numbers, plot = tmp_path / 'f.json', tmp_path / 'f.svg'
    assert main(['benchmark', '--bundle', str(folder), '--engine', 'openvino', '--tokens', '4',
                 '--candidates', '4,8', '--json', str(numbers), '--plot', str(plot)]) == 0
    found = json.loads(numbers.read_text())
    assert not found['refused']
    assert {(row['engine'], row['tokens'], row['candidates']) for row in found['rows']} == {
        (engine, 4, count) for engine in ('openvino', REFERENCE) for count in (4, 8)}
    assert all(row['gflops'] > 0 and row['ms_p50'] <= row['ms_p95'] for row in found['rows'])
    assert plot.read_text().startswith('<svg')


def test_a_bundle_that_only_the_reference_imagines_is_refused(untrained: Path) -> None:
    with pytest.raises(EngineError, match='is of the family rla, which only the reference'):
        samples_for(rla_bundle(untrained))
