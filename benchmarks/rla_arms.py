# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Four ways to tell what follows a frame and actions, of the same parts and about the same size.

In latents or in tokens, as one mean or as many futures: RLA and its baselines, for benchmarks.
Frames are [B, K, D + E], actions [B, T, A].
"""

from dataclasses import replace
from typing import Protocol

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.training.rla import matching, Noise, RlaConfig
from sparse_imagination_ros.world_models.rla.autoencoder import ResidualDecoder
from sparse_imagination_ros.world_models.rla.dynamics import Courses
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import Block, RlaShape

# Steps from noise to tokens.
TOKEN_STEPS = 8


class Arm(Protocol):
    """Learns what follows from frames before and after actions, and draws futures."""

    @property
    def trained(self) -> nn.Module:
        """Return what is trained."""

    @property
    def drawing(self) -> nn.Module:
        """Return all that is needed to draw."""

    def loss(self, start: Tensor, later: Tensor, actions: Tensor, generator: Generator) -> Tensor:
        """Return what is minimised."""

    def draw(self, start: Tensor, actions: Tensor, draws: int, generator: Generator) -> Tensor:
        """Return futures [B * draws, K, D + E], those of a frame together."""


class InLatents:
    """RLA, or the regression of its latents; the autoencoder was trained before."""

    def __init__(self, trained: RlaPredictor, generative: bool) -> None:
        self.predictor = RlaPredictor(replace(trained.shape, generative=generative))
        self.trained = nn.ModuleList([self.predictor.courses, self.predictor.flow])
        fresh = {name: value.clone() for name, value in self.trained.state_dict().items()}
        self.predictor.load_state_dict(trained.state_dict())
        self.trained.load_state_dict(fresh)
        self.drawing = nn.ModuleList([self.trained, self.predictor.decoder])

    def loss(self, start: Tensor, later: Tensor, actions: Tensor, generator: Generator) -> Tensor:
        """Return the error of the velocity."""
        noise = Noise.draw(self.predictor, len(start), 1, RlaConfig().noises, generator)
        share = matching(self.predictor, start, later[:, None], actions, noise)
        return share.wrong / share.change

    def draw(self, start: Tensor, actions: Tensor, draws: int, generator: Generator) -> Tensor:
        """Return futures; of the regression all are the same."""
        predictor, many = self.predictor, len(start) * draws
        course = predictor.courses(predictor.courses.read(start), actions)[:, -1]
        noise = Noise.draw(predictor, many, 1, 1, generator).start[:, 0, 0]
        latents = predictor.flow(course.repeat_interleave(draws, 0), noise)
        return predictor.decode(start.repeat_interleave(draws, 0), latents)


class TokenRegression:
    """The same parts, trained together to tell tokens: the mean of them."""

    def __init__(self, shape: RlaShape) -> None:
        self.predictor = RlaPredictor(replace(shape, generative=False))
        self.trained = self.drawing = nn.ModuleList([
            self.predictor.courses, self.predictor.flow, self.predictor.decoder])

    def loss(self, start: Tensor, later: Tensor, actions: Tensor, generator: Generator) -> Tensor:
        """Return the error of tokens, of that of the first frame."""
        told = self.draw(start, actions, 1, generator)
        return (told - later).square().sum() / (start - later).square().sum()

    def draw(self, start: Tensor, actions: Tensor, draws: int, generator: Generator) -> Tensor:
        """Return the mean future, several times."""
        predictor = self.predictor
        course = predictor.courses(predictor.courses.read(start), actions)[:, -1]
        nothing = torch.zeros(len(course), predictor.shape.latent_size)
        told = predictor.decode(start, predictor.flow(course, nothing))
        return told.repeat_interleave(draws, 0)


class TokenFlow:
    """Flow matching of the change of all tokens at once, in units of its usual size."""

    def __init__(self, shape: RlaShape, scale: float) -> None:
        self.net = TokenVelocity(shape)
        self.trained = self.drawing = self.net
        self._scale = scale

    def loss(self, start: Tensor, later: Tensor, actions: Tensor, generator: Generator) -> Tensor:
        """Return the error of the velocity."""
        wanted = (later - start)[..., :self.net.token_width] / self._scale
        noise = torch.randn(wanted.shape, generator=generator)
        time = torch.rand(len(start), generator=generator)
        between = torch.lerp(noise, wanted, time[:, None, None])
        velocity: Tensor = self.net(between, time, start, self.net.course(start, actions))
        return (velocity - (wanted - noise)).square().mean()

    def draw(self, start: Tensor, actions: Tensor, draws: int, generator: Generator) -> Tensor:
        """Return futures."""
        course = self.net.course(start, actions).repeat_interleave(draws, 0)
        start, width = start.repeat_interleave(draws, 0), self.net.token_width
        change = torch.randn(start[..., :width].shape, generator=generator)
        for number in range(TOKEN_STEPS):
            time = torch.full((len(change),), number / TOKEN_STEPS)
            change = change + self.net(change, time, start, course) / TOKEN_STEPS
        return torch.cat([start[..., :width] + self._scale * change, start[..., width:]], -1)


class TokenVelocity(nn.Module):
    """RLA's parts, but the decoder's blocks read noisy tokens, and more of them flow."""

    def __init__(self, shape: RlaShape) -> None:
        super().__init__()
        self.token_width = shape.token_width
        self.courses = Courses(shape)
        decoder = ResidualDecoder(shape)
        self.start_in, self.change_out = decoder.start_in, decoder.change_out
        # As many parameters as the flow of latents has.
        self.blocks = nn.Sequential(
            decoder.blocks, Block(shape.width, shape.heads), Block(shape.width, shape.heads))
        self.noisy_in = nn.Linear(shape.token_width, shape.width)
        self.course_in = nn.Linear(shape.width, shape.width)
        self.time_in = nn.Linear(1, shape.width)

    def course(self, start: Tensor, actions: Tensor) -> Tensor:
        """Return what comes of actions, [B, width]."""
        course: Tensor = self.course_in(self.courses(self.courses.read(start), actions)[:, -1])
        return course

    def forward(self, noisy: Tensor, time: Tensor, start: Tensor, course: Tensor) -> Tensor:
        """Return the velocity [B, K, D] of noisy changes at times [B]."""
        told = course[:, None] + self.time_in(time[:, None, None])
        out: Tensor = self.change_out(
            self.blocks(self.noisy_in(noisy) + self.start_in(start) + told))
        return out
