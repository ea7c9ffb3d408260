# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Encoders: network input to patch tokens. Which tokens are used is decided elsewhere."""

from dataclasses import dataclass

import torch
from torch import nn, Tensor
from torch.nn import functional


@dataclass(frozen=True)
class EncoderShape:
    """The sizes of an encoder; it makes grid * grid tokens."""

    image_size: int = 96
    grid: int = 8
    width: int = 64
    depth: int = 1


class SmallEncoder(nn.Module):
    """
    The encoder that ships in models/: a convolutional stem and attention over all patches.

    Position is added before the attention, so that any subset in any order means the same.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
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

    def forward(self, pictures: Tensor) -> Tensor:
        """Turn [B, 3, S, S] in -1 .. 1 into tokens [B, P, D], row by row, of unit variance."""
        x = self.stem(pictures).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        x = self.head(x)
        return functional.layer_norm(x, x.shape[-1:])


def _position_code(grid: int, width: int) -> Tensor:
    """Return waves along both axes, [grid * grid, width], so that near patches start out alike."""
    frequencies = 2.0 ** (torch.arange(width // 4) % 4)
    phase = torch.pi * torch.arange(grid)[:, None] / grid * frequencies / 2
    waves = torch.cat([phase.sin(), phase.cos()], 1)
    rows = waves[:, None].expand(grid, grid, -1)
    columns = waves[None].expand(grid, grid, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)
