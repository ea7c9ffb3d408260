# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of the residual latent action family, and the layers that its networks share."""

from dataclasses import dataclass

import torch
from torch import nn, Tensor
from torch.nn import functional

# How many numbers tell a token's place in the picture.
PLACE_WIDTH = 16
# What the distance to a goal is taken of.
DISTANCES = LATENT, TOKENS = 'latent', 'tokens'


@dataclass(frozen=True)
class RlaShape:
    """
    The sizes of an RLA predictor, and how it imagines.

    latents, latent_width: numbers that tell what happens in a chunk; chunk: the most model steps
    of one; flow_steps: from noise to a latent; generative: whether it knows several futures, or
    only their mean; distance: whether that to a goal is of latents or of decoded tokens.
    """

    token_width: int
    grid: int
    action_size: int
    latents: int = 4
    latent_width: int = 8
    width: int = 64
    depth: int = 3
    heads: int = 4
    chunk: int = 8
    flow_steps: int = 4
    generative: bool = True
    distance: str = LATENT

    @property
    def latent_size(self) -> int:
        """How many numbers a latent has."""
        return self.latents * self.latent_width

    @property
    def window(self) -> int:
        """How many frames it looks back on."""
        return 1


class Block(nn.Module):
    """Attention between all tokens, then a per-token network."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        # No norm here: where a robot is and how far it goes are magnitudes.
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens, [B, L, D] -> [B, L, D]."""
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        out: Tensor = x + self.mlp(x)
        return out


def places(grid: int) -> Tensor:
    """Return where each token of a grid lies, as waves along both axes, [P, PLACE_WIDTH]."""
    along = (torch.arange(grid) + 0.5) / grid
    phase = torch.pi * along[:, None] * 2.0 ** torch.arange(PLACE_WIDTH // 4)
    waves = torch.cat([phase.sin(), phase.cos()], 1)
    rows = waves[:, None].expand(-1, grid, -1)
    columns = waves[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)
