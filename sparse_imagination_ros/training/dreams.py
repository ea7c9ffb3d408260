# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Episodes of a policy that nobody drives: the world model says what happens, a video what is good.

A decision is a few model steps long. It is rewarded by how near the imagined frame is to that of
the video at the same time, or, if one prefers, to the last frame of the video, the goal.
"""

from dataclasses import dataclass
from math import log

import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.config import setting
from sparse_imagination_ros.training.ppo import advantages, likelihood, Tried
from sparse_imagination_ros.world_models.rla.policy import Policy
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor

REWARDS = VIDEO, GOAL = 'video', 'goal'


@dataclass(frozen=True)
class RlConfig:
    """How a policy tries itself in imagination."""

    rounds: int = setting(150, 'rounds of imagining and learning', 1, 10**6)
    dreams: int = setting(64, 'episodes imagined in a round', 2, 65536)
    decisions: int = setting(3, 'decisions in an episode', 1, 100)
    taken: int = setting(4, 'model steps of a decision, before the next one is made', 1, 100)
    reward: str = setting(
        VIDEO, 'nearness to the frame of a video at the same time, or to its goal at all times',
        choices=REWARDS)
    spread: float = setting(0.2, 'how far tries go at first, of the action limits', 0.001, 2.0)
    discount: float = setting(0.9, 'what a reward counts one decision later', 0.0, 1.0)
    mixing: float = setting(0.95, 'lambda of generalised advantages', 0.0, 1.0)
    learning_rate: float = setting(0.001, 'highest learning rate', 1e-6, 1.0)


@dataclass(frozen=True)
class Video:
    """
    What is to be done, as N videos show it.

    start, goal: [N, K, D + E]; guide: [N, S, K, D + E], what the frame after each decision is
    held against.
    """

    start: Tensor
    goal: Tensor
    guide: Tensor


@dataclass(frozen=True)
class Dreamt:
    """
    What was tried, N episodes of S decisions, one after another in every tensor [S * N, ...].

    known: what the policy knew; time: the share of the episode before a decision. reward: the mean
    of a whole episode's.
    """

    known: Tensor
    time: Tensor
    tried: Tried
    reward: float


class Trial(nn.Module):
    """What is needed to try, and not to drive: how far tries go, and what is expected of them."""

    def __init__(self, known: int, actions: int, spread: float) -> None:
        super().__init__()
        self.log_std = nn.Parameter(torch.full((actions,), log(spread)))
        self.critic = nn.Sequential(nn.Linear(known + 1, 64), nn.ReLU(), nn.Linear(64, 1))

    def worth(self, known: Tensor, time: Tensor) -> Tensor:
        """Return what is expected of decisions [B] from what is known [B, W] on."""
        worth: Tensor = self.critic(torch.cat([known, time[:, None]], 1))[:, 0]
        return worth


@torch.no_grad()
def dream(
    policy: Policy, trial: Trial | None, predictor: RlaPredictor, video: Video, config: RlConfig,
    generator: Generator,
) -> Dreamt:
    """Imagine episodes; without a trial the policy does what it thinks best."""
    count, decisions = video.guide.shape[:2]
    # A reward of minus one is as bad as standing still at the start, on average.
    usual = (video.start - video.goal).abs().mean()
    knowns, times, chosen, likely, rewards, values = [], [], [], [], [], []
    tokens = video.start
    for number in range(decisions):
        known = policy.knows(tokens, video.goal)
        mean = policy.acts(known)[:, :config.taken].flatten(1)
        time = torch.full((count,), number / decisions)
        actions = mean
        if trial is not None:
            noise = torch.randn(mean.shape, generator=generator)
            actions = mean + trial.log_std.exp() * noise
            likely.append(likelihood(actions, mean, trial.log_std))
            values.append(trial.worth(known, time))
        taken = actions.reshape(count, config.taken, -1).clamp(-1, 1)
        noise = torch.randn(count, predictor.shape.latent_size, generator=generator)
        if not predictor.shape.generative:
            noise.zero_()
        tokens = predictor.tokens(predictor.follow(predictor.start(tokens), taken, noise))
        rewards.append(-(tokens - video.guide[:, number]).abs().mean((1, 2)) / usual)
        knowns.append(known)
        times.append(time)
        chosen.append(actions)
    got = torch.stack(rewards)
    expected = torch.stack(values) if values else torch.zeros_like(got)
    advantage = advantages(got, expected, config.discount, config.mixing)
    return Dreamt(
        torch.cat(knowns), torch.cat(times),
        Tried(torch.cat(chosen), torch.cat(likely) if likely else torch.zeros(got.numel()),
              advantage.flatten(), (advantage + expected).flatten()),
        float(got.sum(0).mean()))
