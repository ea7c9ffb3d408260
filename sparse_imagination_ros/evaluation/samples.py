# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What engines are judged on: pictures of the robot's camera, or what is most like them here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from sparse_imagination_ros.errors import EngineError, FrameError
from sparse_imagination_ros.imagination.compiling import Sample
from sparse_imagination_ros.sim.worlds import make_world, STATES
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.world_models.bundle import Bundle

SAMPLES = 3
# The seed of the first, in the simulator.
SEED = 500


@dataclass(frozen=True)
class Samples:
    """Samples, and where they come from."""

    samples: tuple[Sample, ...]
    source: str


def samples_for(bundle: Bundle, folder: Path | None = None) -> Samples:
    """Return samples from the pictures in a folder, or else from the simulator, or of noise."""
    manifest = bundle.manifest
    if manifest.family == 'rla':
        raise EngineError(
            f'bundle `{manifest.name}` is of the family rla, which only the reference imagines so '
            'far: there is nothing to choose from')
    if folder is not None:
        clips, source = _clips_in(folder, bundle), f'the pictures in {folder}'
    elif manifest.robot in STATES:
        clips, source = [_drive(bundle, SEED + n) for n in range(SAMPLES)], 'the simulator'
    else:
        clips, source = [_noise(bundle, n) for n in range(SAMPLES)], (
            'noise, since there is no simulator of the robot; better are pictures of its camera')
    return Samples(tuple(_sample(bundle, clip, n) for n, clip in enumerate(clips)), source)


def _sample(bundle: Bundle, clip: Sequence[Picture], seed: int) -> Sample:
    """Make a sample of pictures, the last of which is the goal."""
    generator = torch.Generator().manual_seed(seed)
    manifest = bundle.manifest
    sensed = np.zeros((len(clip), len(manifest.senses)), np.float32)
    tokens = bundle.encode(clip, sensed)
    actions = 2 * torch.rand(
        len(clip) - 2, manifest.predictor.action_size, generator=generator) - 1
    return Sample(tokens[:-1], actions, tokens[-1],
                  torch.randperm(manifest.total_tokens, generator=generator))


def _drive(bundle: Bundle, seed: int) -> list[Picture]:
    """Take pictures while the robot is driven at random, and one of the goal."""
    manifest, rng = bundle.manifest, np.random.default_rng(seed)
    world = make_world(manifest.robot, manifest.picture_size[0])
    world.reset(seed, 'held_out')
    clip = [world.picture()]
    for _ in range(manifest.predictor.window - 1):
        world.send(rng.uniform(-1, 1, len(world.robot.limit)) * world.robot.limit)
        world.advance(manifest.step_s)
        clip.append(world.picture())
    return [*clip, world.picture_at(world.goal)]


def _noise(bundle: Bundle, seed: int) -> list[Picture]:
    """Draw soft shapes that change from picture to picture."""
    width, height = bundle.manifest.picture_size
    rng = np.random.default_rng(seed)
    return [
        np.asarray(cv2.resize(
            rng.integers(0, 256, (8, 8, 3)).astype(np.uint8), (width, height),
            interpolation=cv2.INTER_CUBIC), np.uint8)
        for _ in range(bundle.manifest.predictor.window + 1)]


def _clips_in(folder: Path, bundle: Bundle) -> list[list[Picture]]:
    """Read pictures in the order of their names, as many as there are samples of."""
    length = bundle.manifest.predictor.window + 1
    read = (cv2.imread(str(path)) for path in sorted(folder.glob('*')) if path.is_file())
    pictures = [
        np.asarray(cv2.resize(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), bundle.manifest.picture_size,
                              interpolation=cv2.INTER_AREA), np.uint8)
        for bgr in read if bgr is not None]
    count = min(SAMPLES, len(pictures) // length)
    if not count:
        raise FrameError(
            f'{folder} holds {len(pictures)} pictures that can be read; {length} are needed, '
            'taken one after another')
    return [pictures[n * length:(n + 1) * length] for n in range(count)]
