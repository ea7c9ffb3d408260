# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the decoder, and paints a sheet of what was imagined beside what was seen."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Generator, nn, Tensor
from torch.nn import functional

from sparse_imagination_ros.imagination.reference import Context, imagine_steps, remember
from sparse_imagination_ros.tokens.encoders import Encoder
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.tokens.subsets import random_split, random_subset
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.loop import Course, Report, run, Share, Team
from sparse_imagination_ros.world_models.decoder import Decoder
from sparse_imagination_ros.world_models.predictor import Predictor

# In a step: so many clips, of so many pictures each.
BATCH, FRAMES = 8, 4
# What moves is small, and is what people want to see: a pixel counts so much more the further it
# is from what it is on average in its clip.
MOVING = 50.0
# The sheet: so many clips, rolled out so far, with a frame between pictures.
CLIPS, STEPS, GAP = 4, 8, 4
SCALE = 2
LABEL_HEIGHT = 14


def train_decoder(
    course: Course, decoder: Decoder, dataset: Dataset, tokens: Tensor, work: Path,
    report: Report,
) -> None:
    """Learn to paint pictures from any subset of their tokens."""
    side = decoder.shape.picture_size

    def loss_of(step: int, generator: Generator) -> Share:
        clips = dataset.draw(BATCH, FRAMES, generator)
        _, subset = random_split(tokens.shape[1], generator)
        pictures = dataset.show(clips).movedim(-1, 2).float() / 255
        wanted = functional.interpolate(pictures.flatten(0, 1), (side, side), mode='area')
        each = wanted.reshape(*clips.shape, *wanted.shape[1:])
        weight = 1 + MOVING * (each - each.mean(1, keepdim=True)).abs().mean(2, keepdim=True)
        painted = decoder(tokens[dataset.shown[clips].flatten()][:, subset].float(), subset)
        wrong = weight.flatten(0, 1) * (painted - wanted).square()
        return Share(wrong.sum(), 3 * weight.sum())

    run(course, nn.ModuleList([decoder]), loss_of, work, report, Team.alone())


@torch.inference_mode()
def sample_sheet(
    encoder: Encoder, predictor: Predictor, decoder: Decoder, dataset: Dataset,
    seed: int,
) -> Picture:
    """
    Return a picture: for some clips what was seen, and what was imagined from the first frame.

    Below each row of real frames stand those imagined from all tokens and from an eighth of them.
    """
    generator = torch.Generator().manual_seed(seed)
    length = min(STEPS + 1, int(dataset.starts.diff().max()))
    clips = dataset.draw(CLIPS, length, generator)
    total = encoder.shape.grid**2
    few = random_subset(total, max(1, total // 8), generator)
    side = decoder.shape.picture_size
    rows: list[Picture] = []
    for clip in clips:
        seen = dataset.show(clip)
        tokens = predictor.observe(encoder(seen[:1]), dataset.sensed[clip[:1]])
        actions = dataset.actions[clip]
        rows.append(_row('seen', [
            np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
            for picture in seen.numpy()]))
        for subset in (torch.arange(total), few):
            imagined = _imagined(predictor, tokens[:, subset], actions)
            painted = decoder(imagined, subset).movedim(1, -1)
            rows.append(_row(f'imagined from {len(subset)} tokens',
                             list((255 * painted).byte().numpy())))
    return np.concatenate(rows)


def _imagined(predictor: Predictor, first: Tensor, actions: Tensor) -> Tensor:
    """Roll out from one frame [1, K, D] with actions [F, A]; return all frames [F, K, D]."""
    memory = remember(predictor, Context(first, actions[:0]))
    return torch.cat([first, *(predictor.tokens(state) for state in imagine_steps(
        predictor, memory, actions[None, :-1]))])


def _row(label: str, pictures: list[Picture]) -> Picture:
    large = [cv2.resize(picture, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST)
             for picture in pictures]
    framed = [cv2.copyMakeBorder(picture, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT,
                                 value=(255, 255, 255)) for picture in large]
    row = np.concatenate(framed, 1)
    title = np.full((LABEL_HEIGHT, row.shape[1], 3), 255, np.uint8)
    cv2.putText(title, label, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([title, row])
