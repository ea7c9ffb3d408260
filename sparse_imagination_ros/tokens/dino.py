# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The DINO encoders, built by timm, and where their weights are found.

A bundle keeps the weights of its encoder, so that a robot never looks for them: that is done once,
when a bundle is trained or imported.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sparse_imagination_ros.errors import ConfigError, EncoderError
from sparse_imagination_ros.tokens.encoders import Encoder, EncoderShape

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Family:
    """
    One DINO encoder: its name in timm, and the file of its authors.

    image_size makes 14 x 14 tokens. hub_offset: the published positions are stretched to another
    grid by a scale that is so much too large, None if they are not stretched at all.
    """

    timm_name: str
    file: str
    url: str
    patch: int
    image_size: int
    hub_offset: float | None = None


_FACEBOOK = 'https://dl.fbaipublicfiles.com'
DINO = {
    'dino_vits16': Family(
        'vit_small_patch16_224.dino', 'dino_deitsmall16_pretrain.pth',
        f'{_FACEBOOK}/dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth', 16, 224),
    'dinov2_vits14': Family(
        'vit_small_patch14_dinov2.lvd142m', 'dinov2_vits14_pretrain.pth',
        f'{_FACEBOOK}/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth', 14, 196, 0.1),
    'dinov2_vits14_reg': Family(
        'vit_small_patch14_reg4_dinov2.lvd142m', 'dinov2_vits14_reg4_pretrain.pth',
        f'{_FACEBOOK}/dinov2/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth', 14, 196),
    'dinov3_vits16': Family(
        'vit_small_patch16_dinov3.lvd1689m', 'dinov3_vits16_pretrain_lvd1689m-08c60483.pth',
        'https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/', 16, 224),
}
WIDTH, DEPTH = 384, 12


class DinoEncoder(Encoder):
    """A DINO vision transformer: patch tokens after the last norm, and no others."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__(shape)
        self.vit = import_timm().create_model(
            DINO[shape.name].timm_name, pretrained=False, num_classes=0,
            img_size=shape.image_size)

    def tokens(self, x: Tensor) -> Tensor:
        """Turn network input [B, 3, S, S] into tokens [B, P, D]."""
        # The model itself knows how many class and register tokens come first.
        out: Tensor = self.vit.forward_features(x)[:, self.vit.num_prefix_tokens:]
        return out


def dino_shape(
    name: str, image_size: int | None = None,
    pixel_mean: tuple[float, ...] = IMAGENET_MEAN, pixel_std: tuple[float, ...] = IMAGENET_STD,
) -> EncoderShape:
    """Return what a DINO encoder is at this size of pictures (default: 14 x 14 tokens)."""
    if name not in DINO:
        raise ConfigError(f'there is no encoder `{name}`; allowed: {", ".join(DINO)}')
    family = DINO[name]
    size = image_size or family.image_size
    if size % family.patch:
        raise ConfigError(
            f'encoder `{name}` takes pictures of a multiple of {family.patch} pixels, not {size}')
    return EncoderShape(
        name, size, size // family.patch, WIDTH, DEPTH, pixel_mean=pixel_mean,
        pixel_std=pixel_std)


def pretrained_dino(shape: EncoderShape, weights: Path | None = None) -> DinoEncoder:
    """
    Return a DINO encoder with its authors' weights.

    They are read from the file `weights`, or from what torch.hub or timm have fetched before, or
    else fetched by timm.
    """
    encoder, family = DinoEncoder(shape), DINO[shape.name]
    if weights is not None and not weights.is_file():
        raise EncoderError(f'{weights} is not there; {_advice(family)}')
    file = weights or next(_found(family), None)
    try:
        if file is None:
            _fetch(family)
            file = next(_found(family))
        timm = import_timm()
        state = timm.models.load_state_dict(str(file))
        if 'pos_embed' in state and family.hub_offset is not None:
            state['pos_embed'] = _stretched(state['pos_embed'], shape.grid, family.hub_offset)
        convert = timm.models.eva if family.timm_name.startswith('vit_small_patch16_dinov3') else (
            timm.models.vision_transformer)
        encoder.vit.load_state_dict(convert.checkpoint_filter_fn(state, encoder.vit))
    except (OSError, StopIteration) as error:
        raise EncoderError(
            f'the weights of `{shape.name}` are not on this machine and cannot be fetched '
            f'({type(error).__name__}: {error}); {_advice(family)}') from error
    except Exception as error:
        raise EncoderError(
            f'{file} holds no weights of `{shape.name}` ({type(error).__name__}: {error}); '
            f'{_advice(family)}') from error
    return encoder.eval().requires_grad_(False)


def _found(family: Family) -> Iterator[Path]:
    """Look where torch.hub and timm keep what they have fetched."""
    path = Path(torch.hub.get_dir()) / 'checkpoints' / family.file
    if path.is_file():
        yield path
    from huggingface_hub import try_to_load_from_cache
    for name in ('model.safetensors', 'pytorch_model.bin'):
        cached = try_to_load_from_cache(f'timm/{family.timm_name}', name)
        if isinstance(cached, str):
            yield Path(cached)


def _fetch(family: Family) -> None:
    from huggingface_hub import hf_hub_download
    hf_hub_download(f'timm/{family.timm_name}', 'model.safetensors')


def _advice(family: Family) -> str:
    return (
        f'bring the file {family.file} from {family.url}, or model.safetensors from '
        f'https://huggingface.co/timm/{family.timm_name}, and name it with `--weights`')


def _stretched(positions: Tensor, grid: int, offset: float) -> Tensor:
    """
    Fit the class token's and the patches' positions [1, 1 + Q, D] to another grid.

    As the authors' own code does it: by a scale rather than to a size, and without smoothing.
    """
    side = round((positions.shape[1] - 1) ** 0.5)
    if side == grid:
        return positions
    patches = positions[:, 1:].reshape(1, side, side, -1).movedim(-1, 1).float()
    scale = (grid + offset) / side
    patches = functional.interpolate(patches, scale_factor=(scale, scale), mode='bicubic')
    return torch.cat([positions[:, :1], patches.flatten(2).transpose(1, 2)], 1)


def import_timm() -> Any:
    """Import timm, also beside a torchvision that was compiled for another PyTorch."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        # Its operators are missing then. None is used here, but they must have been named.
        for name in ('nms', 'qnms'):
            _NAMED.define(  # type: ignore[no-untyped-call]
                f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    import timm
    return timm


# Kept, since the names go when it goes.
_NAMED = torch.library.Library(  # type: ignore[no-untyped-call]
    'torchvision', 'FRAGMENT')
