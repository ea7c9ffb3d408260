# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What machine this is, as far as what is measured, made or trained on it depends on that."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
import os
from pathlib import Path
import platform

import torch

# What graphs are made by.
MAKERS = ('torch', 'openvino', 'onnxruntime', 'onnxruntime-gpu', 'torch_tensorrt', 'tensorrt')
# Where the drivers of NVIDIA say which they are: with a card, and on a Jetson.
DRIVERS = (Path('/proc/driver/nvidia/version'), Path('/etc/nv_tegra_release'))
# What says that a processor multiplies in bfloat16, as torch names it: of x86, and of Arm's.
BFLOAT16_UNITS = ('avx512_bf16', 'amx_bf16', 'bf16', 'sve_bf16')
# And what says that one of x86 adds up products of bytes in 32 bits.
X86, WHOLE_SUM_UNITS = ('x86_64', 'AMD64'), ('avx512_vnni', 'avx_vnni', 'amx_int8')


def processor() -> str:
    """Return the name of the processor."""
    names = (line.partition(':')[2].strip() for line in _lines(Path('/proc/cpuinfo'))
             if line.startswith('model name'))
    return next(names, platform.processor())


def stolen_ms() -> float:
    """Return how long the host of a virtual machine ran something else so far, if it says."""
    counted = next(iter(_lines(Path('/proc/stat'))), '').split()
    return 1000 * int(counted[8]) / os.sysconf('SC_CLK_TCK') if len(counted) > 8 else 0.0


def has_bfloat16() -> bool:
    """
    Tell whether the processor itself multiplies in bfloat16.

    Where it does not, torch imitates it, and takes ten times as long as in float32.
    """
    return _has_any(BFLOAT16_UNITS)


def has_whole_sums() -> bool:
    """
    Tell whether the processor adds products of bytes up in enough bits.

    Older ones of the x86 kind do not, and cut off what is too large.
    """
    return platform.machine() not in X86 or _has_any(WHOLE_SUM_UNITS)


def facts() -> dict[str, str]:
    """Return all that graphs depend on which are made here now."""
    found = {
        'machine': platform.machine(), 'processor': processor(), 'cores': str(os.cpu_count()),
        'threads': str(torch.get_num_threads())}
    if torch.cuda.is_available():
        found['gpu'] = torch.cuda.get_device_name()
        found['driver'] = next((line for path in DRIVERS for line in _lines(path)), 'unknown')
    for package in MAKERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _has_any(units: Iterable[str]) -> bool:
    # Older versions of torch do not say.
    if not hasattr(torch.cpu, 'get_capabilities'):
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(unit, False) for unit in units)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8').splitlines()
    except OSError:
        return []
