# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the training of the encoder minimises: pure functions of tensors."""

import torch
from torch import nn, Tensor
from torch.nn import functional

from sparse_imagination_ros.tokens.encoders import EncoderShape

# Frames up to this many steps apart count as near in time, the nearer the more.
NEAR_STEPS = 6
NEAR_DECAY = 0.7
# Side of the coarse picture of the scene, pixels.
SCENE_SIDE = 12


class PoseHead(nn.Module):
    """Where the robot is, by the votes of some tokens; used in training only."""

    def __init__(self, token_width: int, world_size_m: float) -> None:
        super().__init__()
        self.net = nn.Linear(token_width, 5)
        self._half_m = world_size_m / 2

    def loss(self, tokens: Tensor, poses: Tensor) -> Tensor:
        """Return the error of reading poses [B, F, 3] from tokens [B, F, K, D] together."""
        place, heading = poses[..., :2] / self._half_m - 1, poses[..., 2:]
        wanted = torch.cat([place, heading.cos(), heading.sin()], -1)
        votes = self.net(tokens).float()
        # Each token says how sure it is: one that does not see the robot leaves it to others.
        sureness = votes[..., 4:].softmax(-2)
        read = (sureness * votes[..., :4]).sum(-2)
        return functional.mse_loss(read, wanted)


class SceneHead(nn.Module):
    """A coarse, grey picture of what a token sees, painted from each token by itself."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(shape.width, 256), nn.ReLU(), nn.Linear(256, SCENE_SIDE**2))
        self.register_buffer('seen', _seen(shape.grid, shape.reach), persistent=False)
        self.seen: Tensor

    def loss(self, tokens: Tensor, pictures: Tensor, subset: Tensor) -> Tensor:
        """Return the error of painting pictures [B, 3, S, S] from the tokens [B, K, D]."""
        scene = functional.adaptive_avg_pool2d(pictures.mean(1, keepdim=True), SCENE_SIDE)
        wrong = (self.net(tokens).float() - scene.flatten(1)[:, None]).square()
        seen = self.seen[subset]
        return (wrong * seen).sum() / (seen.sum() * len(tokens))


class TemporalContrast(nn.Module):
    """
    Frames near in time are near by the distance that planning uses, and frames far apart far.

    Near means soon to be reached: two places on either side of a wall lie apart. Only frames of
    one episode are compared, in which everything but the robot stands still.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the loss of consecutive frames' tokens [B, F, K, D] of unit variance."""
        frames = tokens.shape[1]
        number = torch.arange(frames)
        apart = (number[:, None] - number[None]).abs()
        near = torch.where((apart > 0) & (apart <= NEAR_STEPS), NEAR_DECAY**apart.float(), 0.0)
        flat = tokens.flatten(2)
        distance = 2 - 2 * (flat @ flat.transpose(-1, -2)) / flat.shape[-1]
        scores = (-self.log_scale.exp() * distance).masked_fill(apart == 0, -1e4)
        loss = -(near / near.sum(1, keepdim=True)) * scores.log_softmax(-1)
        return loss.sum(-1).mean()


def _seen(grid: int, reach: int) -> Tensor:
    """Return which cells of the coarse picture each patch sees, [P, cells]."""
    patch, cell = (_centres(side) for side in (grid, SCENE_SIDE))
    near = torch.cdist(patch, cell) * grid <= (reach or 2 * grid) + 0.5
    return near.float()


def _centres(side: int) -> Tensor:
    """Return the middle of each cell of a grid over a unit square, [side * side, 2]."""
    at = (torch.arange(side) + 0.5) / side
    return torch.stack(torch.meshgrid(at, at, indexing='ij'), -1).flatten(0, 1)
