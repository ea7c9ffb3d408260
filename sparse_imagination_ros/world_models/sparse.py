# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The sparse predictor: tokens and actions to the next tokens, on any subset of the tokens.

It knows no patch positions (the tokens carry them) and no absolute time. The action of a step
enters with the frame that it leads out of, so that all frames before the last observed one are the
same for every candidate.
"""

from dataclasses import dataclass

import torch
from torch import nn, Tensor

from sparse_imagination_ros.world_models.attention import FrameAttention, KeysValues
from sparse_imagination_ros.world_models.predictor import mean_over_tokens
from sparse_imagination_ros.world_models.reader import Reader

# The past frames of a rollout: per block, the keys and values of up to `window - 1` frames.
Cache = list[list[KeysValues]]


@dataclass(frozen=True)
class PredictorShape:
    """
    The sizes of a predictor.

    told: how much the square of each number that its tokens tell counts in that of a distance; if
    there are none, the tokens themselves are compared.
    """

    token_width: int
    action_size: int
    width: int = 64
    depth: int = 3
    heads: int = 4
    window: int = 3
    told: tuple[float, ...] = ()


class Block(nn.Module):
    """Attention, then a per-token network."""

    def __init__(self, shape: PredictorShape) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(shape.width)
        self.attention = FrameAttention(shape.width, shape.heads, shape.window)
        # No norm here: where a robot is and how far it goes are magnitudes.
        self.mlp = nn.Sequential(
            nn.Linear(shape.width, 4 * shape.width), nn.ReLU(),
            nn.Linear(4 * shape.width, shape.width))

    def forward(self, x: Tensor) -> Tensor:
        """Whole clips, [B, F, K, D] -> [B, F, K, D]."""
        x = x + self.attention(self.attention_norm(x))
        out: Tensor = x + self.mlp(x)
        return out

    def extend(self, x: Tensor, past: list[KeysValues]) -> tuple[Tensor, KeysValues]:
        """One new frame, [B, K, D] -> [B, K, D], and its keys and values."""
        y, kept = self.attention.extend(self.attention_norm(x), past)
        x = x + y
        return x + self.mlp(x), kept


class SparsePredictor(nn.Module):
    """Predicts each frame's successor."""

    # It goes step by step, and knows one future.
    stride = looks = futures = 1

    def __init__(self, shape: PredictorShape) -> None:
        super().__init__()
        self.shape = shape
        self.token_in = nn.Linear(shape.token_width, shape.width)
        self.action_in = nn.Sequential(
            nn.Linear(shape.action_size, shape.width), nn.GELU(),
            nn.Linear(shape.width, shape.width))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.token_out = nn.Linear(shape.width, shape.token_width)
        # An untrained predictor says that nothing changes.
        nn.init.zeros_(self.token_out.weight)
        nn.init.zeros_(self.token_out.bias)
        self.reader = Reader(shape.token_width, len(shape.told)) if shape.told else None
        self.register_buffer('told', torch.tensor(shape.told), persistent=False)
        self.told: Tensor

    def forward(self, tokens: Tensor, actions: Tensor) -> Tensor:
        """
        Predict whole clips at once.

        tokens: [B, F, K, D]; actions: [B, F, A], action i leads out of frame i.
        Returns [B, F, K, D], where i is the prediction of frame i + 1.
        """
        x = self.token_in(tokens) + self.action_in(actions)[:, :, None]
        for block in self.blocks:
            x = block(x)
        predicted: Tensor = tokens + self.token_out(x)
        return predicted

    def extend(
        self, tokens: Tensor, actions: Tensor, cache: Cache,
    ) -> tuple[Tensor, Cache]:
        """
        Predict the successor of one frame, given the cache of those before it.

        tokens: [B, K, D], or one frame that all share; actions: [B, A].
        Returns the prediction [B, K, D] and the cache that includes this frame.
        """
        x = self.token_in(tokens) + self.action_in(actions)[:, None]
        grown: Cache = []
        for block, past in zip(self.blocks, cache, strict=True):
            assert isinstance(block, Block)
            x, kept = block.extend(x, past)
            grown.append([*past, kept][-(self.shape.window - 1):])
        return tokens + self.token_out(x), grown

    def empty_cache(self) -> Cache:
        """Return the cache before the first frame."""
        return [[] for _ in self.blocks]

    def start(self, tokens: Tensor, draws: int = 1) -> Tensor:
        """Return the tokens as they are: a rollout is told by its newest tokens."""
        del draws
        return tokens

    def tokens(self, state: Tensor) -> Tensor:
        """Return the tokens of a frame, which is no more than they are."""
        return state

    def observe(self, tokens: Tensor, sensed: Tensor) -> Tensor:
        """Return the tokens as they are: what is sensed is not used."""
        del sensed
        return tokens

    def distance(self, state: Tensor, goal: Tensor, counts: Tensor | None = None) -> Tensor:
        """
        Return how far frames [B, K, D] are from the goal [K, D], [B]; counts: [K].

        Tokens count by their places only where they themselves are compared, so with counts they
        are.
        """
        if self.reader is None or counts is not None:
            return mean_over_tokens((state - goal).square().mean(-1), counts)
        # A length, not its square: else what is far hides what is near.
        apart: Tensor = self.reader(state) - self.reader(goal)
        return (apart.square() @ self.told).sqrt()
