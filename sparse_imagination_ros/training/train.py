# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Trains a bundle from recorded episodes, in two parts: the encoder, then the sparse predictor.

Or trains the predictor of a bundle on, with its encoder as it is. A stopped training goes on where
its last checkpoint was; each step draws from a generator of its own, so that a resumed run is the
same run.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
import json
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.sim.layouts import SIZE_M
from sparse_imagination_ros.tokens.encoders import EncoderShape, SmallEncoder
from sparse_imagination_ros.tokens.frames import normalise
from sparse_imagination_ros.tokens.subsets import random_split, random_subset
from sparse_imagination_ros.training.episodes import Episodes, Recording
from sparse_imagination_ros.training.objectives import PoseHead, SceneHead, TemporalContrast
from sparse_imagination_ros.world_models.bundle import Actions, Bundle, fingerprint, Manifest
from sparse_imagination_ros.world_models.sparse import (
    PredictorShape,
    SparsePredictor,
)

CHECKPOINT_STEPS = 100
# For so many steps the encoder learns pose and scene alone; the other losses rise over as many.
POSE_STEPS = 250
# The predictor is rolled out over clips of this many frames: in the first part, in the second.
CLIP_FRAMES = 8
ROLLOUT_FRAMES = 9
# So many tokens of each frame are predicted in a step: more clips teach more than more tokens.
PREDICTED_TOKENS = 16
# So many tokens of each frame paint the scene.
PAINTING_TOKENS = 8


@dataclass(frozen=True)
class TrainConfig:
    """How long, how much at a time, and what counts how much."""

    seed: int = setting(0, 'seed of weights and of the order of data', 0, 2**31 - 1)
    encoder_steps: int = setting(2500, 'steps of the first part', 1, 10**6)
    predictor_steps: int = setting(4000, 'steps of the second part', 1, 10**6)
    encoder_episodes: int = setting(16, 'episodes in a batch of the first part', 1, 4096)
    encoder_frames: int = setting(16, 'consecutive frames of each of them', CLIP_FRAMES, 1000)
    predictor_clips: int = setting(80, 'clips in a batch of the second part', 1, 4096)
    learning_rate: float = setting(0.002, 'highest learning rate', 1e-6, 1.0)
    pose: float = setting(20.0, 'weight of telling the pose in the first part', 0.0, 100.0)
    scene: float = setting(100.0, 'weight of telling the scene in the first part', 0.0, 1000.0)
    contrast: float = setting(2.0, 'weight of the temporal contrast', 0.0, 100.0)
    prediction: float = setting(0.5, 'weight of the prediction in the first part', 0.0, 100.0)


@dataclass(frozen=True)
class Progress:
    """Where a training is: the part's name, its finished steps and all its steps, its loss."""

    part: str
    step: int
    steps: int
    loss: float


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class _Data:
    """Episodes as tensors; actions in units of their limits."""

    frames: Tensor
    actions: Tensor
    poses: Tensor

    def clips(self, count: int, frames: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw indices of episodes [B, 1] and of consecutive frames [B, F]."""
        episodes, length = self.frames.shape[:2]
        episode = torch.randint(episodes, (count, 1), generator=generator)
        first = torch.randint(length - frames + 1, (count, 1), generator=generator)
        return episode, first + torch.arange(frames)

    def actions_after(self, episode: Tensor, frame: Tensor) -> Tensor:
        """Return the actions [B, F, A] that lead out of frames; an episode's last has none."""
        return self.actions[episode, frame.clamp(max=self.actions.shape[1] - 1)]


@dataclass(frozen=True)
class Recorded:
    """A recording, in memory."""

    recording: Recording
    episodes: Episodes


def train(config: TrainConfig, recorded: Recorded, work: Path, report: Report) -> Bundle:
    """Train a bundle; checkpoints are kept in the folder `work`."""
    _check_length(recorded.episodes, max(config.encoder_frames, ROLLOUT_FRAMES))
    _claim(work, [asdict(config), asdict(recorded.recording)])
    torch.manual_seed(config.seed)
    manifest = _manifest(recorded.recording)
    encoder, predictor = SmallEncoder(manifest.encoder), SparsePredictor(manifest.predictor)
    data = _data(recorded)
    _train_encoder(config, encoder, predictor, data, work, report)
    encoder.eval().requires_grad_(False)
    tokens = _encode_all(encoder, data, report)
    _train_predictor(config, predictor, [(data, tokens)], work, report)
    return Bundle(manifest, encoder, predictor.eval().requires_grad_(False))


def refine(
    config: TrainConfig, bundle: Bundle, recorded: Sequence[Recorded], work: Path,
    report: Report,
) -> Bundle:
    """Train the predictor of a bundle on; each recording gives an equal share of the clips."""
    for each in recorded:
        _check_length(each.episodes, ROLLOUT_FRAMES)
        _check_fit(each.recording, bundle.manifest)
    _claim(work, [asdict(config), *(asdict(each.recording) for each in recorded),
                  fingerprint(bundle.encoder), fingerprint(bundle.predictor)])
    predictor = SparsePredictor(bundle.manifest.predictor)
    predictor.load_state_dict(bundle.predictor.state_dict())
    sources = []
    for each in recorded:
        data = _data(each)
        sources.append((data, _encode_all(bundle.encoder, data, report)))
    _train_predictor(config, predictor, sources, work, report)
    return Bundle(bundle.manifest, bundle.encoder, predictor.eval().requires_grad_(False))


def _check_length(episodes: Episodes, needed: int) -> None:
    if episodes.frames.shape[1] < needed:
        raise DataError(
            f'episodes of {episodes.frames.shape[1]} frames are too short: {needed} are needed; '
            'record longer ones (`--steps`)')


def _check_fit(recording: Recording, manifest: Manifest) -> None:
    of_recording, of_bundle = (
        (m.robot, m.step_s, m.picture_size, m.encoder.image_size, m.actions)
        for m in (_manifest(recording), manifest))
    if of_recording != of_bundle:
        raise DataError(
            f'a recording of the {recording.robot} robot does not fit bundle `{manifest.name}`: '
            f'it holds {of_recording}, the bundle {of_bundle}; record with the settings of the '
            'bundle')


def _data(recorded: Recorded) -> _Data:
    episodes = recorded.episodes
    high = np.array(recorded.recording.action_high, np.float32)
    return _Data(
        torch.from_numpy(episodes.frames), torch.from_numpy(episodes.actions / high),
        torch.from_numpy(episodes.poses))


def _claim(work: Path, what: list[Any]) -> None:
    """Keep checkpoints of different trainings apart."""
    work.mkdir(parents=True, exist_ok=True)
    path, mine = work / 'training.json', json.dumps(what, indent=2)
    if path.exists() and path.read_text() != mine:
        raise DataError(
            f'{work} holds checkpoints of a training with other settings or data; '
            'choose another folder or delete it')
    path.write_text(mine)


def _manifest(recording: Recording) -> Manifest:
    encoder = EncoderShape(image_size=recording.image_size)
    return Manifest(
        name=f'rooms-{recording.robot}', robot=recording.robot, step_s=recording.step_s,
        picture_size=recording.picture_size,
        actions=Actions(recording.action_names, recording.action_low, recording.action_high,
                        recording.acceleration),
        encoder=encoder,
        predictor=PredictorShape(encoder.width, len(recording.action_names)))


def _train_encoder(
    config: TrainConfig, encoder: SmallEncoder, predictor: SparsePredictor, data: _Data,
    work: Path, report: Report,
) -> None:
    """Learn tokens that know the robot's place, the walls, how far places are and what comes."""
    width = encoder.shape.width
    pose_head, scene_head = PoseHead(width, SIZE_M), SceneHead(width)
    contrast = TemporalContrast()
    # Whole clips from the batch's frames; what is left over is not predicted.
    clips = config.encoder_frames // CLIP_FRAMES

    def loss_of(step: int, generator: Generator) -> Tensor:
        episode, frame = data.clips(config.encoder_episodes, config.encoder_frames, generator)
        with torch.autocast('cpu', torch.bfloat16):
            pictures = normalise(data.frames[episode, frame].flatten(0, 1))
            flat = encoder(pictures)
            tokens = flat.reshape(*frame.shape, *encoder.position.shape)
            pose = pose_head.loss(tokens, data.poses[episode, frame])
            drawn = random_subset(tokens.shape[2], PAINTING_TOKENS, generator)
            scene = scene_head.loss(flat[:, drawn], pictures)
        kept = clips * CLIP_FRAMES
        windows, moves = (
            x[:, :kept].reshape(-1, CLIP_FRAMES, *x.shape[2:])
            for x in (tokens, data.actions_after(episode, frame)))
        predicted = rollout_loss(predictor, windows.float(), moves, generator)
        # First the tokens must say anything at all, then they are given a shape.
        ramp = min(1.0, max(0.0, step / POSE_STEPS - 1))
        loss: Tensor = config.pose * pose + config.scene * scene + ramp * (
            config.contrast * contrast(tokens.float()) + config.prediction * predicted)
        return loss

    modules = nn.ModuleList([encoder, predictor, pose_head, scene_head, contrast])
    _run('encoder', config.encoder_steps, config, modules, loss_of, work, report)


def _train_predictor(
    config: TrainConfig, predictor: SparsePredictor, sources: Sequence[tuple[_Data, Tensor]],
    work: Path, report: Report,
) -> None:
    """Learn what comes next, on tokens that no longer change."""

    def loss_of(step: int, generator: Generator) -> Tensor:
        seen, actions = [], []
        for data, tokens in sources:
            clips = -(-config.predictor_clips // len(sources))
            episode, frame = data.clips(clips, ROLLOUT_FRAMES, generator)
            seen.append(tokens[episode, frame].float())
            actions.append(data.actions_after(episode, frame))
        return rollout_loss(predictor, torch.cat(seen), torch.cat(actions), generator)

    _run('predictor', config.predictor_steps, config, nn.ModuleList([predictor]), loss_of, work,
         report)


def rollout_loss(
    predictor: SparsePredictor, tokens: Tensor, actions: Tensor, generator: Generator,
) -> Tensor:
    """
    Return the error of rollouts as a share of the error of predicting that nothing changes.

    As a share it also rewards an encoder whose tokens move, in ways that can be foreseen. Rollouts
    they are since a predictor that is judged one step at a time lets the robot seep into walls a
    little, and through them in many. They start from one frame up to a whole window of them, as a
    planner does that has just begun. Attention stays inside two random groups of the tokens: each
    is run by itself, which equals masked attention, as attention is the only place where tokens
    meet, and costs less. tokens: [B, F, P, D]; actions: [B, F, A], of which the last is not used.
    """
    drawn = random_subset(tokens.shape[2], min(PREDICTED_TOKENS, tokens.shape[2]), generator)
    last = int(torch.randint(predictor.shape.window, (), generator=generator))
    wrong, change = torch.zeros(()), torch.zeros(())
    for group in random_split(len(drawn), generator):
        seen = tokens[:, :, drawn[group]]
        cache = predictor.empty_cache()
        for number in range(last):
            _, cache = predictor.extend(seen[:, number], actions[:, number], cache)
        imagined = seen[:, last]
        for number in range(last, tokens.shape[1] - 1):
            imagined, cache = predictor.extend(imagined, actions[:, number], cache)
            wrong = wrong + (imagined - seen[:, number + 1]).square().sum()
            change = change + (seen[:, last] - seen[:, number + 1]).square().sum()
    return wrong / change


def _run(
    part: str, steps: int, config: TrainConfig, modules: nn.ModuleList,
    loss_of: Callable[[int, Generator], Tensor], work: Path, report: Report,
) -> None:
    optimiser = torch.optim.AdamW(modules.parameters(), config.learning_rate, weight_decay=0.01)
    path = work / f'{part}.pt'
    done = _resume(path, modules, optimiser)
    for step in range(done, steps):
        for group in optimiser.param_groups:
            group['lr'] = config.learning_rate * _schedule(step, steps)
        generator = torch.Generator().manual_seed(config.seed * 10_000_000 + step)
        loss = loss_of(step, generator)
        if not loss.isfinite():
            raise DataError(
                f'the loss of the {part} is {loss.item()} at step {step + 1}: the recording '
                'holds values that are not finite, or `learning_rate` is too high')
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == steps:
            _checkpoint(path, step + 1, modules, optimiser)
        report(Progress(part, step + 1, steps, loss.item()))


def _schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine down to 2 %."""
    return min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 + cos(pi * step / steps)) / 2)


def _checkpoint(
    path: Path, step: int, modules: nn.ModuleList, optimiser: torch.optim.Optimizer,
) -> None:
    part = path.with_suffix('.part')
    torch.save({'step': step, 'modules': modules.state_dict(),
                'optimiser': optimiser.state_dict()}, part)
    part.rename(path)


def _resume(path: Path, modules: nn.ModuleList, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    state: dict[str, Any] = torch.load(path, weights_only=True)
    modules.load_state_dict(state['modules'])
    optimiser.load_state_dict(state['optimiser'])
    return int(state['step'])


@torch.no_grad()
def _encode_all(encoder: SmallEncoder, data: _Data, report: Report) -> Tensor:
    """Return the tokens of all frames [E, L + 1, P, D], in half the memory of float32."""
    total = len(data.frames)
    tokens = torch.empty(
        *data.frames.shape[:2], *encoder.position.shape, dtype=torch.bfloat16)
    for number, frames in enumerate(data.frames):
        tokens[number] = encoder(normalise(frames))
        report(Progress('tokens', number + 1, total, 0.0))
    return tokens
