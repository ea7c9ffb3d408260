# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens back to a small picture, for people to look at. Planning never uses it."""

from dataclasses import dataclass

import torch
from torch import nn, Tensor

# Each layer doubles the side: a grid of 8 x 8 tokens becomes 64 x 64 pixels.
LAYERS = 3


@dataclass(frozen=True)
class DecoderShape:
    """The sizes of a decoder: of the tokens, and of its own layers."""

    token_width: int
    grid: int
    width: int = 64

    @property
    def picture_size(self) -> int:
        """Return the side of the pictures that it paints, pixels."""
        return self.grid << LAYERS


class Decoder(nn.Module):
    """Paints a picture from any subset of a frame's tokens."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.token_in = nn.Linear(shape.token_width, shape.width)
        # What stands where a token is not known, at each place.
        self.unknown = nn.Parameter(torch.zeros(shape.grid**2, shape.width))
        self.mix = nn.TransformerEncoderLayer(
            shape.width, 4, 2 * shape.width, dropout=0.0, batch_first=True, norm_first=True)
        layers: list[nn.Module] = []
        for _ in range(LAYERS):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(shape.width, shape.width, 3, 1, 1),
                       nn.GELU()]
        self.paint = nn.Sequential(*layers, nn.Conv2d(shape.width, 3, 3, 1, 1))

    def forward(self, tokens: Tensor, subset: Tensor) -> Tensor:
        """
        Paint pictures [B, 3, S, S] in 0 .. 1 from the tokens [B, K, D] at positions [K].

        What a predictor joined with the tokens is not looked at.
        """
        tokens = tokens[..., :self.shape.token_width]
        x = self.unknown.repeat(len(tokens), 1, 1)
        x[:, subset] = self.token_in(tokens).to(x.dtype) + self.unknown[subset]
        x = self.mix(x)
        grid = self.shape.grid
        painted: Tensor = self.paint(x.transpose(1, 2).reshape(len(x), -1, grid, grid))
        return painted.sigmoid()
