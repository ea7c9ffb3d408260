# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Encoders: pictures to patch tokens. Which tokens are used is decided elsewhere.

The small one that ships in models/ lives here; the DINO family lives in `dino.py`.
"""

from dataclasses import dataclass

import torch
from torch import nn, Tensor
from torch.nn import functional

SMALL = 'small'


@dataclass(frozen=True)
class EncoderShape:
    """
    What an encoder is and takes; it makes grid * grid tokens.

    reach: how many patches away a token of the small encoder sees, 0 for all. pixel_mean,
    pixel_std: what bytes / 255 are normalised by, for red, green and blue.
    """

    name: str = SMALL
    image_size: int = 96
    grid: int = 8
    width: int = 64
    depth: int = 1
    reach: float = 0.0
    pixel_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    pixel_std: tuple[float, ...] = (0.5, 0.5, 0.5)


class Encoder(nn.Module):
    """What all encoders share: bytes in, normalised as it was in training, patch tokens out."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        for name, values in (('mean', shape.pixel_mean), ('std', shape.pixel_std)):
            scaled = 255 * torch.tensor(values)[:, None, None]
            self.register_buffer(f'pixel_{name}', scaled, persistent=False)
        self.pixel_mean: Tensor
        self.pixel_std: Tensor

    def forward(self, pictures: Tensor) -> Tensor:
        """Turn bytes [B, S, S, 3] into tokens [B, P, D], row by row."""
        return self.tokens(self.normalise(pictures))

    def normalise(self, pictures: Tensor) -> Tensor:
        """Turn bytes [..., S, S, 3] into network input [..., 3, S, S]."""
        return (pictures.movedim(-1, -3).float() - self.pixel_mean) / self.pixel_std

    def tokens(self, x: Tensor) -> Tensor:
        """Turn network input [B, 3, S, S] into tokens [B, P, D], row by row."""
        raise NotImplementedError


class SmallEncoder(Encoder):
    """
    A convolutional stem, and attention over the patches within reach.

    The reach decides what a token knows: its surroundings, and not all of the picture. Position
    is added before the attention, so that any subset in any order means the same.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__(shape)
        width, patch = shape.width, shape.image_size // shape.grid
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 8, stride=4, padding=2), nn.BatchNorm2d(32), nn.GELU(),
            nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.GELU(),
            nn.Conv2d(48, width, patch // 4, stride=patch // 4), nn.BatchNorm2d(width))
        self.position = nn.Parameter(_position_code(shape.grid, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, width // 32, 2 * width, dropout=0.0, activation='gelu',
                batch_first=True, norm_first=True)
            for _ in range(shape.depth))
        self.head = nn.Linear(width, width)
        unseen = torch.where(within_reach(shape), 0.0, -torch.inf)
        self.register_buffer('unseen', unseen, persistent=False)
        self.unseen: Tensor

    def tokens(self, x: Tensor) -> Tensor:
        """Turn network input [B, 3, S, S] into tokens [B, P, D] of unit variance."""
        x = self.stem(x).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x, self.unseen)
        x = self.head(x)
        return functional.layer_norm(x, x.shape[-1:])


def within_reach(shape: EncoderShape, cells: int | None = None) -> Tensor:
    """
    Return which parts of the picture a token sees, [P, C * C].

    cells: C, into how many the side of the picture is divided (as many as the grid has).
    """
    patches, parts = _centres(shape.grid), _centres(cells or shape.grid)
    return torch.cdist(patches, parts) * shape.grid <= (shape.reach or 2 * shape.grid)


def _centres(side: int) -> Tensor:
    """Return the centres of side * side squares, [side * side, 2], of a picture of side 1."""
    along = (torch.arange(side) + 0.5) / side
    return torch.stack(torch.meshgrid(along, along, indexing='ij'), -1).flatten(0, 1)


def make_encoder(shape: EncoderShape) -> Encoder:
    """Return an untrained encoder."""
    if shape.name == SMALL:
        return SmallEncoder(shape)
    # Not before: timm takes seconds to import, and a robot with the small encoder has none.
    from sparse_imagination_ros.tokens.dino import DinoEncoder
    return DinoEncoder(shape)


def _position_code(grid: int, width: int) -> Tensor:
    """Return waves along both axes, [grid * grid, width], so that near patches start out alike."""
    frequencies = 2.0 ** (torch.arange(width // 4) % 4)
    phase = torch.pi * torch.arange(grid)[:, None] / grid * frequencies / 2
    waves = torch.cat([phase.sin(), phase.cos()], 1)
    rows = waves[:, None].expand(grid, grid, -1)
    columns = waves[None].expand(grid, grid, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)
