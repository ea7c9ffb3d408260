# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Frame-causal attention over a sliding window, whole for training and cached for rollouts.

Time enters as a bias against older frames, of another strength in each head, so that only
differences matter and the keys and values of a past frame stay valid when the window slides.

Masks have four dimensions, though the batch shares them: of fewer torch writes all scores out,
which takes up to six times as long.
"""

import torch
from torch import nn, Tensor
from torch.nn import functional

# The keys and values of one frame in one block: each [B, heads, K, head width].
KeysValues = tuple[Tensor, Tensor]


class FrameAttention(nn.Module):
    """Each token sees the tokens of its own frame and of the `window - 1` frames before."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        # From nearly equal attention to all frames to attention to the newest one only.
        strength = 4.0 ** torch.arange(-1, heads - 1)
        age_bias = -strength[:, None] * torch.arange(window)
        self.register_buffer('age_bias', age_bias, persistent=False)
        self.age_bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Attend over whole clips, x: [B, F, K, D] -> [B, F, K, D]."""
        batch, frames, count, width = x.shape
        q, k, v = self._project(x.flatten(1, 2))
        number = torch.arange(frames, device=x.device)
        age = number[:, None] - number[None, :]
        bias = self.age_bias[:, age.clamp(0, self.window - 1)]
        bias = bias.masked_fill((age < 0) | (age >= self.window), -torch.inf)
        mask = bias.repeat_interleave(count, 1).repeat_interleave(count, 2).to(q.dtype)[None]
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out(y.transpose(1, 2).reshape(batch, frames, count, width))
        return out

    def extend(self, x: Tensor, past: list[KeysValues]) -> tuple[Tensor, KeysValues]:
        """
        Attend for one new frame, x: [B, K, D], given the past frames in its window, oldest first.

        A past frame may have a batch of one: it is then shared by all of the batch.
        """
        _, count, _ = x.shape
        q, k, v = self._project(x)
        keys = torch.cat([*(p[0].expand_as(k) for p in past), k], 2)
        values = torch.cat([*(p[1].expand_as(v) for p in past), v], 2)
        ages = torch.arange(len(past), -1, -1, device=x.device)
        mask = self.age_bias[None, :, None, ages].repeat_interleave(count, 3)
        y = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return self.out(y.transpose(1, 2).flatten(2)), (k, v)

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of [B, L, D], each [B, heads, L, head width]."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v
