# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small RLA predictors that were never trained, and bundles with them."""

from dataclasses import replace
from pathlib import Path

import torch

from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import RlaShape

SHAPE = RlaShape(
    token_width=32, grid=4, action_size=2, latents=2, latent_width=4, width=32, depth=1, heads=2,
    chunk=4, flow_steps=2)


def lively(shape: RlaShape = SHAPE) -> RlaPredictor:
    """Return a predictor to which actions and noise matter, though it learned nothing."""
    torch.manual_seed(0)
    predictor = RlaPredictor(shape)
    with torch.no_grad():
        predictor.decoder.change_out.weight.normal_(0, 0.3)
        predictor.flow.velocity_out.weight.normal_(0, 0.3)
        predictor.courses.action_in.weight.mul_(5)
    return predictor.eval().requires_grad_(False)


def rla_bundle(untrained: Path, shape: RlaShape = SHAPE) -> Bundle:
    """Return the untrained bundle with such a predictor."""
    bundle = Bundle.load(untrained)
    predictor = lively(shape)
    return replace(
        bundle, predictor=predictor,
        manifest=replace(bundle.manifest, predictor=predictor.shape))
