# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training of the small encoder, with a predictor that keeps its tokens foreseeable."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.machine import has_bfloat16
from sparse_imagination_ros.sim.world import State
from sparse_imagination_ros.sim.worlds import STATES
from sparse_imagination_ros.tokens.encoders import Encoder
from sparse_imagination_ros.tokens.subsets import random_split, random_subset
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.loop import Course, Report, run, Share, Team
from sparse_imagination_ros.training.objectives import (
    POSE_ERRORS,
    PoseHead,
    SceneHead,
    SQUARE,
    TemporalContrast,
)
from sparse_imagination_ros.training.sparse import Foresight, foresight
from sparse_imagination_ros.world_models.sparse import SparsePredictor

# For so many steps the encoder learns pose and scene alone; the other losses rise over as many.
POSE_STEPS = 250
# The predictor is rolled out over clips of this many frames.
CLIP_FRAMES = 8
# So many tokens of each frame paint the scene.
PAINTING_TOKENS = 8


@dataclass(frozen=True)
class JointConfig:
    """How much at a time, and what counts how much."""

    reach: float = setting(
        3.0, 'how many patches away a token of the new encoder sees; 0 for all', 0.0, 100.0)
    depth: int = setting(1, 'blocks of the new encoder', 1, 100)
    episodes: int = setting(16, 'stretches of pictures in a batch', 1, 4096)
    frames: int = setting(16, 'consecutive pictures of each of them', CLIP_FRAMES, 1000)
    pose: float = setting(20.0, 'weight of telling the pose', 0.0, 100.0)
    pose_error: str = setting(
        SQUARE, 'how an error of the pose counts: as its square; or plain, as it is, which tells '
                'places better that few tokens see', choices=POSE_ERRORS)
    scene: float = setting(100.0, 'weight of telling the scene', 0.0, 1000.0)
    contrast: float = setting(2.0, 'weight of the temporal contrast', 0.0, 100.0)
    prediction: float = setting(0.5, 'weight of the prediction; with 0 none is made', 0.0, 100.0)


def train_encoder(
    config: JointConfig, course: Course, encoder: Encoder, predictor: SparsePredictor,
    dataset: Dataset, foreseen: Foresight, work: Path, report: Report,
) -> None:
    """Learn tokens that know the robot's place, the walls, how far places are and what comes."""
    state = state_in(dataset)
    pose_head = PoseHead(encoder.shape.width, state, config.pose_error)
    scene_head, contrast = SceneHead(encoder.shape), TemporalContrast()
    # Whole clips from the batch's frames; what is left over is not predicted.
    kept = config.frames // CLIP_FRAMES * CLIP_FRAMES
    half = has_bfloat16()

    def loss_of(step: int, generator: Generator) -> Share:
        steps = dataset.draw(config.episodes, config.frames, generator)
        with torch.autocast('cpu', torch.bfloat16, enabled=half):
            pictures = encoder.normalise(dataset.show(steps).flatten(0, 1))
            flat = encoder.tokens(pictures)
            tokens = flat.reshape(*steps.shape, *flat.shape[1:])
            asked, _ = random_split(tokens.shape[2], generator)
            poses = dataset.sensed[steps][..., :len(state.names)]
            pose = pose_head.loss(tokens[:, :, asked], poses)
            drawn = random_subset(tokens.shape[2], PAINTING_TOKENS, generator)
            scene = scene_head.loss(flat[:, drawn], drawn, pictures)
        shape = config.contrast * contrast(tokens.float())
        if config.prediction:
            windows, moves = (
                x[:, :kept].reshape(-1, CLIP_FRAMES, *x.shape[2:])
                for x in (tokens, dataset.actions[steps]))
            predicted = foresight(predictor, windows.float(), moves, foreseen, generator)
            shape = shape + config.prediction * predicted.wrong / predicted.change
        # First the tokens must say anything at all, then they are given a shape.
        ramp = min(1.0, max(0.0, step / POSE_STEPS - 1))
        loss: Tensor = config.pose * pose + config.scene * scene + ramp * shape
        return Share(loss, torch.ones(()))

    modules = nn.ModuleList([encoder, predictor, pose_head, scene_head, contrast])
    run(course, modules, loss_of, work, report, Team.alone())


def state_in(dataset: Dataset) -> State:
    """Return what the data senses of a simulated world's state."""
    facts = dataset.facts
    state = STATES.get(facts.robot)
    if state is None or facts.senses[:len(state.names)] != state.names:
        wanted = ', '.join(state.names) if state else f'of one of {", ".join(STATES)}'
        raise DataError(
            f'{dataset.folder}: the small encoder and `foresight.told` learn from the poses of '
            f'the robot (senses {wanted}), and this data of robot `{facts.robot}` senses '
            f'{", ".join(facts.senses) or "none"}; record in the simulator, or name a trained '
            'encoder and tell nothing')
    return state
