# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the official releases mean here what they mean there, and run nothing."""

from pathlib import Path
import pickle
import sys

import numpy as np
from official_maker import write_call, write_pickle
import pytest
import torch

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import CheckpointError
from sparse_imagination_ros.world_models.official import OfficialPredictor, read_official

# Made with the authors' own code; test/fixtures/official/README.md says how to read them.
FIXTURES = Path(__file__).parent / 'fixtures' / 'official'


def rolled_out(
    predictor: OfficialPredictor, expected: dict[str, torch.Tensor], kept: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all frames of a rollout [N, T + 1, K, D], and its costs [N]."""
    actions = expected['actions']
    goal = predictor.observe(expected['goal_tokens'][kept], expected['goal_proprio'])
    seen = predictor.observe(expected['tokens'][kept], expected['proprio'])
    frames, cache = [seen.expand(len(actions), -1, -1)], predictor.empty_cache()
    for step in range(actions.shape[1]):
        following, cache = predictor.extend(frames[-1], actions[:, step], cache)
        frames.append(following)
    return torch.stack(frames, 1), predictor.distance(frames[-1], goal)


@pytest.mark.parametrize(('release', 'kind'), [
    ('dino_wm', 'dense'), ('sparse_imagination', 'dense'), ('sparse_imagination', 'sparse')])
def test_rollouts_and_costs_are_those_of_the_official_code(release: str, kind: str) -> None:
    expected = {name: torch.from_numpy(value)
                for name, value in np.load(FIXTURES / f'{release}.npz').items()}
    predictor = read_official(FIXTURES / f'{release}.pth')
    kept = expected['kept'] if kind == 'sparse' else torch.arange(len(expected['tokens']))
    frames, costs = rolled_out(predictor, expected, kept)
    visual, proprio = frames.split(
        [predictor.shape.token_width, predictor.shape.proprio_width], -1)
    torch.testing.assert_close(visual, expected[f'{kind}_visual'], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        proprio[:, :, 0], expected[f'{kind}_proprio'], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(costs, expected[f'{kind}_cost'], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(('module', 'name'), [
    ('os', 'system'),
    ('posix', 'system'),
    ('builtins', 'eval'),
    ('builtins', 'getattr'),
    # Through the modules that may be named to one that may not.
    ('torch.nn', 'functional.torch.os.system'),
    ('torch.nnx', 'system'),
])
def test_a_checkpoint_that_would_run_a_command_is_refused_by_name(
    module: str, name: str, tmp_path: Path,
) -> None:
    witness, path = tmp_path / 'ran', tmp_path / 'model.pth'
    write_call(path, module, name, f'touch {witness}')
    with pytest.raises(CheckpointError, match=rf'`{module}.{name}`.*Nothing of it was run'):
        read_official(path)
    assert not witness.exists()


def test_the_classes_of_modules_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / 'models').mkdir()
    (tmp_path / 'models' / 'vit.py').write_text('raise SystemExit')
    path = tmp_path / 'model.pth'
    shell = pickle.PROTO + bytes([2]) + b'cmodels.vit\nViTPredictor\n' + pickle.EMPTY_TUPLE
    write_pickle(path, shell + pickle.NEWOBJ + pickle.STOP)
    with pytest.raises(CheckpointError, match=r'holds a Shell'):
        read_official(path)
    assert 'models.vit' not in sys.modules


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'model.pth'
    with pytest.raises(CheckpointError, match=r'is not there'):
        read_official(path)
    whole = (FIXTURES / 'dino_wm.pth').read_bytes()
    for content in (b'', b'not a checkpoint', whole[:1000], whole[:-1000]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r'is damaged'):
            read_official(path)
    path.write_bytes(pickle.dumps({'predictor': 1}))
    with pytest.raises(CheckpointError, match=r'of PyTorch 1'):
        read_official(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match=r'holds a list'):
        read_official(path)
    torch.save({'predictor': 1, 'action_encoder': 2, 'proprio_encoder': 3}, path)
    with pytest.raises(CheckpointError, match=r'is not built as'):
        read_official(path)


@pytest.mark.parametrize(('release', 'says'), [
    ('dino_wm', ['DINO-WM (dense)', '16 of width 24', '3 blocks of width 44']),
    ('sparse_imagination', ['Sparse Imagination (any subset', 'any number of width 24'])])
def test_inspect_says_what_a_checkpoint_is(
    release: str, says: list[str], capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['inspect', str(FIXTURES / f'{release}.pth')]) == 0
    out = capsys.readouterr().out
    for text in [*says, '4 numbers', '10 numbers in a model step', '3 frames']:
        assert text in out
