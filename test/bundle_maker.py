# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes a bundle that drives, though to nowhere: small, with random weights."""

from pathlib import Path

import torch

from sparse_imagination_ros.sim.robots import robot
from sparse_imagination_ros.tokens.encoders import EncoderShape, SmallEncoder
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Actions, Manifest
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor


def untrained_bundle(folder: Path) -> Path:
    """Write it, the same each time."""
    torch.manual_seed(0)
    base = robot('omnidirectional')
    encoder = EncoderShape(image_size=32, grid=4, width=32, depth=1)
    predictor = PredictorShape(token_width=32, action_size=2, width=32, depth=1, heads=2)
    manifest = Manifest(
        'untrained', base.name, 0.2, (224, 224),
        Actions(base.action_names, tuple(-v for v in base.limit), base.limit, base.acceleration),
        encoder, predictor, None)
    imagination = SparsePredictor(predictor)
    with torch.no_grad():
        # Actions must matter to it, or it would hardly move.
        imagination.action_in[-1].weight *= 10
        imagination.token_out.weight.normal_(0, 0.05)
    Bundle(manifest, SmallEncoder(encoder), imagination).save(folder)
    return folder
