# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the machine tells of itself: memory, temperatures, power mode. It may tell nothing."""

from pathlib import Path
import platform
import sys

import torch

MEGABYTE = 1024 * 1024
# Where Jetsons keep the mode that nvpmodel set, and other machines theirs.
POWER_MODES = (
    'var/lib/nvpmodel/status', 'sys/firmware/acpi/platform_profile',
    'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')


def machine_values(root: Path = Path('/')) -> dict[str, object]:
    """Return what can be read, by name; root: of the file system."""
    values: dict[str, object] = {
        'processor': platform.machine(), 'engine': f'torch {torch.__version__}',
        'threads': torch.get_num_threads()}
    resident = _resident_mb(root)
    if resident is not None:
        values['memory MB'] = resident
    # What Python has in use: it shows a leak long before the memory does.
    values['memory blocks of Python'] = sys.getallocatedblocks()
    if torch.cuda.is_available():
        values['device'] = torch.cuda.get_device_name()
        values['device memory MB'] = torch.cuda.memory_reserved() // MEGABYTE
    values.update(_temperatures(root))
    mode = next(filter(None, (_text(root / place) for place in POWER_MODES)), '')
    if mode:
        values['power mode'] = mode
    return values


def _resident_mb(root: Path) -> int | None:
    for line in _text(root / 'proc/self/status').splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) // 1024
    return None


def _temperatures(root: Path) -> dict[str, object]:
    """Return the temperature of each zone, as Linux tells it in thousandths of a degree."""
    values: dict[str, object] = {}
    for zone in sorted((root / 'sys/class/thermal').glob('thermal_zone*')):
        kind, text = _text(zone / 'type'), _text(zone / 'temp')
        if kind and text.lstrip('-').isdigit():
            values[f'temperature {kind} C'] = round(int(text) / 1000, 1)
    return values


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        # A sensor that sleeps says so with an error.
        return ''
