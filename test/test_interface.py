# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface for use without ROS: docs/python.md runs, and importing it is quick."""

from pathlib import Path
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import sparse_imagination_ros
from sparse_imagination_ros import Bundle, Context
from sparse_imagination_ros.errors import FrameError

DOCS = Path(__file__).parent.parent / 'docs'


def test_importing_the_package_imports_neither_torch_nor_ros():
    loaded = subprocess.run(
        [sys.executable, '-c', 'import sparse_imagination_ros, sys; print(*sys.modules)'],
        check=True, capture_output=True, text=True).stdout.split()
    assert not {'torch', 'rclpy', 'cv2', 'numpy'} & set(loaded)


def test_every_name_can_be_imported():
    for name in sparse_imagination_ros.__all__:
        assert getattr(sparse_imagination_ros, name).__name__ == name
    with pytest.raises(AttributeError, match=r'no attribute .Nothing.'):
        getattr(sparse_imagination_ros, 'Nothing')  # noqa: B009 it is the access that is tested


def test_costs_on_a_subset_are_those_of_the_subset_alone(untrained):
    bundle = Bundle.load(untrained)
    generator = torch.Generator().manual_seed(0)
    tokens, goal = torch.randn(3, 16, 32, generator=generator), torch.randn(16, 32)
    actions = torch.rand(2, 2, generator=generator)
    candidates = torch.rand(5, 4, 2, generator=generator)
    subset = torch.tensor([1, 4, 9])
    some = bundle.costs(Context(tokens, actions), goal, candidates, subset)
    alone = bundle.costs(Context(tokens[:, subset], actions), goal[subset], candidates,
                         torch.arange(3))
    assert torch.equal(some, alone)
    assert some.shape == (5,)
    assert not torch.equal(some, bundle.costs(Context(tokens, actions), goal, candidates))


def test_pictures_of_another_size_are_refused(untrained):
    with pytest.raises(FrameError, match=r'the picture is 100 x 50 pixels.*224 x 224'):
        Bundle.load(untrained).encode(np.zeros((1, 50, 100, 3), np.uint8))


def test_the_example_in_the_docs_runs(tmp_path):
    (example,) = re.findall(r'```python\n(.*?)```', (DOCS / 'python.md').read_text(), re.DOTALL)
    subprocess.run([sys.executable, '-c', example], check=True, cwd=DOCS.parent)
