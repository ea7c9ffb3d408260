# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""In which precision this machine trains fastest."""

import torch

# As torch names them: of x86 processors, and of Arm's.
UNITS = ('avx512_bf16', 'amx_bf16', 'bf16', 'sve_bf16')


def has_bfloat16() -> bool:
    """
    Tell whether the processor itself multiplies in bfloat16.

    Where it does not, torch imitates it, and takes ten times as long as in float32.
    """
    # Older versions of torch do not say.
    if not hasattr(torch.cpu, 'get_capabilities'):
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(unit, False) for unit in UNITS)
