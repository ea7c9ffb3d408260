# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DINO encoders: patch tokens only, from real files in their authors' layout and in timm's."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
import torch
from torch import Tensor

from sparse_imagination_ros.errors import EncoderError
from sparse_imagination_ros.tokens.dino import (
    DINO,
    dino_shape,
    DinoEncoder,
    pretrained_dino,
)

pytestmark = pytest.mark.skipif(
    find_spec('timm') is None, reason='the extra dino is not installed: docs/dependencies.md')

PREFIX = {'dino_vits16': 1, 'dinov2_vits14': 1, 'dinov2_vits14_reg': 5, 'dinov3_vits16': 5}


@pytest.fixture(autouse=True)
def away_from_the_hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)


@pytest.fixture(scope='module', params=DINO)
def encoder(request: pytest.FixtureRequest) -> DinoEncoder:
    """Return an encoder with weights of its own."""
    torch.manual_seed(3)
    made = DinoEncoder(dino_shape(request.param))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return made.eval().requires_grad_(False)


def pictures(encoder: DinoEncoder) -> Tensor:
    size = encoder.shape.image_size
    return torch.randint(
        256, (2, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def in_the_authors_layout(encoder: DinoEncoder) -> dict[str, Tensor]:
    """Name the weights as the files of the authors do."""
    state = dict(encoder.vit.state_dict())
    if encoder.shape.name == 'dinov2_vits14_reg':
        state['register_tokens'] = state.pop('reg_token')
        # The class token's own position is added to it by timm.
        position = torch.full((1, 1, 384), 0.25)
        state['cls_token'] = state['cls_token'] - position
        state['pos_embed'] = torch.cat([position, state['pos_embed']], 1)
    if encoder.shape.name.startswith('dinov2'):
        state['mask_token'] = torch.zeros(1, 384)
    if encoder.shape.name.startswith('dinov3'):
        state = {name.replace('gamma_1', 'ls1.gamma').replace('gamma_2', 'ls2.gamma'): value
                 for name, value in state.items()}
        state['storage_tokens'] = state.pop('reg_token')
        state['mask_token'] = torch.zeros(1, 384)
        state['rope_embed.periods'] = torch.ones(16)
    return state


def test_only_patch_tokens_come_out(encoder: DinoEncoder) -> None:
    name = encoder.shape.name
    everything = encoder.vit.forward_features(encoder.normalise(pictures(encoder)))
    assert everything.shape[1] == 196 + PREFIX[name]
    tokens = encoder(pictures(encoder))
    assert tokens.shape == (2, 196, 384)
    assert torch.equal(tokens, everything[:, PREFIX[name]:])


def test_the_authors_file_and_timms_file_give_the_same_tokens(
    encoder: DinoEncoder, tmp_path: Path,
) -> None:
    expected = encoder(pictures(encoder))
    theirs, timms = tmp_path / 'theirs.pth', tmp_path / 'model.safetensors'
    torch.save(in_the_authors_layout(encoder), theirs)
    save_file(encoder.vit.state_dict(), timms)
    for file in (theirs, timms):
        loaded = pretrained_dino(encoder.shape, file)
        torch.testing.assert_close(loaded(pictures(encoder)), expected, atol=1e-5, rtol=1e-5)


def test_what_torch_hub_has_fetched_is_found(encoder: DinoEncoder) -> None:
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    folder.mkdir(parents=True)
    torch.save(in_the_authors_layout(encoder), folder / DINO[encoder.shape.name].file)
    loaded = pretrained_dino(encoder.shape)
    torch.testing.assert_close(
        loaded(pictures(encoder)), encoder(pictures(encoder)), atol=1e-5, rtol=1e-5)


def test_without_weights_and_network_the_file_to_bring_is_named(encoder: DinoEncoder) -> None:
    family = DINO[encoder.shape.name]
    with pytest.raises(EncoderError, match=rf'bring the file {family.file} from .*--weights'):
        pretrained_dino(encoder.shape)


def test_a_file_with_other_weights_is_refused(encoder: DinoEncoder, tmp_path: Path) -> None:
    wrong = in_the_authors_layout(encoder)
    wrong.pop('norm.weight')
    torch.save(wrong, tmp_path / 'missing.pth')
    (tmp_path / 'damaged.pth').write_bytes(b'PK not quite')
    (tmp_path / 'damaged.safetensors').write_bytes(b'\0' * 100)
    for name in ('missing.pth', 'damaged.pth', 'damaged.safetensors'):
        with pytest.raises(EncoderError, match=rf'{name} holds no weights of'):
            pretrained_dino(encoder.shape, tmp_path / name)
    with pytest.raises(EncoderError, match=r'nowhere.pth is not there'):
        pretrained_dino(encoder.shape, tmp_path / 'nowhere.pth')


def test_published_positions_are_stretched_as_the_authors_do(tmp_path: Path) -> None:
    """DINOv2 was trained on 37 x 37 patches; a position moves with its place in the picture."""
    encoder = DinoEncoder(dino_shape('dinov2_vits14'))
    state = in_the_authors_layout(encoder)
    across = torch.linspace(0, 1, 37)[None, :, None].expand(37, -1, 384)
    state['pos_embed'] = torch.cat([torch.zeros(1, 1, 384), across.reshape(1, -1, 384)], 1)
    torch.save(state, tmp_path / 'weights.pth')
    loaded: Any = pretrained_dino(encoder.shape, tmp_path / 'weights.pth').vit
    row = loaded.pos_embed[0, 1:, 0].reshape(14, 14)[5]
    # Patch i looks at (i + 0.5) * 37 / 14.1 - 0.5 of the published ones.
    centres = (torch.arange(14) + 0.5) * 37 / 14.1 - 0.5
    torch.testing.assert_close(row[1:-1], centres[1:-1] / 36, atol=2e-3, rtol=0)


def test_pictures_are_normalised_as_for_imagenet() -> None:
    picture = torch.full((1, 96, 96, 3), 255, dtype=torch.uint8)
    normal = DinoEncoder(dino_shape('dino_vits16', 96)).normalise(picture)
    torch.testing.assert_close(
        normal[0, :, 0, 0], torch.tensor([2.2489, 2.4286, 2.64]), atol=1e-3, rtol=0)
