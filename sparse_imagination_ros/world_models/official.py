# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The predictors of the official DINO-WM and Sparse Imagination releases, and their checkpoints.

They differ from ours where it matters for speed: a learned vector marks a frame's slot in the
window, so that no keys and values survive when the window slides, and each prediction from then on
runs over the whole window again. What they compute is kept; how is not.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn, Tensor
from torch.nn import functional

from sparse_imagination_ros.errors import CheckpointError
from sparse_imagination_ros.world_models.predictor import mean_over_tokens
from sparse_imagination_ros.world_models.unpickling import (
    children_of,
    read_pickled_modules,
    tensors_of,
)

# The keys and values of one frame in one block: each [B, heads, K, head width].
KeysValues = tuple[Tensor, Tensor]
# The past of a rollout. Frames, oldest first: each [B, K, D] with its action's channels. And per
# block their keys and values, as long as the window grows; nothing once it slides.
Past = tuple[list[Tensor], list[list[KeysValues]]]

_PARTS = ('action_encoder', 'predictor', 'proprio_encoder')


@dataclass(frozen=True)
class OfficialShape:
    """
    The sizes of an official predictor, and how its numbers were normalised in training.

    patches: 0 if it knows no patch positions and so works on any subset of the tokens.
    action_mean, action_std: of single commands, in units of the robot's limits; a model step's
    action is one or more of them, one after another.
    proprio_mean, proprio_std: [Q]; proprio_weight: what proprioception counts in the distance.
    """

    token_width: int
    proprio_size: int
    proprio_width: int
    action_size: int
    action_width: int
    depth: int
    heads: int
    head_width: int
    hidden_width: int
    window: int
    patches: int
    action_mean: tuple[float, ...]
    action_std: tuple[float, ...]
    proprio_mean: tuple[float, ...]
    proprio_std: tuple[float, ...]
    proprio_weight: float

    @property
    def width(self) -> int:
        """How wide a token is with all that is known of its frame."""
        return self.token_width + self.proprio_width + self.action_width


class Attention(nn.Module):
    """Attention with a norm before it."""

    def __init__(self, shape: OfficialShape) -> None:
        super().__init__()
        self.heads, inner = shape.heads, shape.heads * shape.head_width
        self.norm = nn.LayerNorm(shape.width)
        self.qkv = nn.Linear(shape.width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, shape.width)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of x: [B, L, D], each [B, heads, L, head width]."""
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def attend(self, parts: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        """Let the queries of each part ask its keys; returns all of them in a row, [B, L, D]."""
        y = torch.cat([functional.scaled_dot_product_attention(*part) for part in parts], 2)
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return out


class OfficialPredictor(nn.Module):
    """Predicts the next frame's tokens, each with its frame's proprioception."""

    # It goes step by step, and knows one future.
    stride = looks = futures = 1

    def __init__(self, shape: OfficialShape) -> None:
        super().__init__()
        self.shape = shape
        self.position = nn.Parameter(torch.zeros(shape.window, max(1, shape.patches), shape.width))
        self.action_in = nn.Linear(shape.action_size, shape.action_width)
        self.proprio_in = nn.Linear(shape.proprio_size, shape.proprio_width)
        self.attentions = nn.ModuleList(Attention(shape) for _ in range(shape.depth))
        self.mlps = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(shape.width), nn.Linear(shape.width, shape.hidden_width), nn.GELU(),
                nn.Linear(shape.hidden_width, shape.width))
            for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width)
        repeats = shape.action_size // len(shape.action_mean)
        for name, values in (
                ('action_mean', shape.action_mean * repeats),
                ('action_std', shape.action_std * repeats),
                ('proprio_mean', shape.proprio_mean), ('proprio_std', shape.proprio_std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        self.action_mean: Tensor
        self.action_std: Tensor
        self.proprio_mean: Tensor
        self.proprio_std: Tensor

    def observe(self, tokens: Tensor, sensed: Tensor) -> Tensor:
        """Join an encoder's tokens [..., K, D] and proprioception [..., Q] on each of them."""
        told = self.proprio_in((sensed - self.proprio_mean) / self.proprio_std)[..., None, :]
        return torch.cat([tokens, told.expand(*tokens.shape[:-1], -1)], -1)

    def extend(self, tokens: Tensor, actions: Tensor, cache: Past) -> tuple[Tensor, Past]:
        """
        Predict the successor of one frame, given those before it.

        tokens: [B, K, D], as observed or predicted, or one frame that all share; actions: [B, A],
        in units of the limits.
        Returns the prediction [B, K, D], and the past that the next one is given; what is the same
        for all of a batch may have a batch of one in it.
        """
        # Not len(): a trace would take it for a number that never changes.
        tokens = tokens.expand(actions.shape[0], -1, -1)
        told = self.action_in((actions - self.action_mean) / self.action_std)[:, None]
        newest = torch.cat([tokens, told.expand(-1, tokens.shape[1], -1)], -1)
        frames, kept = [*cache[0], newest], cache[1]
        if kept:
            predicted, kept = self._add(newest, len(frames) - 1, kept)
        else:
            predicted = self._run(torch.stack([one.expand_as(newest) for one in frames], 1))
        if len(frames) == self.shape.window:
            # The next one gets another slot, and so do these.
            frames, kept = frames[1:], []
        return predicted[..., :tokens.shape[-1]], (frames, kept)

    def start(self, tokens: Tensor, draws: int = 1) -> Tensor:
        """Return the tokens as they are: a rollout is told by its newest tokens."""
        del draws
        return tokens

    def tokens(self, state: Tensor) -> Tensor:
        """Return the tokens of a frame, which is no more than they are."""
        return state

    def empty_cache(self) -> Past:
        """Return the past before the first frame."""
        return [], [[] for _ in self.attentions]

    def distance(self, state: Tensor, goal: Tensor, counts: Tensor | None = None) -> Tensor:
        """
        Return how far frames are from the goal, [B], by the cost of the releases; counts: [K].

        Proprioception is read from the first token: each carries one.
        """
        difference = (state - goal).square()
        visual = mean_over_tokens(difference[..., :self.shape.token_width].mean(-1), counts)
        proprio = difference[:, 0, self.shape.token_width:].mean(-1)
        return visual + self.shape.proprio_weight * proprio

    def _add(
        self, newest: Tensor, slot: int, past: list[list[KeysValues]],
    ) -> tuple[Tensor, list[list[KeysValues]]]:
        """Return what follows a frame [B, K, D] after others in their slots, and all kept."""
        x, grown = newest + self.position[slot], []
        for attention, mlp, before in zip(self.attentions, self.mlps, past, strict=True):
            assert isinstance(attention, Attention)
            q, k, v = attention.project(x)
            keys = torch.cat([*(one.expand_as(k) for one, _ in before), k], 2)
            values = torch.cat([*(one.expand_as(v) for _, one in before), v], 2)
            x = x + attention.attend([(q, keys, values)])
            x = x + mlp(x)
            grown.append([*before, (k, v)])
        return self.norm(x), grown

    def _run(self, frames: Tensor) -> Tensor:
        """Return what follows the last of the frames [B, F, K, D]."""
        _, count, tokens, _ = frames.shape
        x = (frames + self.position[:count]).flatten(1, 2)
        # Each frame sees itself and those before it.
        ends = [(number + 1) * tokens for number in range(count)]
        for attention, mlp in zip(self.attentions[:-1], self.mlps[:-1], strict=True):
            assert isinstance(attention, Attention)
            q, k, v = attention.project(x)
            x = x + attention.attend([
                (q[:, :, end - tokens:end], k[:, :, :end], v[:, :, :end]) for end in ends])
            x = x + mlp(x)
        # Only the last frame's prediction is wanted, and it sees all frames.
        last = self.attentions[-1]
        assert isinstance(last, Attention)
        q, k, v = last.project(x)
        y = x[:, -tokens:] + last.attend([(q[:, :, -tokens:], k, v)])
        out: Tensor = self.norm(y + self.mlps[-1](y))
        return out


def read_official(path: Path) -> OfficialPredictor:
    """
    Read the predictor of an official checkpoint, without running anything in it.

    It takes normalised numbers: the file does not say how they were normalised.
    """
    parts = read_pickled_modules(path)
    missing = [name for name in _PARTS if name not in parts]
    if missing:
        raise CheckpointError(
            f'{path} holds no {", ".join(missing)}: it is no checkpoint of DINO-WM or '
            'Sparse Imagination')
    try:
        tensors = {name: tensors_of(parts[name]) for name in _PARTS}
        predictor = OfficialPredictor(_shape(parts['predictor'], tensors))
        predictor.load_state_dict(_renamed(predictor.shape, tensors))
    except (AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f'{path} is not built as the predictors of DINO-WM and Sparse Imagination are '
            f'({error})') from error
    return predictor.eval().requires_grad_(False)


def _shape(predictor: Any, tensors: dict[str, dict[str, Tensor]]) -> OfficialShape:
    weights = tensors['predictor']
    blocks = children_of(children_of(children_of(predictor)['transformer'])['layers'])
    heads = int(children_of(blocks['0'])['0'].heads)
    action_width, action_size, _ = tensors['action_encoder']['patch_embed.weight'].shape
    proprio_width, proprio_size, _ = tensors['proprio_encoder']['patch_embed.weight'].shape
    _, slots, width = weights['pos_embedding'].shape
    window = int(predictor.num_frames)
    hidden_width, _ = weights['transformer.layers.0.1.net.1.weight'].shape
    _, inner = weights['transformer.layers.0.0.to_out.0.weight'].shape
    return OfficialShape(
        token_width=width - action_width - proprio_width,
        proprio_size=proprio_size, proprio_width=proprio_width,
        action_size=action_size, action_width=action_width,
        depth=len(blocks), heads=heads, head_width=inner // heads, hidden_width=hidden_width,
        window=window, patches=0 if slots == window else slots // window,
        action_mean=(0.0,), action_std=(1.0,), proprio_mean=(0.0,) * proprio_size,
        proprio_std=(1.0,) * proprio_size, proprio_weight=1.0)


def _renamed(shape: OfficialShape, tensors: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    weights = tensors['predictor']
    renamed = {
        'position': weights['pos_embedding'].reshape(shape.window, -1, shape.width),
        'norm.weight': weights['transformer.norm.weight'],
        'norm.bias': weights['transformer.norm.bias'],
    }
    for ours, theirs in (('action_in', 'action_encoder'), ('proprio_in', 'proprio_encoder')):
        # A convolution over single time steps.
        renamed[f'{ours}.weight'] = tensors[theirs]['patch_embed.weight'].squeeze(-1)
        renamed[f'{ours}.bias'] = tensors[theirs]['patch_embed.bias']
    # Dropout stands between the layers of theirs; attention has no bias before the heads.
    names = {
        'attentions.{}.norm.weight': '0.norm.weight', 'attentions.{}.norm.bias': '0.norm.bias',
        'attentions.{}.qkv.weight': '0.to_qkv.weight',
        'attentions.{}.out.weight': '0.to_out.0.weight',
        'attentions.{}.out.bias': '0.to_out.0.bias',
        'mlps.{}.0.weight': '1.net.0.weight', 'mlps.{}.0.bias': '1.net.0.bias',
        'mlps.{}.1.weight': '1.net.1.weight', 'mlps.{}.1.bias': '1.net.1.bias',
        'mlps.{}.3.weight': '1.net.4.weight', 'mlps.{}.3.bias': '1.net.4.bias',
    }
    for block in range(shape.depth):
        for ours, theirs in names.items():
            renamed[ours.format(block)] = weights[f'transformer.layers.{block}.{theirs}']
    return renamed
