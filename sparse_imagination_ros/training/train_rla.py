# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains a bundle of the residual latent action family: autoencoder, scale of latents, flow."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.tokens.encoders import Encoder
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.joint import JointConfig
from sparse_imagination_ros.training.loop import Report, run, Share, Team
from sparse_imagination_ros.training.motion import motion_of, start_weights
from sparse_imagination_ros.training.rla import (
    draw_pairs,
    matching,
    Noise,
    reconstruction,
    RlaConfig,
    some_tokens,
)
from sparse_imagination_ros.training.sparse import Foresight
from sparse_imagination_ros.training.train import (
    course_of,
    finish,
    Material,
    prepare,
    TrainConfig,
)
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Lookahead
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import RlaShape

# The scale of the latents is taken of so many batches.
SCALE_BATCHES = 32


def train_rla(
    config: TrainConfig, rla: RlaConfig, joint: JointConfig, foreseen: Foresight,
    datasets: Sequence[Dataset], encoder: Encoder | None, work: Path, report: Report,
    lookahead: Lookahead = Lookahead(),
) -> Bundle:
    """
    Train a bundle; checkpoints are kept in the folder `work`.

    Without an encoder the small one is trained first, as for a sparse predictor.
    """
    if rla.shortest_gap > rla.gap:
        raise ConfigError(
            f'`rla.shortest_gap` is {rla.shortest_gap}, more than `rla.gap`, {rla.gap}')
    material, _ = prepare(
        config, joint, foreseen, datasets, encoder, work, report, asdict(rla))
    torch.manual_seed(config.seed)
    predictor = RlaPredictor(_shape(config, rla, material))
    weights = [start_weights(motion_of(each, tokens), rla.moving)
               for each, tokens in zip(datasets, material.tokens, strict=True)]

    def pairs(some: Material, gaps: range, generator: Generator) -> Tensor:
        """Draw pairs of frames on a subset, [B, 2, K, D + E]."""
        drawn = some.draw(config.clips, lambda number, count: draw_pairs(
            datasets[number], weights[number], count, gaps, generator))
        return some_tokens(predictor, drawn.tokens, rla.tokens, generator)

    def autoencoder_loss(step: int, generator: Generator) -> Share:
        start, later = pairs(material, range(rla.shortest_gap, rla.gap + 1), generator).unbind(1)
        return reconstruction(predictor, start, later)

    def flow_loss(step: int, generator: Generator) -> Share:
        drawn = material.draw(config.clips, lambda number, count: datasets[number].draw(
            count, rla.chunk + 1, generator, weights[number]))
        frames = some_tokens(predictor, drawn.tokens, rla.tokens, generator)
        count = -(-config.clips // len(datasets))
        drawn_noise = [Noise.draw(predictor, count, rla.chunk, rla.noises, generator)
                       for _ in datasets]
        part = material.team.part_of
        noise = Noise(torch.cat([part(each.start) for each in drawn_noise]),
                      torch.cat([part(each.time) for each in drawn_noise]))
        return matching(
            predictor, frames[:, 0], frames[:, 1:], drawn.actions[:, :-1], noise)

    autoencoder = nn.ModuleList([predictor.encoder, predictor.decoder])
    run(course_of(config, 'autoencoder', rla.autoencoder_steps),
        autoencoder, autoencoder_loss, work, report, material.team)
    autoencoder.eval().requires_grad_(False)
    generator = Generator().manual_seed(config.seed)
    # The scale must be the same in all processes.
    whole, imagined = replace(material, team=Team.alone()), range(1, rla.chunk + 1)
    _set_scale(predictor, [pairs(whole, imagined, generator) for _ in range(SCALE_BATCHES)])
    dynamics = nn.ModuleList([predictor.courses, predictor.flow])
    run(course_of(config, 'flow', config.predictor_steps), dynamics, flow_loss, work, report,
        material.team)
    return finish(config, material, predictor.eval().requires_grad_(False), work, report,
                  lookahead)


def _shape(config: TrainConfig, rla: RlaConfig, material: Material) -> RlaShape:
    encoder = material.encoder.shape
    return RlaShape(
        encoder.width, encoder.grid, len(material.datasets[0].facts.action_names), rla.latents,
        rla.latent_width, config.width, config.depth, config.heads, rla.chunk, rla.flow_steps,
        rla.generative, rla.distance)


@torch.no_grad()
def _set_scale(predictor: RlaPredictor, batches: Sequence[Tensor]) -> None:
    """Make latents of zero mean and unit variance over batches of pairs [B, 2, K, D + E]."""
    latents = torch.cat([
        predictor.encode(*pairs.unbind(1)) for pairs in batches])
    predictor.latent_mean.copy_(latents.mean(0))
    # A number that never changes tells nothing, and must not tell much because of its scale.
    std = latents.std(0)
    predictor.latent_std.copy_(std.clamp(min=1e-3 * float(std.max())))
