# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The residual latent action: how tokens changed between two frames, as a few numbers, and back.

It never sees an action, so it learns from any video. It works on any subset of the tokens, the
same of both frames. Frames are tokens with their places.
"""

import torch
from torch import nn, Tensor

from sparse_imagination_ros.world_models.rla.shape import Block, PLACE_WIDTH, RlaShape


class ResidualEncoder(nn.Module):
    """Says what changed."""

    def __init__(self, shape: RlaShape) -> None:
        super().__init__()
        self.shape = shape
        self.change_in = nn.Linear(shape.token_width + PLACE_WIDTH, shape.width)
        self.asking = nn.Parameter(0.2 * torch.randn(shape.latents, shape.width))
        self.blocks = _blocks(shape)
        self.norm = nn.LayerNorm(shape.width)
        self.latent_out = nn.Linear(shape.width, shape.latent_width)

    def forward(self, start: Tensor, later: Tensor) -> Tensor:
        """Return the latents [B, Z] of what changed from start to later, both [B, K, D + E]."""
        width = self.shape.token_width
        change = torch.cat([(later - start)[..., :width], start[..., width:]], -1)
        asking = self.asking.expand(len(change), -1, -1)
        x = self.blocks(torch.cat([asking, self.change_in(change)], 1))
        latents: Tensor = self.latent_out(self.norm(x[:, :self.shape.latents]))
        return latents.flatten(1)


class ResidualDecoder(nn.Module):
    """Changes a frame as it is told."""

    def __init__(self, shape: RlaShape) -> None:
        super().__init__()
        self.shape = shape
        self.start_in = nn.Linear(shape.token_width + PLACE_WIDTH, shape.width)
        self.latent_in = nn.Linear(shape.latent_width, shape.width)
        # A latent means something else in each slot.
        self.slots = nn.Parameter(0.2 * torch.randn(shape.latents, shape.width))
        self.blocks = _blocks(shape)
        self.change_out = nn.Linear(shape.width, shape.token_width)
        # An untrained decoder says that nothing changes.
        nn.init.zeros_(self.change_out.weight)
        nn.init.zeros_(self.change_out.bias)

    def forward(self, start: Tensor, latents: Tensor) -> Tensor:
        """Return the frame [B, K, D + E] that latents [B, Z] make of start [B, K, D + E]."""
        shape = self.shape
        tokens = latents.reshape(len(latents), shape.latents, shape.latent_width)
        told = self.latent_in(tokens) + self.slots
        x = self.blocks(torch.cat([told, self.start_in(start)], 1))
        change = self.change_out(x[:, shape.latents:])
        width = shape.token_width
        return torch.cat([start[..., :width] + change, start[..., width:]], -1)


def _blocks(shape: RlaShape) -> nn.Sequential:
    return nn.Sequential(*(Block(shape.width, shape.heads) for _ in range(shape.depth)))
