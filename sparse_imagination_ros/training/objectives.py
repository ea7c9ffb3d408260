# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the training of the encoder minimises: pure functions of tensors."""

import torch
from torch import nn, Tensor
from torch.nn import functional

from sparse_imagination_ros.sim.world import State
from sparse_imagination_ros.tokens.encoders import EncoderShape, within_reach
from sparse_imagination_ros.world_models.reader import Reader

# Frames up to this many steps apart count as near in time, the nearer the more.
NEAR_STEPS = 6
NEAR_DECAY = 0.7
# Side of the coarse picture of the scene, pixels.
SCENE_SIDE = 12
# How an error of the pose counts. As its square, what few tokens cannot know outweighs all else.
SQUARE, PLAIN = 'square', 'plain'
POSE_ERRORS = (SQUARE, PLAIN)
# From so much of half the picture on an error counts as it is; a smaller one as its square.
WELL_TOLD = 0.01


def readable(poses: Tensor, state: State) -> Tensor:
    """Return poses [..., Q] as a reader tells them, [..., Q + 1]: an angle is a direction."""
    places, angle = poses[..., :-1] / (state.size / 2) - 1, poses[..., -1:]
    return torch.cat([places, angle.cos(), angle.sin()], -1)


def mistold(told: Tensor, known: Tensor, small: float = WELL_TOLD) -> Tensor:
    """Return how far what is told is off, [...]; what is small counts as its square."""
    return functional.smooth_l1_loss(told, known, reduction='none', beta=small)


class PoseHead(nn.Module):
    """Where things are, told by some tokens together."""

    def __init__(self, token_width: int, state: State, error: str = SQUARE) -> None:
        super().__init__()
        self.reader = Reader(token_width, len(state.names) + 1)
        self._state = state
        self._plain = error == PLAIN

    def loss(self, tokens: Tensor, poses: Tensor) -> Tensor:
        """Return the error of telling poses [..., Q] from tokens [..., K, D]."""
        told, known = self.reader(tokens), readable(poses, self._state)
        return mistold(told, known).mean() if self._plain else functional.mse_loss(told, known)


class SceneHead(nn.Module):
    """A coarse, grey picture of what a token sees, painted from each token by itself."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(shape.width, 256), nn.ReLU(), nn.Linear(256, SCENE_SIDE**2))
        self.register_buffer('seen', within_reach(shape, SCENE_SIDE), persistent=False)
        self.seen: Tensor

    def loss(self, tokens: Tensor, drawn: Tensor, pictures: Tensor) -> Tensor:
        """Return the error of painting pictures [B, 3, S, S] from tokens [B, K, D] at `drawn`."""
        scene = functional.adaptive_avg_pool2d(pictures.mean(1, keepdim=True), SCENE_SIDE)
        painted: Tensor = self.net(tokens)
        wrong = (painted.float() - scene.flatten(1)[:, None].float()).square()
        return (wrong * self.seen[drawn]).sum() / (len(tokens) * self.seen[drawn].sum())


class TemporalContrast(nn.Module):
    """
    Tokens of frames near in time are near, and of frames far apart in time are far.

    Near means soon to be reached: two places on either side of a wall lie apart. Only frames of
    one episode are compared, in which everything but the robot stands still.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the loss of consecutive frames' tokens [B, F, P, D] of unit variance."""
        frames, width = tokens.shape[1], tokens.shape[3]
        number = torch.arange(frames)
        apart = (number[:, None] - number[None]).abs()
        near = torch.where((apart > 0) & (apart <= NEAR_STEPS), NEAR_DECAY**apart.float(), 0.0)
        each = tokens.transpose(1, 2)
        distance = 2 - 2 * (each @ each.transpose(-1, -2)) / width
        scores = (-self.log_scale.exp() * distance).masked_fill(apart == 0, -1e4)
        loss = -(near / near.sum(1, keepdim=True)) * scores.log_softmax(-1)
        return loss.sum(-1).mean()
