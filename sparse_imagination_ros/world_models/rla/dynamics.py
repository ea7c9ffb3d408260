# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What happens when a chunk of actions is taken: latents by flow matching.

The scene is read once, without any action, and shared by all candidates. The actions are then
gone through one by one, each with a look at the scene; only numbers of one vector are touched
for each. From what comes out, an ordinary differential equation makes a latent of noise.
"""

from dataclasses import dataclass

import torch
from torch import nn, Tensor
from torch.nn import functional

from sparse_imagination_ros.world_models.rla.shape import Block, PLACE_WIDTH, RlaShape

# Numbers that tell the time of the flow.
TIME_WIDTH = 16


@dataclass(frozen=True)
class Scene:
    """What was read of a frame: keys and values, [B, heads, K, head width]; B may be one."""

    keys: Tensor
    values: Tensor


class Courses(nn.Module):
    """Says what comes of actions in a scene, as one vector."""

    def __init__(self, shape: RlaShape) -> None:
        super().__init__()
        self.heads, width = shape.heads, shape.width
        self.token_in = nn.Linear(shape.token_width + PLACE_WIDTH, width)
        self.reading = nn.Sequential(*(Block(width, shape.heads) for _ in range(shape.depth)))
        self.keys_values = nn.Linear(width, 2 * width)
        self.at_rest = nn.Parameter(torch.zeros(width))
        self.action_in = nn.Linear(shape.action_size, width)
        self.look = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        # A step adds to what came of those before it: where one is, is a sum.
        self.step = nn.Sequential(
            nn.Linear(3 * width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def read(self, tokens: Tensor) -> Scene:
        """Read frames [B, K, D + E]."""
        both = self.keys_values(self.reading(self.token_in(tokens)))
        keys, values = both.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return Scene(keys, values)

    def forward(self, scene: Scene, actions: Tensor) -> Tensor:
        """Return what comes of actions [B, T, A], after each of them, [B, T, width]."""
        course = self.at_rest.expand(len(actions), -1)
        after = []
        for action in self.action_in(actions).unbind(1):
            seen = self._seen(scene, course)
            course = course + self.step(torch.cat([course, action, seen], -1))
            after.append(course)
        return torch.stack(after, 1)

    def _seen(self, scene: Scene, course: Tensor) -> Tensor:
        """Look at the scene from where the courses [B, width] have led, [B, width]."""
        asked = self.look(course).unflatten(-1, (self.heads, -1))
        if len(scene.keys) == 1:
            # All of the batch look at one scene: they are the queries of one attention.
            seen = functional.scaled_dot_product_attention(
                asked.transpose(0, 1)[None], scene.keys, scene.values)
            return seen[0].transpose(0, 1).flatten(1)
        seen = functional.scaled_dot_product_attention(
            asked[:, :, None], scene.keys, scene.values)
        return seen.flatten(1)


class LatentFlow(nn.Module):
    """Makes latents, which are of zero mean and unit variance, of noise and what comes."""

    def __init__(self, shape: RlaShape) -> None:
        super().__init__()
        width = shape.width
        # What knows only the mean future is a flow of one step from no noise.
        self.steps = shape.flow_steps if shape.generative else 1
        self.course_in = nn.Linear(width, width)
        self.time_in = nn.Linear(TIME_WIDTH, width, bias=False)
        self.latent_in = nn.Linear(shape.latent_size, width, bias=False)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
                          nn.Linear(4 * width, width))
            for _ in range(2))
        self.velocity_out = nn.Linear(width, shape.latent_size)
        nn.init.zeros_(self.velocity_out.weight)
        nn.init.zeros_(self.velocity_out.bias)

    def forward(self, course: Tensor, noise: Tensor) -> Tensor:
        """Return the latents [B, Z] that noise [B, Z] becomes after courses [B, width]."""
        told, latents = self.course_in(course), noise
        for number in range(self.steps):
            time = torch.full((1,), number / self.steps, device=noise.device)
            latents = latents + self._velocity(latents, time, told) / self.steps
        return latents

    def velocity(self, latents: Tensor, time: Tensor, course: Tensor) -> Tensor:
        """Return where latents [B, Z] flow at time [B], 0: noise, 1: data, [B, Z]."""
        return self._velocity(latents, time, self.course_in(course))

    def _velocity(self, latents: Tensor, time: Tensor, told: Tensor) -> Tensor:
        x = self.latent_in(latents) + told + self.time_in(_time_code(time))
        for layer in self.layers:
            x = x + layer(x)
        velocity: Tensor = self.velocity_out(x)
        return velocity


def _time_code(time: Tensor) -> Tensor:
    """Return times [B] as waves, [B, TIME_WIDTH]."""
    phase = torch.pi * time[:, None] * 2.0 ** torch.arange(TIME_WIDTH // 2, device=time.device) / 2
    return torch.cat([phase.sin(), phase.cos()], 1)
