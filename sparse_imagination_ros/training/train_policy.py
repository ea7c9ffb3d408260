# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains a policy for a bundle of the RLA family, from drives and from videos without actions."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.errors import DataError
from sparse_imagination_ros.training.dataset import Dataset, tokens_of
from sparse_imagination_ros.training.loop import Course, Progress, Report, run, Share, Team
from sparse_imagination_ros.training.motion import motion_of, start_weights
from sparse_imagination_ros.training.policy import (
    draw_ways,
    policy_loss,
    PolicyConfig,
    Teller,
)
from sparse_imagination_ros.training.rla import some_tokens
from sparse_imagination_ros.training.train import check_fit, claim, TrainConfig
from sparse_imagination_ros.world_models.bundle import Bundle, fingerprint
from sparse_imagination_ros.world_models.rla.policy import Policy, PolicyShape
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor

# The share of frames that are rather drawn where much moves, and the most tokens of a frame.
MOVING, TOKENS = 0.5, 16


def train_policy(
    config: TrainConfig, learned: PolicyConfig, bundle: Bundle, drives: Sequence[Dataset],
    videos: Sequence[Dataset], work: Path, report: Report,
) -> Bundle:
    """Train a policy for a bundle, of which nothing else changes; return it with the policy."""
    team, predictor = Team.joined(), rla_of(bundle)
    for dataset in drives:
        check_fit(bundle, dataset)
    for dataset in videos:
        if dataset.facts.image_size != bundle.manifest.encoder.image_size:
            raise DataError(
                f'{dataset.folder} holds pictures of {dataset.facts.image_size} pixels; the '
                f'encoder of bundle `{bundle.manifest.name}` takes '
                f'{bundle.manifest.encoder.image_size}')
    claim(work, [config.seed, config.learning_rate, asdict(learned), fingerprint(predictor),
                 *(asdict(each.facts) for each in (*drives, *videos))], team)
    torch.manual_seed(config.seed)
    policy = Policy(PolicyShape(
        bundle.manifest.encoder.width, bundle.manifest.predictor.action_size,
        predictor.shape.latent_size, predictor.shape.chunk, learned.width, learned.depth))
    material = [Clips(each, bundle, team, report) for each in (*drives, *videos)]
    loss_of = partial(
        mixed_loss, policy, learned, material[:len(drives)], material[len(drives):], predictor,
        predictor.encode, team)
    run(Course('policy', learned.training_steps, config.learning_rate, config.seed,
               config.average),
        nn.ModuleList([policy]), loss_of, work, report, team)
    policy.eval().requires_grad_(False)
    return replace(
        bundle, policy=policy, manifest=replace(bundle.manifest, policy=policy.shape))


def rla_of(bundle: Bundle) -> RlaPredictor:
    """Return the predictor of a bundle, which must be of the RLA family."""
    if not isinstance(bundle.predictor, RlaPredictor):
        raise DataError(
            f'bundle `{bundle.manifest.name}` is of the family `{bundle.manifest.family}`; a '
            'policy needs the latents of one that `train --family rla` made')
    return bundle.predictor


class Clips:
    """A dataset with its tokens, and where much moves."""

    def __init__(self, dataset: Dataset, bundle: Bundle, team: Team, report: Report) -> None:
        self.dataset = dataset
        self.tokens = team.first_alone(partial(
            tokens_of, dataset, bundle.encoder,
            lambda done, total: report(Progress('tokens', done, total, 0.0))))
        self.weights = start_weights(motion_of(dataset, self.tokens), MOVING)

    def frames(self, steps: Tensor) -> Tensor:
        """Return tokens of steps [B], [B, P, D]."""
        return self.tokens[self.dataset.shown[steps]].float()


def mixed_loss(
    policy: Policy, learned: PolicyConfig, drives: Sequence[Clips], videos: Sequence[Clips],
    predictor: RlaPredictor, tell: Teller, team: Team, step: int, generator: Generator,
) -> Share:
    """Return the error on frames that are drawn, half of them of videos if there are any."""
    seen, actions = [], []
    for kind in (drives, videos):
        for clips in kind:
            count = learned.samples // len(kind) // (2 if drives and videos else 1)
            way = draw_ways(clips.dataset, clips.weights, max(1, count), learned.ahead,
                            policy.shape.steps, generator)
            seen.append(torch.stack([clips.frames(team.part_of(steps)) for steps in (
                way.now, way.goal, way.later)], 1))
            if kind is drives:
                actions.append(team.part_of(way.actions))
    now, goal, later = some_tokens(predictor, torch.cat(seen), TOKENS, generator).unbind(1)
    loss = policy_loss(policy, now, goal, later, torch.cat(actions), tell, learned.told)
    return Share(len(now) * loss, torch.tensor(float(len(now))))
