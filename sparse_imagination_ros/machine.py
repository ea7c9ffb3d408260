# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What machine this is, as far as what was measured or made on it depends on that."""

from importlib.metadata import PackageNotFoundError, version
import os
from pathlib import Path
import platform

import torch

# What graphs are made by.
MAKERS = ('torch', 'openvino', 'onnxruntime', 'onnxruntime-gpu', 'torch_tensorrt', 'tensorrt')
# Where the drivers of NVIDIA say which they are: with a card, and on a Jetson.
DRIVERS = (Path('/proc/driver/nvidia/version'), Path('/etc/nv_tegra_release'))


def processor() -> str:
    """Return the name of the processor."""
    names = (line.partition(':')[2].strip() for line in _lines(Path('/proc/cpuinfo'))
             if line.startswith('model name'))
    return next(names, platform.processor())


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


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8').splitlines()
    except OSError:
        return []
