# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Learning in imagination: the arithmetic of PPO, and a policy that learns what is shown."""

from dataclasses import replace
from pathlib import Path

import pytest
from rla_maker import rla_bundle, SHAPE
import torch
from torch import Generator, nn, Tensor

from sparse_imagination_ros.cli.main import main
from sparse_imagination_ros.errors import ConfigError, DataError
from sparse_imagination_ros.training import loop
from sparse_imagination_ros.training.dreams import dream, RlConfig, Trial, Video
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.ppo import advantages, likelihood, ppo_loss, Tried
from sparse_imagination_ros.training.record import record, RecordConfig
from sparse_imagination_ros.training.train_rl import corrected, draw_videos, train_rl
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.rla.policy import Policy, PolicyShape

POLICY = PolicyShape(token_width=32, action_size=2, told=8, steps=4, width=32, depth=1, heads=2)
CONFIG = RlConfig(rounds=2, dreams=4, decisions=2, taken=2)


@pytest.fixture
def bundle(untrained: Path) -> Bundle:
    torch.manual_seed(0)
    policy = Policy(POLICY).eval().requires_grad_(False)
    plain = rla_bundle(untrained)
    return replace(plain, policy=policy, manifest=replace(plain.manifest, policy=policy.shape))


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data') / 'recording'
    record(RecordConfig(episodes=3, steps=10, step_s=0.2, image_size=32, seed=3), folder,
           lambda done: None)
    return folder


def test_likelihoods_are_those_of_a_normal_distribution():
    mean, log_std = torch.randn(5, 3), torch.tensor([0.1, -0.5, 0.3])
    actions = torch.randn(5, 3)
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(actions).sum(1)
    torch.testing.assert_close(likelihood(actions, mean, log_std), expected)


def test_an_advantage_is_what_came_beyond_what_was_expected():
    rewards, values = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5], [1.5]])
    # All that came, and what was expected: with a mixing of one nothing else.
    whole = advantages(rewards, values, 0.5, 1.0)
    assert whole.flatten().tolist() == [1 + 0.5 * 2 - 0.5, 2 - 1.5]
    # One step only.
    short = advantages(rewards, values, 0.5, 0.0)
    assert short.flatten().tolist() == [1 + 0.5 * 1.5 - 0.5, 2 - 1.5]


def test_a_step_that_went_far_enough_goes_no_further():
    mean = torch.zeros(2, 1, requires_grad=True)
    log_std = torch.zeros(1)
    actions = torch.tensor([[1.0], [-1.0]])
    # Both are already far likelier than when they were tried.
    before = likelihood(actions, mean.detach(), log_std) - 1
    tried = Tried(actions, before, torch.tensor([1.0, -1.0]), torch.zeros(2))
    ppo_loss(tried, mean, log_std, torch.zeros(2)).backward()
    # What was good is not made likelier still; what was bad is made less likely.
    assert mean.grad[0].item() == 0 and mean.grad[1].item() != 0


def test_at_first_nothing_is_corrected(bundle):
    policy = corrected(bundle, CONFIG)
    frames = torch.randn(2, 3, 5, 48)
    assert torch.equal(policy(*frames).actions, bundle.policy(*frames).actions)
    learned = [name for name, p in policy.named_parameters() if p.requires_grad]
    assert learned and all(name.startswith('correction.') for name in learned)


def test_what_is_shown_is_learned(bundle):
    """Nothing but the first number of each action matters, and it should be large."""
    torch.manual_seed(0)
    policy = corrected(bundle, CONFIG)
    predictor = bundle.predictor
    frame = predictor.observe(torch.randn(1, 16, 32), torch.zeros(0)).expand(32, -1, -1)

    class Follower(nn.Module):
        """The tokens become what the actions say."""

        shape = SHAPE

        def start(self, tokens: Tensor) -> Tensor:
            return tokens

        def follow(self, start: Tensor, actions: Tensor, noise: Tensor) -> Tensor:
            moved = start.clone()
            moved[..., :32] = actions[..., 0].mean(1)[:, None, None]
            return moved

        def tokens(self, state: Tensor) -> Tensor:
            return state

    wanted = frame.clone()
    wanted[..., :32] = 0.6
    video = Video(frame, wanted, wanted[:, None].expand(-1, 2, -1, -1))
    trial = Trial(128, 4, 0.2)
    learned = nn.ModuleList([policy.correction, trial])
    optimiser = torch.optim.AdamW(learned.parameters(), 0.003)
    generator = Generator().manual_seed(0)

    def reward() -> float:
        return dream(policy, None, Follower(), video, CONFIG, generator).reward

    before = reward()
    for _ in range(60):
        dreamt = dream(policy, trial, Follower(), video, CONFIG, generator)
        for _ in range(4):
            mean = policy.acts(dreamt.known)[:, :2].flatten(1)
            loss = ppo_loss(dreamt.tried, mean, trial.log_std,
                            trial.worth(dreamt.known, dreamt.time))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert before < 0 and reward() > before / 2


def test_videos_guide_in_time_or_by_their_goal_alone(bundle, data):
    dataset = dataset_from_recording(data)
    tokens = bundle.encoder(torch.from_numpy(dataset.pictures[:]))
    for reward in ('video', 'goal'):
        shown = draw_videos(bundle, [dataset], [tokens], replace(CONFIG, reward=reward),
                            Generator().manual_seed(0))
        assert shown.guide.shape[:2] == (4, 2)
        assert torch.equal(shown.guide[:, -1], shown.goal)
        assert torch.equal(shown.guide[:, 0], shown.goal) == (reward == 'goal')


def test_a_resumed_training_is_the_same_training(bundle, data, tmp_path, monkeypatch):
    class StopError(Exception):
        """The power went out."""

    def stop(progress: loop.Progress) -> None:
        if (progress.part, progress.step) == ('rl', 7):
            raise StopError

    monkeypatch.setattr(loop, 'CHECKPOINT_STEPS', 4)
    videos = [dataset_from_recording(data)]
    whole = train_rl(CONFIG, 0, bundle, videos, tmp_path / 'whole', lambda progress: None)
    with pytest.raises(StopError):
        train_rl(CONFIG, 0, bundle, videos, tmp_path / 'halves', stop)
    halves = train_rl(CONFIG, 0, bundle, videos, tmp_path / 'halves', lambda progress: None)
    for name, value in whole.policy.state_dict().items():
        assert torch.equal(halves.policy.state_dict()[name], value)
    last = whole.policy.correction[-1].weight
    assert last.abs().max() > 0


def test_the_command_makes_a_bundle_whose_policy_is_corrected(bundle, data, tmp_path, capsys):
    bundle.save(tmp_path / 'bundle')
    words = ['rl.rounds=1', 'rl.dreams=4', 'rl.decisions=2', 'rl.taken=2']
    assert main(['train-rl', '--bundle', str(tmp_path / 'bundle'), '--data', str(data), '--out',
                 str(tmp_path / 'better'),
                 *(word for one in words for word in ('--set', one))]) == 0
    assert 'bundle saved to' in capsys.readouterr().out
    better = Bundle.load(tmp_path / 'better')
    assert better.manifest.policy.corrected and better.policy.correction is not None
    # And on from there.
    assert corrected(better, CONFIG).correction is not None


def test_what_cannot_be_corrected_is_said(bundle, untrained, tmp_path):
    with pytest.raises(DataError, match=r'`untrained` has no policy; make one with'):
        corrected(rla_bundle(untrained), CONFIG)
    with pytest.raises(ConfigError, match=r'`rl.taken` is 5; .* have 4 steps'):
        corrected(bundle, replace(CONFIG, taken=5))
