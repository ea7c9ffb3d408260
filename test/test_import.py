# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of an official release becomes a bundle that plans, or nothing is written."""

from collections.abc import Callable
from dataclasses import fields, replace
from math import inf
from pathlib import Path
import re

import numpy as np
from official_maker import write_call, write_checkpoint
import pytest
from safetensors.torch import save_file
import torch
import yaml

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import (
    BundleError,
    CheckpointError,
    ConfigError,
    EncoderError,
    FrameError,
    SparseImaginationError,
)
from sparse_imagination_ros.imagination.reference import Context
from sparse_imagination_ros.planning.plan import CommandHistory
from sparse_imagination_ros.planning.planner import Planner, PlannerConfig
from sparse_imagination_ros.tokens.dino import dino_shape, DinoEncoder
from sparse_imagination_ros.tokens.encoders import EncoderShape, SmallEncoder
from sparse_imagination_ros.tokens.frames import Frame
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.importing import (
    import_checkpoint,
    ImportFacts,
    read_facts,
)
from sparse_imagination_ros.world_models.manifest import Actions, Manifest
from sparse_imagination_ros.world_models.official import read_official

FIXTURES = Path(__file__).parent / 'fixtures' / 'official'
FACTS = {
    'robot': 'pusher', 'step_s': 0.5, 'picture_size': [96, 96],
    'command_fields': ['linear.x', 'linear.y'], 'command_low': [-0.5, -0.2],
    'command_high': [0.5, 0.2], 'acceleration': [1.0, 1.0],
    'sense_fields': ['pose.pose.position.x', 'pose.pose.position.y',
                     'twist.twist.linear.x', 'twist.twist.linear.y']}


@pytest.fixture(scope='module')
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with checkpoints, facts, and weights of both encoders."""
    folder = tmp_path_factory.mktemp('workshop')
    write_checkpoint(folder / 'sparse.pth')
    write_checkpoint(folder / 'dense.pth', dense=True)
    (folder / 'facts.yaml').write_text(yaml.safe_dump(FACTS))
    for name in ('dino_vits16', 'dinov2_vits14'):
        encoder = DinoEncoder(dino_shape(name))
        save_file(encoder.vit.state_dict(), folder / f'{name}.safetensors')
    return folder


@pytest.fixture(scope='module')
def facts(workshop: Path) -> ImportFacts:
    return read_facts(workshop / 'facts.yaml', 'pusht')


@pytest.fixture(scope='module')
def imported(workshop: Path) -> Path:
    """Return a bundle made by the command, of a predictor that takes any subset."""
    folder = workshop / 'bundles' / 'sparse'
    assert main([
        'import', str(workshop / 'sparse.pth'), '--facts', str(workshop / 'facts.yaml'),
        '--like', 'pusht', '--weights', str(workshop / 'dino_vits16.safetensors'),
        '--out', str(folder)]) == 0
    return folder


@pytest.fixture(scope='module')
def dense(workshop: Path, facts: ImportFacts) -> Bundle:
    return import_checkpoint(
        workshop / 'dense.pth', facts, None, workshop / 'dinov2_vits14.safetensors',
        workshop / 'bundles' / 'dense')


def picture(shade: int) -> np.ndarray:
    return np.full((96, 96, 3), shade, np.uint8)


def sensed(number: float) -> np.ndarray:
    return np.full(4, number, np.float32)


@pytest.mark.parametrize(('release', 'kind'), [
    ('dino_wm', 'dense'), ('sparse_imagination', 'dense'), ('sparse_imagination', 'sparse')])
def test_the_costs_of_a_bundle_are_the_official_ones(release: str, kind: str) -> None:
    expected = {name: torch.from_numpy(value)
                for name, value in np.load(FIXTURES / f'{release}.npz').items()}
    predictor = read_official(FIXTURES / f'{release}.pth')
    manifest = Manifest(
        release, release, 0.5, (32, 32), Actions(('x', 'y'), (-1, -1), (1, 1), (1, 1)),
        EncoderShape(image_size=32, grid=4, width=24), predictor.shape, None, frameskip=5)
    # The fixtures are tokens; what made them is not among them.
    bundle = Bundle(manifest, SmallEncoder(EncoderShape(image_size=32, grid=4)), predictor)
    context = Context(
        predictor.observe(expected['tokens'], expected['proprio'])[None], torch.zeros(0, 10))
    goal = predictor.observe(expected['goal_tokens'], expected['goal_proprio'])
    costs = bundle.costs(context, goal, expected['actions'], expected.get('kept')
                         if kind == 'sparse' else None, growth=inf)
    torch.testing.assert_close(costs, expected[f'{kind}_cost'], atol=1e-4, rtol=1e-4)


def test_an_imported_bundle_normalises_as_the_training_did(
    workshop: Path, imported: Path, facts: ImportFacts,
) -> None:
    bundle, predictor = Bundle.load(imported), read_official(workshop / 'sparse.pth')
    generator = torch.Generator().manual_seed(0)
    tokens, goal = torch.randn(2, 196, 384, generator=generator)
    proprio, goal_proprio = torch.randn(2, 4, generator=generator)
    actions = torch.randn(3, 4, 10, generator=generator)
    normal = replace(bundle, predictor=predictor).costs(
        Context(predictor.observe(tokens, proprio)[None], torch.zeros(0, 10)),
        predictor.observe(goal, goal_proprio), actions, growth=inf)

    def raw(values: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
        return values * torch.tensor(std) + torch.tensor(mean)

    def observed(tokens: torch.Tensor, proprio: torch.Tensor) -> torch.Tensor:
        return bundle.predictor.observe(
            tokens, raw(proprio, facts.sense_mean, facts.sense_std))

    commands = raw(actions.unflatten(-1, (5, 2)), facts.action_mean, facts.action_std)
    costs = bundle.costs(
        Context(observed(tokens, proprio)[None], torch.zeros(0, 10)),
        observed(goal, goal_proprio),
        (commands / torch.tensor(facts.command_high)).flatten(-2), growth=inf)
    torch.testing.assert_close(costs, normal, atol=1e-4, rtol=1e-4)


def test_the_example_in_the_docs_says_all() -> None:
    page = (Path(__file__).parent.parent / 'docs' / 'import.md').read_text()
    example = re.findall(r'```yaml\n(.*?)```', page, re.DOTALL)[0]
    assert set(yaml.safe_load(example)) == {fact.name for fact in fields(ImportFacts)}


def test_pictures_are_brought_to_the_pixels_of_the_releases(imported: Path, dense: Bundle) -> None:
    for bundle, size in ((Bundle.load(imported), 224), (dense, 196)):
        white = torch.full((1, size, size, 3), 255, dtype=torch.uint8)
        assert bundle.manifest.encoder.image_size == size
        assert torch.all(bundle.encoder.normalise(white) == 1)
        assert torch.all(bundle.encoder.normalise(torch.zeros_like(white)) == -1)


def test_an_imported_bundle_plans(imported: Path) -> None:
    bundle = Bundle.load(imported)
    planner = Planner(bundle, PlannerConfig(
        tokens=6, candidates=8, iterations=1, steps=3))
    planner.set_goal(picture(200), sensed(0.3))
    sent = CommandHistory(2, 5.0)
    for number in range(4):
        sent.add(number * 0.5, np.array([0.1, -0.1], np.float32))
        cycle = planner.plan(Frame(number * 0.5, picture(50 + number), sensed(0.0)), sent)
    assert cycle.plan.step_s == pytest.approx(0.1)
    assert cycle.plan.actions.shape == (15, 2)
    assert (np.abs(cycle.plan.actions) <= np.array([0.5, 0.2]) + 1e-6).all()
    assert cycle.plan.actions.any() and np.isfinite(cycle.cost)
    assert len(cycle.subset) == 6 and cycle.encodes == 1


def test_what_is_sensed_changes_the_cost_and_must_be_given(imported: Path) -> None:
    planner = Planner(Bundle.load(imported), PlannerConfig(
        tokens=6, candidates=4, iterations=1, steps=1))
    costs = []
    for there in (0.0, 1000.0):
        planner.set_goal(picture(200), sensed(there))
        costs.append(planner.plan(
            Frame(0.0, picture(50), sensed(0.0)), CommandHistory(2, 5.0)).cost)
    assert costs[1] > costs[0] + 0.1
    with pytest.raises(FrameError, match=r'goal picture came 0 sensed numbers.*takes 4: pose'):
        planner.set_goal(picture(200))
    with pytest.raises(FrameError, match=r'camera picture came 3 sensed numbers'):
        planner.plan(Frame(1.0, picture(50), sensed(0.0)[:3]), CommandHistory(2, 5.0))


def test_a_dense_predictor_takes_all_tokens_or_says_so(dense: Bundle) -> None:
    with pytest.raises(ConfigError, match=r'`tokens` is 98; allowed range .*\[196, 196\].*dense'):
        Planner(dense, PlannerConfig(tokens=98))
    planner = Planner(dense, PlannerConfig(tokens=196, candidates=4, iterations=1, steps=1))
    planner.set_goal(picture(200), sensed(0.3))
    cycle = planner.plan(Frame(0.0, picture(50), sensed(0.0)), CommandHistory(2, 5.0))
    assert cycle.subset.tolist() == list(range(196))
    tokens = dense.encode([picture(0), picture(9)], np.zeros((2, 4), np.float32))
    context, candidates = Context(tokens[:1], torch.zeros(0, 10)), torch.zeros(2, 1, 10)
    with pytest.raises(ConfigError, match=r'`subset` holds 98 positions.*needs all 196'):
        dense.costs(context, tokens[1], candidates, torch.arange(98))
    with pytest.raises(ConfigError, match=r'in their order'):
        dense.costs(context, tokens[1], candidates, torch.arange(196).flip(0))


def test_inspect_says_what_an_imported_bundle_is(
    imported: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['inspect', str(imported)]) == 0
    said = capsys.readouterr().out
    for words in ('official', 'Sparse Imagination (any subset', 'dino_vits16', 'frameskip 5',
                  'pose.pose.position.x', 'weight in the cost is 1.0', '-0.2 .. 0.2'):
        assert words in said


def test_evaluate_names_a_robot_that_the_simulator_lacks(
    imported: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['evaluate', '--bundle', str(imported), '--episodes', '1']) == 2
    said = capsys.readouterr().err
    assert '`pusher`, which the simulator does not have; it has omnidirectional' in said


def test_what_the_checkpoint_lacks_is_asked_for_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['import', str(FIXTURES / 'dino_wm.pth'), '--out', str(tmp_path / 'out')]) == 2
    said = capsys.readouterr().err
    assert '`step_s` (length of a model step, seconds)' in said and '`action_mean`' in said
    (tmp_path / 'facts.yaml').write_text(yaml.safe_dump(FACTS))
    with pytest.raises(ConfigError) as raised:
        read_facts(tmp_path / 'facts.yaml', 'point_maze')
    assert '`action_std`' in str(raised.value) and '`frameskip`' not in str(raised.value)
    with pytest.raises(ConfigError, match=r'--like chess.*pusht, point_maze, wall'):
        read_facts(None, 'chess')


@pytest.mark.parametrize(('wrong', 'message'), [
    ({'color': 'red'}, r'facts.yaml: unknown setting `color`'),
    ({'step_s': 'long'}, r"`step_s` is 'long'.*expected a float"),
    ({'command_high': [0.5, 'far']}, r'`command_high`.*expected a list of float'),
    ({'picture_size': [96]}, r'`picture_size`.*expected a list of int of length 2'),
    ({'picture_size': [128, 96]}, r'128 x 96.*crop'),
    ({'command_high': [0.5]}, r'`command_high` holds 1 values'),
    ({'command_high': [0.5, 0.0]}, r'must not be above 0'),
    ({'sense_weight': -1.0}, r'`sense_weight` is -1.0; allowed range'),
])
def test_facts_that_cannot_be_are_named(
    tmp_path: Path, wrong: dict[str, object], message: str,
) -> None:
    (tmp_path / 'facts.yaml').write_text(yaml.safe_dump({**FACTS, **wrong}))
    with pytest.raises(ConfigError, match=message):
        read_facts(tmp_path / 'facts.yaml', 'pusht')


def truncated(workshop: Path, folder: Path) -> Path:
    path = folder / 'model.pth'
    path.write_bytes((workshop / 'sparse.pth').read_bytes()[:-1000])
    return path


def malicious(workshop: Path, folder: Path) -> Path:
    del workshop
    write_call(folder / 'model.pth', 'os', 'system', f'touch {folder / "made"}')
    return folder / 'model.pth'


def of_another_kind(workshop: Path, folder: Path) -> Path:
    del folder
    return workshop / 'dino_vits16.safetensors'


def of_other_tokens(workshop: Path, folder: Path) -> Path:
    del workshop, folder
    return FIXTURES / 'sparse_imagination.pth'


@pytest.mark.parametrize(('checkpoint', 'error', 'message'), [
    (truncated, CheckpointError, r'is damaged'),
    (malicious, CheckpointError, r'names `os.system`.*Nothing of it was run'),
    (of_another_kind, CheckpointError, r'is damaged'),
    (of_other_tokens, BundleError, r'tokens 384 wide but the predictor takes 24'),
])
def test_nothing_is_written_for_a_checkpoint_that_does_not_do(
    workshop: Path, facts: ImportFacts, tmp_path: Path,
    checkpoint: Callable[[Path, Path], Path], error: type[SparseImaginationError], message: str,
) -> None:
    made = tmp_path / 'made'
    with pytest.raises(error, match=message):
        import_checkpoint(checkpoint(workshop, tmp_path), facts, None,
                          workshop / 'dino_vits16.safetensors', made / 'bundle')
    assert not made.exists()


@pytest.mark.parametrize(('change', 'message'), [
    ({'frameskip': 4}, r'10 numbers in a model step, not 2 actions x frameskip 4'),
    ({'sense_fields': ('x', 'y')}, r'senses holds 2 values, not 4'),
    ({'sense_std': (1.0, 1.0, 0.0, 1.0)}, r'standard deviation'),
    ({'action_mean': (float('nan'), 0.0)}, r'a mean is not a number'),
])
def test_facts_that_do_not_fit_the_checkpoint_are_named(
    workshop: Path, facts: ImportFacts, tmp_path: Path, change: dict[str, object], message: str,
) -> None:
    with pytest.raises(BundleError, match=message):
        import_checkpoint(workshop / 'sparse.pth', replace(facts, **change), None,
                          workshop / 'dino_vits16.safetensors', tmp_path / 'bundle')
    assert not list(tmp_path.iterdir())


def test_weights_of_another_encoder_and_a_folder_that_is_there_are_refused(
    workshop: Path, imported: Path, facts: ImportFacts, tmp_path: Path,
) -> None:
    with pytest.raises(EncoderError, match=r'holds no weights of `dinov2_vits14`'):
        import_checkpoint(workshop / 'dense.pth', facts, None,
                          workshop / 'dino_vits16.safetensors', tmp_path / 'bundle')
    assert not list(tmp_path.iterdir())
    before = (imported / 'manifest.yaml').read_bytes()
    with pytest.raises(BundleError, match=r'is there already'):
        import_checkpoint(workshop / 'sparse.pth', facts, None, None, imported)
    assert (imported / 'manifest.yaml').read_bytes() == before
    assert sorted(path.name for path in imported.parent.iterdir()) in (
        ['sparse'], ['dense', 'sparse'])
