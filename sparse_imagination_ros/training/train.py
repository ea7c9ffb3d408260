# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Trains a bundle from datasets: the encoder, unless there is one, then predictor and decoder.

A stopped training goes on where its last checkpoint was.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
import json
from pathlib import Path

import cv2
import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.tokens.encoders import Encoder, EncoderShape, SmallEncoder
from sparse_imagination_ros.training.dataset import Dataset, Facts, tokens_of
from sparse_imagination_ros.training.joint import JointConfig, state_in, train_encoder
from sparse_imagination_ros.training.loop import Course, Progress, Report, run, Share, Team
from sparse_imagination_ros.training.motion import motion_of, start_weights
from sparse_imagination_ros.training.objectives import readable
from sparse_imagination_ros.training.samples import sample_sheet, train_decoder
from sparse_imagination_ros.training.sparse import Foresight, foresight
from sparse_imagination_ros.world_models.bundle import Bundle, fingerprint
from sparse_imagination_ros.world_models.decoder import Decoder, DecoderShape
from sparse_imagination_ros.world_models.manifest import Actions, Lookahead, Manifest
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor


@dataclass(frozen=True)
class TrainConfig:
    """How long, how much at a time, and how large a new predictor is."""

    seed: int = setting(0, 'seed of weights and of the order of data', 0, 2**31 - 1)
    encoder_steps: int = setting(2500, 'steps of the first part', 1, 10**6)
    predictor_steps: int = setting(4000, 'steps of the second part', 1, 10**6)
    decoder_steps: int = setting(
        1000, 'steps of the decoder, which paints tokens for people; 0 for none', 0, 10**6)
    clips: int = setting(80, 'clips in a batch of the second part', 1, 4096)
    frames: int = setting(9, 'consecutive frames of a clip', 2, 1000)
    learning_rate: float = setting(0.002, 'highest learning rate', 1e-6, 1.0)
    average: float = setting(
        0.0, 'the bundle gets the average of the weights over about 1 / (1 - average) steps',
        0.0, 0.9999)
    width: int = setting(64, 'width of a new predictor', 16, 4096)
    depth: int = setting(3, 'blocks of a new predictor', 1, 100)
    heads: int = setting(4, 'attention heads of a new predictor', 1, 64)


def encoder_of(start: Encoder | Bundle | None) -> Encoder | None:
    """Return the encoder of what has been trained before."""
    return start.encoder if isinstance(start, Bundle) else start


@dataclass(frozen=True)
class Clips:
    """Frames in a row: tokens [B, F, P, D], actions [B, F, A], what was sensed [B, F, Q]."""

    tokens: Tensor
    actions: Tensor
    sensed: Tensor


@dataclass(frozen=True)
class Material:
    """What predictors are trained on: datasets, and their tokens by one encoder, all [M, P, D]."""

    team: Team
    datasets: Sequence[Dataset]
    encoder: Encoder
    tokens: Sequence[Tensor]

    def draw(self, count: int, of_one: Callable[[int, int], Tensor]) -> Clips:
        """
        Draw steps of all datasets alike, together about `count`; return this process's part.

        of_one: draws so many steps [B, F] of the dataset of this number.
        """
        drawn = []
        for number, (each, its_tokens) in enumerate(
                zip(self.datasets, self.tokens, strict=True)):
            steps = self.team.part_of(of_one(number, -(-count // len(self.datasets))))
            drawn.append((its_tokens[each.shown[steps]].float(), each.actions[steps],
                          each.sensed[steps]))
        return Clips(*(torch.cat(parts) for parts in zip(*drawn, strict=True)))


def train(
    config: TrainConfig, joint: JointConfig, foreseen: Foresight, datasets: Sequence[Dataset],
    start: Encoder | Bundle | None, work: Path, report: Report,
    lookahead: Lookahead = Lookahead(),
) -> Bundle:
    """
    Train a bundle with a sparse predictor; checkpoints are kept in the folder `work`.

    It starts with nothing, an encoder, or a bundle whose predictor is trained on. Without an
    encoder the small one is trained first, by `joint`. The predictor learns from all datasets,
    which count the same; everything else from the first. lookahead: what the bundle advises.
    """
    material, predictor = prepare(config, joint, foreseen, datasets, start, work, report)
    state = state_in(datasets[0]) if predictor.reader is not None else None
    weights = [start_weights(motion_of(each, tokens), foreseen.moving) if foreseen.moving else None
               for each, tokens in zip(datasets, material.tokens, strict=True)]

    def loss_of(step: int, generator: Generator) -> Share:
        drawn = material.draw(config.clips, lambda number, count: datasets[number].draw(
            count, config.frames, generator, weights[number]))
        known = None if state is None else readable(drawn.sensed[..., :len(state.names)], state)
        return foresight(
            predictor, drawn.tokens, drawn.actions, foreseen, generator, known)

    run(course_of(config, 'predictor', config.predictor_steps), nn.ModuleList([predictor]),
        loss_of, work, report, material.team)
    return finish(config, material, predictor.eval().requires_grad_(False), work, report,
                  lookahead)


def prepare(
    config: TrainConfig, joint: JointConfig, foreseen: Foresight, datasets: Sequence[Dataset],
    start: Encoder | Bundle | None, work: Path, report: Report, more: object = None,
) -> tuple[Material, SparsePredictor]:
    """
    Train the encoder, if there is none, and encode all pictures; return its predictor, too.

    more: what else tells this training from others.
    """
    team, dataset = Team.joined(), datasets[0]
    _check_alike(datasets)
    known = (encoder_of(start), start.predictor if isinstance(start, Bundle) else None)
    claim(work, [asdict(config), asdict(joint), asdict(foreseen),
                 *(fingerprint(part) if part else None for part in known),
                 *(asdict(each.facts) for each in datasets), *([more] if more else [])], team)
    torch.manual_seed(config.seed)
    encoder = known[0] or SmallEncoder(
        EncoderShape(
            image_size=dataset.facts.image_size, depth=joint.depth, reach=joint.reach))
    predictor = SparsePredictor(_shape(config, encoder, dataset, _told(foreseen, dataset)))
    if isinstance(start, Bundle):
        check_fit(start, dataset)
        predictor = _copied(start)
    if known[0] is None:
        if team.size > 1:
            raise DataError('several processes train a predictor only; name a trained encoder')
        train_encoder(joint, course_of(config, 'encoder', config.encoder_steps), encoder,
                      predictor, dataset, foreseen, work, report)
    encoder.eval().requires_grad_(False)
    tokens = [
        team.first_alone(partial(tokens_of, each, encoder, lambda done, total: report(
            Progress('tokens', done, total, 0.0))))
        for each in datasets]
    return Material(team, datasets, encoder, tokens), predictor


def finish(
    config: TrainConfig, material: Material, predictor: SparsePredictor | RlaPredictor,
    work: Path, report: Report, lookahead: Lookahead,
) -> Bundle:
    """Train the decoder, if it is wanted, and put a bundle together."""
    encoder, dataset, decoder = material.encoder, material.datasets[0], None
    if config.decoder_steps and material.team.rank == 0:
        decoder = Decoder(DecoderShape(encoder.shape.width, encoder.shape.grid))
        train_decoder(course_of(config, 'decoder', config.decoder_steps), decoder, dataset,
                      material.tokens[0], work, report)
        decoder.eval().requires_grad_(False)
        sheet = sample_sheet(encoder, predictor, decoder, dataset, config.seed)
        cv2.imwrite(str(work / 'samples.png'), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return Bundle(
        _manifest(dataset, encoder, predictor, decoder, lookahead), encoder, predictor, decoder)


def _copied(bundle: Bundle) -> SparsePredictor:
    if not isinstance(bundle.predictor, SparsePredictor):
        raise DataError(
            f'the predictor of bundle `{bundle.manifest.name}` is not a sparse one that '
            '`sparse-imagination train` made; only those can be trained on')
    predictor = SparsePredictor(bundle.predictor.shape)
    predictor.load_state_dict(bundle.predictor.state_dict())
    return predictor


def course_of(config: TrainConfig, part: str, steps: int) -> Course:
    """Return how a part is trained."""
    return Course(part, steps, config.learning_rate, config.seed, config.average)


def _check_alike(datasets: Sequence[Dataset]) -> None:
    first = datasets[0]
    for other in datasets[1:]:
        if other.facts != first.facts:
            raise DataError(
                f'{other.folder} does not go with {first.folder}: robot, model step, pictures, '
                'actions, limits and senses must be the same')


def check_fit(bundle: Bundle, dataset: Dataset) -> None:
    """Refuse a dataset of another robot or other pictures than the bundle's."""
    manifest, facts = bundle.manifest, dataset.facts
    of_bundle = (manifest.robot, manifest.step_s, manifest.picture_size,
                 manifest.encoder.image_size, manifest.actions)
    of_data = (facts.robot, facts.step_s, facts.picture_size, facts.image_size, _actions(facts))
    if of_data != of_bundle:
        raise DataError(
            f'{dataset.folder} does not fit bundle `{manifest.name}`: it holds {of_data}, the '
            f'bundle {of_bundle}; record with the settings of the bundle')


def claim(work: Path, what: object, team: Team) -> None:
    """Keep checkpoints of different trainings apart."""
    work.mkdir(parents=True, exist_ok=True)
    path, mine = work / 'training.json', json.dumps(what, indent=2)
    if path.exists() and path.read_text() != mine:
        raise DataError(
            f'{work} holds checkpoints of a training with other settings or data; '
            'choose another folder or delete it')
    if team.rank == 0:
        path.write_text(mine)


def _told(foreseen: Foresight, dataset: Dataset) -> tuple[float, ...]:
    """Return how much what is read of tokens counts in a distance; nothing if it is not read."""
    if foreseen.told == 0:
        return ()
    counts = state_in(dataset).counts
    if not counts:
        raise DataError(
            f'{dataset.folder}: `foresight.told` is {foreseen.told:g}, but for robot '
            f'`{dataset.facts.robot}` how far places are apart says little: walls stand between '
            'them; leave it at 0')
    # The angle is read as two numbers, a direction.
    return (*counts, counts[-1])


def _shape(
    config: TrainConfig, encoder: Encoder, dataset: Dataset, told: tuple[float, ...],
) -> PredictorShape:
    return PredictorShape(
        encoder.shape.width, len(dataset.facts.action_names), config.width, config.depth,
        config.heads, told=told)


def _manifest(
    dataset: Dataset, encoder: Encoder, predictor: SparsePredictor | RlaPredictor,
    decoder: Decoder | None, lookahead: Lookahead,
) -> Manifest:
    facts = dataset.facts
    return Manifest(
        name=facts.robot, robot=facts.robot, step_s=facts.step_s,
        picture_size=facts.picture_size, actions=_actions(facts), encoder=encoder.shape,
        predictor=predictor.shape, decoder=decoder.shape if decoder else None,
        lookahead=lookahead)


def _actions(facts: Facts) -> Actions:
    return Actions(facts.action_names, facts.action_low, facts.action_high, facts.acceleration)
