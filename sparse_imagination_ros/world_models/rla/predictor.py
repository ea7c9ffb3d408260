# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The RLA predictor: a whole chunk of actions in one call, and several futures of each."""

from dataclasses import dataclass

import torch
from torch import nn, Tensor

from sparse_imagination_ros.world_models.predictor import mean_over_tokens
from sparse_imagination_ros.world_models.rla.autoencoder import ResidualDecoder, ResidualEncoder
from sparse_imagination_ros.world_models.rla.dynamics import Courses, LatentFlow, Scene
from sparse_imagination_ros.world_models.rla.shape import LATENT, places, RlaShape

# So many futures of one candidate there are at most, and so many chunks until noise is used again.
FUTURES, CHUNKS = 64, 8
# A chunk is looked at so often, at its end, half way there, and so on: who looks at its end alone
# does not hurry.
LOOKS = 3


@dataclass(frozen=True)
class Ready:
    """
    A frame that chunks can begin with, [B, K, D + E]; B may be one, shared by all candidates.

    draws: futures of each candidate; number: of the chunk that begins here.
    """

    tokens: Tensor
    scene: Scene
    draws: int
    number: int


@dataclass(frozen=True)
class Imagined:
    """What comes of chunks: latents [N, Z] of zero mean and unit variance."""

    start: Ready
    latents: Tensor


State = Ready | Imagined


class RlaPredictor(nn.Module):
    """
    Predicts the frame after a chunk of actions, as a latent that is decoded only if asked for.

    The noise is the same for all candidates and in all cycles, so that futures differ by what is
    done and by nothing else. A single future is made of no noise at all: the most typical one.
    """

    def __init__(self, shape: RlaShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder = ResidualEncoder(shape), ResidualDecoder(shape)
        self.courses, self.flow = Courses(shape), LatentFlow(shape)
        self.register_buffer('latent_mean', torch.zeros(shape.latent_size))
        self.register_buffer('latent_std', torch.ones(shape.latent_size))
        self.register_buffer('places', places(shape.grid), persistent=False)
        noise = torch.randn(
            CHUNKS, FUTURES, shape.latent_size, generator=torch.Generator().manual_seed(0))
        self.register_buffer('noise', noise, persistent=False)
        self.latent_mean: Tensor
        self.latent_std: Tensor
        self.places: Tensor
        self.noise: Tensor

    @property
    def stride(self) -> int:
        """How many model steps it takes at once, at most."""
        return self.shape.chunk

    @property
    def looks(self) -> int:
        """After how many of them it is looked at what has come so far; what is decoded, once."""
        return LOOKS if self.shape.distance == LATENT else 1

    @property
    def futures(self) -> int:
        """How many futures of a candidate it can imagine."""
        return FUTURES if self.shape.generative else 1

    def observe(self, tokens: Tensor, sensed: Tensor) -> Tensor:
        """Join tokens [B, P, D] with their places; what is sensed is not used."""
        del sensed
        return torch.cat([tokens, self.places.expand(len(tokens), -1, -1)], -1)

    def start(self, tokens: Tensor, draws: int = 1) -> Ready:
        """Make frames [B, K, D + E] ready, for so many futures of each candidate."""
        return Ready(tokens, self.courses.read(tokens), draws, 0)

    def extend(self, state: State, actions: Tensor, cache: None) -> tuple[Imagined, None]:
        """
        Predict what a chunk of actions [B, T * A] leads to; futures of a candidate lie together.

        There is no cache: older frames are not looked at.
        """
        start = self._again(state) if isinstance(state, Imagined) else state
        steps = actions.reshape(len(actions), -1, self.shape.action_size)
        return self.follow(start, steps, self._noise(len(actions), start)), cache

    def follow(self, start: Ready, actions: Tensor, noise: Tensor) -> Imagined:
        """Return what actions [B, T, A] lead to, the future of this noise [B, Z]."""
        return Imagined(start, self.flow(self.courses(start.scene, actions)[:, -1], noise))

    def empty_cache(self) -> None:
        """Return the cache before the first frame."""
        return

    def tokens(self, state: State) -> Tensor:
        """Return the tokens of a frame, [B, K, D + E], decoded if they were imagined."""
        if isinstance(state, Ready):
            return state.tokens
        start = state.start.tokens.expand(len(state.latents), -1, -1)
        return self.decode(start, state.latents)

    def distance(self, state: State, goal: Tensor, counts: Tensor | None = None) -> Tensor:
        """
        Return how far frames are from the goal [K, D + E], [B].

        Of latents: how what comes differs from what would lead to the goal. Tokens count by
        their places only where they are decoded, so with counts [K] they are.
        """
        if self.shape.distance != LATENT or counts is not None:
            width = self.shape.token_width
            squares = (self.tokens(state) - goal)[..., :width].square()
            return mean_over_tokens(squares.mean(-1), counts)
        if isinstance(state, Imagined):
            start, latents = state.start.tokens, state.latents
        else:
            start, latents = state.tokens, self.encode(state.tokens, state.tokens)
        wanted = self.encode(start, goal.expand_as(start))
        return (latents - wanted).square().mean(-1)

    def encode(self, start: Tensor, later: Tensor) -> Tensor:
        """Return what changed as latents [B, Z] of zero mean and unit variance."""
        latents: Tensor = (self.encoder(start, later) - self.latent_mean) / self.latent_std
        return latents

    def decode(self, start: Tensor, latents: Tensor) -> Tensor:
        """Return the frame [B, K, D + E] that such latents [B, Z] make of another."""
        frame: Tensor = self.decoder(start, latents * self.latent_std + self.latent_mean)
        return frame

    def _again(self, state: Imagined) -> Ready:
        tokens, start = self.tokens(state), state.start
        return Ready(tokens, self.courses.read(tokens), start.draws, start.number + 1)

    def _noise(self, count: int, start: Ready) -> Tensor:
        """Return the noise [B, Z] of futures."""
        if start.draws == 1:
            return self.noise.new_zeros(count, self.shape.latent_size)
        return self.noise[start.number % CHUNKS, :start.draws].repeat(count // start.draws, 1)
