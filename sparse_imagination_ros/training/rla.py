# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the residual latent action family is trained for: losses, and which frames they are of.

The autoencoder never sees an action. The dynamics learn its latents, and never a token.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.tokens.subsets import random_subset
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.loop import Share
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import DISTANCES, LATENT


@dataclass(frozen=True)
class RlaConfig:
    """How the residual latent action family is trained, and what it is."""

    autoencoder_steps: int = setting(3000, 'steps of the autoencoder', 1, 10**6)
    latents: int = setting(4, 'latent tokens of a change', 1, 64)
    latent_width: int = setting(8, 'numbers of each of them', 1, 256)
    gap: int = setting(16, 'most model steps between the frames that are compared', 1, 1000)
    shortest_gap: int = setting(
        1, 'fewest of them; if as many as at most, changes over other times are not learned',
        1, 1000)
    chunk: int = setting(8, 'most model steps that are imagined at once', 1, 100)
    flow_steps: int = setting(4, 'steps from noise to a latent', 1, 100)
    noises: int = setting(
        16, 'from so much noise at once the way to each latent is learned', 1, 1000)
    generative: bool = setting(
        True, 'learn that several futures are possible; if not, only their mean')
    distance: str = setting(
        LATENT, 'what the distance to a goal is taken of', choices=DISTANCES)
    moving: float = setting(
        0.9, 'share of clips that rather begin where much moves', 0.0, 1.0)
    tokens: int = setting(
        16, 'most tokens of each frame in a training step; as few as a quarter of them are drawn',
        1, 4096)


def draw_pairs(
    dataset: Dataset, weights: Tensor, count: int, gaps: range, generator: Generator,
) -> Tensor:
    """Draw pairs of steps of one episode, as far apart as allowed, all gaps alike, [B, 2]."""
    first = dataset.draw(count, gaps.start + 1, generator, weights)[:, 0]
    farthest = (dataset.ends(first) - 1 - first).clamp(max=gaps[-1])
    room = farthest - gaps.start + 1
    apart = gaps.start + (torch.rand(count, generator=generator) * room).long()
    return torch.stack([first, first + torch.minimum(apart, farthest)], 1)


def some_tokens(
    predictor: RlaPredictor, tokens: Tensor, most: int, generator: Generator,
) -> Tensor:
    """Join tokens [B, F, P, D] with their places, and draw a subset of them, [B, F, K, D + E]."""
    total = tokens.shape[2]
    most = min(most, total)
    count = int(torch.randint(max(1, most // 4), most + 1, (), generator=generator))
    subset = random_subset(total, count, generator)
    placed = predictor.places[subset].expand(*tokens.shape[:2], -1, -1)
    return torch.cat([tokens[:, :, subset], placed], -1)


def reconstruction(predictor: RlaPredictor, start: Tensor, later: Tensor) -> Share:
    """Return the error of decoding what was encoded, of that of the first frame, [B, K, D + E]."""
    decoded = predictor.decode(start, predictor.encode(start, later))
    return Share((decoded - later).square().sum(), (start - later).square().sum())


@dataclass(frozen=True)
class Noise:
    """The random part of the flow's loss: where it begins [B, M, R, Z], and the time [B, M, R]."""

    start: Tensor
    time: Tensor

    @staticmethod
    def draw(
        predictor: RlaPredictor, count: int, steps: int, noises: int, generator: Generator,
    ) -> 'Noise':
        """Draw it; a predictor that knows only the mean has none."""
        if not predictor.shape.generative:
            size = (count, steps, 1)
            return Noise(torch.zeros(*size, predictor.shape.latent_size), torch.zeros(size))
        size = (count, steps, noises)
        start = torch.randn(*size, predictor.shape.latent_size, generator=generator)
        # Half of the times lie rather in the middle, where it is hard; half anywhere, since a
        # few steps of the flow need its beginning.
        middle = torch.randn(size, generator=generator).sigmoid()
        anywhere = torch.rand(size, generator=generator)
        often = torch.rand(size, generator=generator) < 0.5
        return Noise(start, torch.where(often, middle, anywhere))


def matching(
    predictor: RlaPredictor, start: Tensor, later: Tensor, actions: Tensor, noise: Noise,
) -> Share:
    """
    Return the error of the flow's velocity, as a mean square.

    start: [B, K, D + E]; later: [B, M, K, D + E], what came after the last M of the actions
    [B, T, A]. What it costs to say what comes of actions is paid once for all noise of a latent.
    """
    count, noises = later.shape[1], noise.time.shape[2]
    with torch.no_grad():
        wanted = predictor.encode(
            start.repeat_interleave(count, 0), later.flatten(0, 1))
    scene = predictor.courses.read(start)
    courses = predictor.courses(scene, actions)[:, -count:].flatten(0, 1)
    wanted, courses = (each.repeat_interleave(noises, 0) for each in (wanted, courses))
    begun, time = noise.start.flatten(0, 2), noise.time.flatten()
    between = torch.lerp(begun, wanted, time[:, None])
    wrong = predictor.flow.velocity(between, time, courses) - (wanted - begun)
    return Share(wrong.square().sum(), torch.tensor(float(wrong.numel())))
