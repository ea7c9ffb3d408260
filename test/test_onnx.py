# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files in the ONNX format are sound, are kept, and are never believed when they are damaged."""

import logging
from pathlib import Path

import onnx
import pytest
from test_engines import made, prepare
import torch
from torch import nn, Tensor

from sparse_imagination_ros.imagination import onnx as engine
from sparse_imagination_ros.imagination.engines import maker_of
from sparse_imagination_ros.imagination.stepwise import Stepwise
from sparse_imagination_ros.imagination.verdict import Variant

X = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4)).requires_grad_(False)


def run(network: nn.Module, folder: Path, precision: str = 'float32') -> Tensor:
    maker = maker_of(Variant('onnx', precision), 1, folder)
    return maker(network, [X], [network(X)], 'a network')([X])[0]


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob('*.*'))


def read(path: Path) -> onnx.ModelProto:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.mark.parametrize('family', ['sparse', 'official'])
def test_a_file_for_each_step_passes_the_checker_and_says_its_sizes(
    family: str, tmp_path: Path,
) -> None:
    prepare(Stepwise(maker_of(Variant('onnx'), 1, tmp_path), made(family)), 8, 4)
    models = list(map(read, files(tmp_path)))
    assert len(models) >= 5
    for model in models:
        assert {one.domain: one.version for one in model.opset_import}[''] == engine.OPSET
        for tensor in (*model.graph.input, *model.graph.output):
            assert all(side.dim_value > 0 for side in tensor.type.tensor_type.shape.dim), tensor


def test_a_file_that_is_kept_is_not_made_again(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = run(network, tmp_path)
    monkeypatch.setattr(engine, 'export', lambda *asked: pytest.fail('it exports'))
    assert torch.equal(run(network, tmp_path), first)


def test_other_weights_sizes_and_precisions_have_files_of_their_own(
    network: nn.Module, tmp_path: Path,
) -> None:
    run(network, tmp_path)
    run(network, tmp_path, 'int8')
    with torch.no_grad():
        network[0].weight[0, 0] += 1
    torch.testing.assert_close(run(network, tmp_path), network(X), rtol=1e-4, atol=1e-5)
    maker_of(Variant('onnx'), 1, tmp_path)(network, [X[:2]], [network(X[:2])], 'fewer')
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize('damage', ['empty', 'cut', 'of another network'])
def test_a_damaged_file_is_named_and_made_again(
    damage: str, network: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    run(network, tmp_path)
    path, = files(tmp_path)
    whole = path.read_bytes()
    other = engine.export(nn.Linear(8, 4), [X]).SerializeToString()
    path.write_bytes({'empty': b'', 'cut': whole[:len(whole) // 2]}.get(damage, other))
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(run(network, tmp_path), network(X), rtol=1e-4, atol=1e-5)
    assert f'{path} is damaged' in caplog.text
    read(path)


def test_what_is_interrupted_leaves_nothing_half_done(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut(path: Path, content: bytes) -> None:
        with path.open('wb') as file:
            file.write(content[:10])
        raise KeyboardInterrupt

    with monkeypatch.context() as power, pytest.raises(KeyboardInterrupt):
        power.setattr(Path, 'write_bytes', cut)
        run(network, tmp_path)
    assert not list(tmp_path.glob('*.onnx'))
    run(network, tmp_path)
    path, = files(tmp_path)
    read(path)


def test_a_folder_that_cannot_be_written_is_left_alone(
    network: nn.Module, tmp_path: Path,
) -> None:
    folder = tmp_path / 'engines'
    folder.write_text('a file where a folder should be')
    torch.testing.assert_close(run(network, folder), network(X), rtol=1e-4, atol=1e-5)
    assert folder.is_file()


def test_int8_multiplies_whole_numbers(network: nn.Module, tmp_path: Path) -> None:
    away = (run(network, tmp_path, 'int8') - network(X)).abs().max()
    assert 0 < away < 0.05 * network(X).abs().max()
    path, = files(tmp_path)
    kinds = [node.op_type for node in read(path).graph.node]
    assert kinds.count('MatMulInteger') == 2 and 'MatMul' not in kinds and 'Gemm' not in kinds
