# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Corrects a policy by what it tries in the imagination of its own bundle; nothing is driven."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.errors import ConfigError, DataError
from sparse_imagination_ros.training.dataset import Dataset, tokens_of
from sparse_imagination_ros.training.dreams import dream, Dreamt, RlConfig, Trial, VIDEO, Video
from sparse_imagination_ros.training.loop import (
    CHECKPOINT_STEPS,
    Course,
    Progress,
    Report,
    run,
    Share,
    Team,
)
from sparse_imagination_ros.training.ppo import ppo_loss
from sparse_imagination_ros.training.rla import some_tokens
from sparse_imagination_ros.training.train import check_fit, claim
from sparse_imagination_ros.training.train_policy import rla_of
from sparse_imagination_ros.world_models.bundle import Bundle, fingerprint
from sparse_imagination_ros.world_models.rla.policy import Policy

# Steps that are learned from one round. Checkpoints lie between rounds, so that a training that
# goes on begins with a round of its own.
LEARNED_FROM = 4
assert CHECKPOINT_STEPS % LEARNED_FROM == 0
TOKENS = 16


def train_rl(
    config: RlConfig, seed: int, bundle: Bundle, videos: Sequence[Dataset], work: Path,
    report: Report,
) -> Bundle:
    """Return the bundle with its policy corrected; checkpoints are kept in the folder `work`."""
    predictor, policy = rla_of(bundle), corrected(bundle, config)
    for dataset in videos:
        check_fit(bundle, dataset)
    claim(work, [seed, asdict(config), fingerprint(predictor), fingerprint(policy),
                 *(asdict(each.facts) for each in videos)], Team.alone())
    torch.manual_seed(seed)
    trial = Trial(4 * policy.shape.width, config.taken * policy.shape.action_size, config.spread)
    tokens = [tokens_of(each, bundle.encoder, lambda done, total: report(
        Progress('tokens', done, total, 0.0))) for each in videos]
    held: list[Dreamt] = []

    def loss_of(step: int, generator: Generator) -> Share:
        if step % LEARNED_FROM == 0 or not held:
            shown = draw_videos(bundle, videos, tokens, config, generator)
            held[:] = [dream(policy, trial, predictor, shown, config, generator)]
        dreamt = held[0]
        mean = policy.acts(dreamt.known)[:, :config.taken].flatten(1)
        loss = ppo_loss(
            dreamt.tried, mean, trial.log_std, trial.worth(dreamt.known, dreamt.time))
        return Share(loss, torch.ones(()))

    assert policy.correction is not None
    run(Course('rl', LEARNED_FROM * config.rounds, config.learning_rate, seed, 0.0),
        nn.ModuleList([policy.correction, trial]), loss_of, work, report, Team.alone())
    policy.eval().requires_grad_(False)
    return replace(
        bundle, policy=policy, manifest=replace(bundle.manifest, policy=policy.shape))


def corrected(bundle: Bundle, config: RlConfig) -> Policy:
    """Return the policy of a bundle with a correction, of which alone is learned."""
    if bundle.policy is None:
        raise DataError(
            f'bundle `{bundle.manifest.name}` has no policy; make one with '
            '`sparse-imagination train-policy`')
    most = min(bundle.policy.shape.steps, rla_of(bundle).shape.chunk)
    if config.taken > most:
        raise ConfigError(
            f'`rl.taken` is {config.taken}; the policy and the chunks of bundle '
            f'`{bundle.manifest.name}` have {most} steps')
    torch.manual_seed(0)
    policy = Policy(replace(bundle.policy.shape, corrected=True))
    policy.load_state_dict(bundle.policy.state_dict(), strict=bundle.policy.shape.corrected)
    policy.requires_grad_(False)
    assert policy.correction is not None
    policy.correction.requires_grad_(True)
    return policy


def draw_videos(
    bundle: Bundle, videos: Sequence[Dataset], tokens: Sequence[Tensor], config: RlConfig,
    generator: Generator,
) -> Video:
    """Draw stretches of episodes, each as long as what is imagined, on a subset of the tokens."""
    length = config.decisions * config.taken + 1
    count = -(-config.dreams // len(videos))
    frames = []
    for dataset, its_tokens in zip(videos, tokens, strict=True):
        steps = dataset.draw(count, length, generator)[:, ::config.taken]
        frames.append(its_tokens[dataset.shown[steps]].float())
    shown = some_tokens(rla_of(bundle), torch.cat(frames), TOKENS, generator)
    start, guide = shown[:, 0], shown[:, 1:]
    goal = guide[:, -1]
    if config.reward != VIDEO:
        guide = goal[:, None].expand_as(guide)
    return Video(start, goal, guide)
