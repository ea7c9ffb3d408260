# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Trains a bundle from a dataset: the encoder, unless there is one, then predictors and decoder.

A stopped training goes on where its last checkpoint was.
"""

from dataclasses import asdict, dataclass
import json
from pathlib import Path

import cv2
import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.tokens.encoders import Encoder, EncoderShape, SmallEncoder
from sparse_imagination_ros.training.dataset import Dataset, tokens_of
from sparse_imagination_ros.training.joint import JointConfig, train_encoder
from sparse_imagination_ros.training.loop import Course, Progress, Report, run, Share, Team
from sparse_imagination_ros.training.samples import sample_sheet, train_decoder
from sparse_imagination_ros.training.sparse import Foresight, foresight
from sparse_imagination_ros.world_models.bundle import Actions, Bundle, Manifest
from sparse_imagination_ros.world_models.decoder import Decoder, DecoderShape
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor


@dataclass(frozen=True)
class TrainConfig:
    """How long, how much at a time, and how large the predictors are."""

    seed: int = setting(0, 'seed of weights and of the order of data', 0, 2**31 - 1)
    encoder_steps: int = setting(2500, 'steps of the first part', 1, 10**6)
    predictors: int = setting(2, 'predictors, of which the planner believes the worst', 1, 9)
    predictor_steps: int = setting(4000, 'steps of the training of each of them', 1, 10**6)
    decoder_steps: int = setting(
        1000, 'steps of the decoder, which paints tokens for people; 0 for none', 0, 10**6)
    clips: int = setting(80, 'clips in a batch of the parts after it', 1, 4096)
    frames: int = setting(9, 'consecutive frames of a clip', 2, 1000)
    learning_rate: float = setting(0.002, 'highest learning rate', 1e-6, 1.0)
    average: float = setting(
        0.0, 'the bundle gets the average of the weights over about 1 / (1 - average) steps',
        0.0, 0.9999)
    width: int = setting(64, 'width of a predictor', 16, 4096)
    depth: int = setting(3, 'blocks of a predictor', 1, 100)
    heads: int = setting(4, 'attention heads of a predictor', 1, 64)


def train(
    config: TrainConfig, joint: JointConfig, foreseen: Foresight, dataset: Dataset,
    encoder: Encoder | None, work: Path, report: Report,
) -> Bundle:
    """
    Train a bundle; checkpoints are kept in the folder `work`.

    Without an encoder the small one is trained first, by `joint`.
    """
    team = Team.joined()
    _claim(work, [asdict(config), asdict(joint), asdict(foreseen), asdict(dataset.facts),
                  asdict(encoder.shape) if encoder else None], team)
    torch.manual_seed(config.seed)
    if encoder is None:
        if team.size > 1:
            raise DataError('several processes train a predictor only; name a trained encoder')
        encoder = SmallEncoder(EncoderShape(image_size=dataset.facts.image_size))
        predictor = SparsePredictor(_shape(config, encoder, dataset))
        train_encoder(joint, _course(config, 'encoder', config.encoder_steps), encoder, predictor,
                      dataset, foreseen, work, report)
    else:
        predictor = SparsePredictor(_shape(config, encoder, dataset))
    encoder.eval().requires_grad_(False)
    known = encoder
    tokens = team.first_alone(lambda: tokens_of(
        dataset, known, lambda done, total: report(Progress('tokens', done, total, 0.0))))

    predictors = [predictor]
    for number in range(1, config.predictors):
        # From other weights, and the clips in another order: it shall err elsewhere.
        torch.manual_seed(_seed(config, number))
        predictors.append(SparsePredictor(predictor.shape))
    for number, each in enumerate(predictors):
        course = _course(config, f'predictor-{number}', config.predictor_steps, number)
        _train_predictor(course, config, foreseen, each, dataset, tokens, work, report, team)
    decoder = None
    if config.decoder_steps and team.rank == 0:
        decoder = Decoder(DecoderShape(encoder.shape.width, encoder.shape.grid))
        train_decoder(_course(config, 'decoder', config.decoder_steps), decoder, dataset, tokens,
                      work, report)
        decoder.eval().requires_grad_(False)
        sheet = sample_sheet(encoder, predictor, decoder, dataset, config.seed)
        cv2.imwrite(str(work / 'samples.png'), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return Bundle(
        _manifest(dataset, encoder, predictors, decoder), encoder, tuple(predictors), decoder)


def _train_predictor(
    course: Course, config: TrainConfig, foreseen: Foresight, predictor: SparsePredictor,
    dataset: Dataset, tokens: Tensor, work: Path, report: Report, team: Team,
) -> None:
    """Learn what comes next, on tokens that do not change."""

    def loss_of(step: int, generator: Generator) -> Share:
        clips = team.part_of(dataset.draw(config.clips, config.frames, generator))
        seen: Tensor = tokens[dataset.shown[clips]].float()
        return foresight(predictor, seen, dataset.actions[clips], foreseen, generator)

    run(course, nn.ModuleList([predictor]), loss_of, work, report, team)
    predictor.eval().requires_grad_(False)


def _course(config: TrainConfig, part: str, steps: int, number: int = 0) -> Course:
    return Course(
        part, steps, config.learning_rate, _seed(config, number), config.average)


def _seed(config: TrainConfig, number: int) -> int:
    """Return the first of the seeds of a predictor's steps; other parts share the first's."""
    return config.seed * 10_000_000 + number * 1_000_000


def _claim(work: Path, what: object, team: Team) -> None:
    """Keep checkpoints of different trainings apart."""
    work.mkdir(parents=True, exist_ok=True)
    path, mine = work / 'training.json', json.dumps(what, indent=2)
    if path.exists() and path.read_text() != mine:
        raise DataError(
            f'{work} holds checkpoints of a training with other settings or data; '
            'choose another folder or delete it')
    if team.rank == 0:
        path.write_text(mine)


def _shape(config: TrainConfig, encoder: Encoder, dataset: Dataset) -> PredictorShape:
    return PredictorShape(
        encoder.shape.width, len(dataset.facts.action_names), config.width, config.depth,
        config.heads)


def _manifest(
    dataset: Dataset, encoder: Encoder, predictors: list[SparsePredictor],
    decoder: Decoder | None,
) -> Manifest:
    facts = dataset.facts
    return Manifest(
        name=f'rooms-{facts.robot}', robot=facts.robot, step_s=facts.step_s,
        picture_size=facts.picture_size,
        actions=Actions(
            facts.action_names, facts.action_low, facts.action_high, facts.acceleration),
        encoder=encoder.shape, predictor=predictors[0].shape, predictors=len(predictors),
        decoder=decoder.shape if decoder else None)
