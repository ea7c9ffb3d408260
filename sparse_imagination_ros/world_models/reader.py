# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tokens tell, read by as little as can read it."""

from torch import nn, Tensor


class Reader(nn.Module):
    """
    Reads numbers from some tokens together.

    Each token gives its opinion of every number, and how sure it is. Whatever tokens are asked,
    those that see a thing must know, and the others must know that they do not.
    """

    def __init__(self, token_width: int, count: int) -> None:
        super().__init__()
        self.net = nn.Linear(token_width, 2 * count)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the numbers [..., Q] that tokens [..., K, D] tell."""
        opinion, sureness = self.net(tokens).float().chunk(2, -1)
        told: Tensor = (sureness.softmax(-2) * opinion).sum(-2)
        return told
