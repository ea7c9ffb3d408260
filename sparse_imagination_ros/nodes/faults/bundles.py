# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle that wants odometry, made of one that does not. It leads nowhere, but it drives."""

from dataclasses import replace
from pathlib import Path

import torch

from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.official import OfficialPredictor, OfficialShape

SENSES = ('pose.pose.position.x', 'pose.pose.position.y')


def sensing(bundle: Bundle, folder: Path) -> Path:
    """Save a bundle with a small untrained predictor that takes a position; return its folder."""
    torch.manual_seed(0)
    manifest, count = bundle.manifest, len(bundle.manifest.actions.names)
    shape = OfficialShape(
        token_width=manifest.encoder.width, proprio_size=len(SENSES), proprio_width=4,
        action_size=count * manifest.frameskip, action_width=4, depth=1, heads=2, head_width=8,
        hidden_width=32, window=3, patches=0, action_mean=(0.0,) * count,
        action_std=(0.5,) * count, proprio_mean=(0.0, 0.0), proprio_std=(1.0, 1.0),
        proprio_weight=1.0)
    replace(
        bundle, predictor=OfficialPredictor(shape), decoder=None, policy=None, manifest=replace(
            manifest, predictor=shape, senses=SENSES, decoder=None, policy=None, quality=None),
    ).save(folder)
    return folder
