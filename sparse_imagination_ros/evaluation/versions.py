# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""With what software, and on what kind of machine, numbers were measured."""

from importlib.metadata import PackageNotFoundError, version
import os
import platform

PACKAGES = (
    'sparse_imagination_ros', 'torch', 'numpy', 'opencv-python-headless', 'opencv-python',
    'openvino')


def versions() -> dict[str, str]:
    """Name the versions of what is installed, and the machine."""
    found = {'python': platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # Only one OpenCV is installed; a source tree may not be installed at all.
            continue
    found['machine'] = f'{platform.system()} {platform.machine()}, {os.cpu_count()} cores'
    return found
