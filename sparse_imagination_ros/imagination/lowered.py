# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Networks whose matrix products are done with fewer bits.

Only those with weights: norms, softmax and what is added up keep float32, since their numbers span
more than half precision holds.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import nn, Tensor
from torch.nn import functional

DTYPES = {
    'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class LoweredLinear(nn.Module):
    """A linear layer with weights and products of few bits, and float32 around it."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(linear.weight.to(dtype), False), linear.bias
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., E]."""
        y = functional.linear(x.to(self.dtype), self.weight).float()
        return y if self.bias is None else y + self.bias


def lowered(module: nn.Module, precision: str) -> nn.Module:
    """Return a copy of a module with its products in this precision."""
    copy, dtype = deepcopy(module), DTYPES[precision]
    if dtype is not torch.float32:
        for parent in list(copy.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, LoweredLinear(child, dtype))
    return copy.eval().requires_grad_(False)


def exported(
    network: nn.Module, example: Sequence[Tensor], precision: str,
) -> torch.export.ExportedProgram:
    """Return what a compiler is given: types are written into it, and it has one size."""
    device = example[0].device
    return torch.export.export(lowered(network, precision).to(device), tuple(example))
