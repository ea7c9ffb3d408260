# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes checkpoints as the official releases do: whole modules, pickled, with random weights."""

from pathlib import Path
import pickle
import sys
from types import ModuleType
import zipfile

import pytest
import torch
from torch import nn

from sparse_imagination_ros.world_models.official import OfficialShape

# For the tokens of the bundle `untrained`, and an action of two commands.
SMALL = OfficialShape(
    token_width=32, proprio_size=2, proprio_width=4, action_size=4, action_width=4, depth=1,
    heads=2, head_width=8, hidden_width=32, window=3, patches=0, action_mean=(0.0, 0.0),
    action_std=(0.5, 0.5), proprio_mean=(0.0, 0.0), proprio_std=(1.0, 1.0), proprio_weight=1.0)
# Of the predictors in the files that are written here.
WIDTH, HEADS, HEAD_WIDTH, HIDDEN, WINDOW, PATCHES = 384 + 10 + 10, 2, 16, 32, 3, 196


class Attention(nn.Module):

    def __init__(self) -> None:
        super().__init__()
        self.heads = HEADS
        self.norm = nn.LayerNorm(WIDTH)
        self.to_qkv = nn.Linear(WIDTH, 3 * HEADS * HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(HEADS * HEAD_WIDTH, WIDTH), nn.Dropout(0.1))


class FeedForward(nn.Module):

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Dropout(0.1),
            nn.Linear(HIDDEN, WIDTH), nn.Dropout(0.1))


class Transformer(nn.Module):

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList([nn.ModuleList([Attention(), FeedForward()])])


class ViTPredictor(nn.Module):

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.num_frames, self.num_patches = WINDOW, PATCHES
        self.pos_embedding = nn.Parameter(torch.randn(1, slots, WIDTH))
        self.transformer = Transformer()


class ProprioceptiveEmbedding(nn.Module):

    def __init__(self, size: int) -> None:
        super().__init__()
        self.patch_embed = nn.Conv1d(size, 10, 1)


def write_checkpoint(path: Path, dense: bool = False) -> Path:
    """Write one with the tokens of a ViT-S, 5 x 2 actions and 4 numbers of proprioception."""
    torch.manual_seed(0)
    models = ModuleType('models')
    names = {'vit': (Attention, FeedForward, Transformer, ViTPredictor),
             'proprio': (ProprioceptiveEmbedding,)}
    parts = {
        'epoch': 1, 'predictor': ViTPredictor(WINDOW * (PATCHES if dense else 1)),
        'action_encoder': ProprioceptiveEmbedding(10),
        'proprio_encoder': ProprioceptiveEmbedding(4)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'models', models)
        for name, kinds in names.items():
            module = ModuleType(f'models.{name}')
            patch.setitem(sys.modules, module.__name__, module)
            for kind in kinds:
                patch.setattr(kind, '__module__', module.__name__)
                setattr(module, kind.__name__, kind)
        torch.save(parts, path)
    return path


def write_call(path: Path, module: str, name: str, argument: str) -> None:
    """Write a checkpoint that calls a function when it is unpickled freely."""
    call = pickle.PROTO + bytes([4])
    for text in (module, name):
        call += pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode()
    call += pickle.STACK_GLOBAL
    call += pickle.BINUNICODE + len(argument).to_bytes(4, 'little') + argument.encode()
    write_pickle(path, call + pickle.TUPLE1 + pickle.REDUCE + pickle.STOP)


def write_pickle(path: Path, instructions: bytes) -> None:
    """Write a checkpoint whose pickle consists of these instructions."""
    torch.save({}, path)
    with zipfile.ZipFile(path) as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, 'w') as changed:
        for name, content in entries.items():
            changed.writestr(name, instructions if name.endswith('data.pkl') else content)
