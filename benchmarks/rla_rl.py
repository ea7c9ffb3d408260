# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What trying in imagination is worth in the world: a policy before and after, by two world models.

    python benchmarks/rla_rl.py --rla models/rla --regression models/rla_mean --data data/rooms

A policy learns from a share of a recording, and is then corrected in the imagination of RLA, or
of a bundle of the same parts that knows only the mean (`--set rla.generative=false`). Of the
checkpoints of a correction the one is taken that drives best in some episodes; what is reported
is of others. `imagined` and `real`: what the same policy gets for the same videos in the
imagination of the bundle, and in the simulator.
"""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
import json
from pathlib import Path
import shutil
from tempfile import TemporaryDirectory
from typing import Any

from kept import add_kept, Kept
import numpy as np
from rla_videos import driven
import torch
from torch import Generator, Tensor

from sparse_imagination_ros.evaluation.estimates import Estimate, over_blocks
from sparse_imagination_ros.sim.world import World
from sparse_imagination_ros.sim.worlds import make_world
from sparse_imagination_ros.tokens.frames import Picture, shrink
from sparse_imagination_ros.training.dataset import Dataset
from sparse_imagination_ros.training.dreams import dream, RlConfig, Video
from sparse_imagination_ros.training.episodes import dataset_from_recording
from sparse_imagination_ros.training.loop import Progress
from sparse_imagination_ros.training.policy import PolicyConfig
from sparse_imagination_ros.training.train import TrainConfig
from sparse_imagination_ros.training.train_policy import rla_of, train_policy
from sparse_imagination_ros.training.train_rl import corrected, LEARNED_FROM, train_rl
from sparse_imagination_ros.world_models.bundle import Bundle

COMMAND_S = 0.1
SPLIT = 'held_out'
# Checkpoints that are looked at: one after so many rounds.
EVERY = 50
BEFORE = 'before'


@dataclass(frozen=True)
class Row:
    """
    How policies drive, of all seeds and episodes, and of each seed by itself.

    gain: in success, over the policy before; imagined, real: the mean return of each seed.
    """

    arm: str
    success: Estimate
    gain: Estimate
    seeds: tuple[float, ...]
    chosen: tuple[int, ...]
    imagined: tuple[float, ...]
    real: tuple[float, ...]


@dataclass(frozen=True)
class Drive:
    """A policy as it drove: which goals it reached, and its returns; `rounds` it was corrected."""

    reached: Sequence[bool]
    rounds: int
    imagined: float
    real: float


def with_policy(bundle: Bundle, of: Bundle) -> Bundle:
    """Return a bundle with the policy of another one."""
    return replace(bundle, policy=of.policy,
                   manifest=replace(bundle.manifest, policy=of.manifest.policy))


def checkpoints(
    bundle: Bundle, data: Dataset, config: RlConfig, seed: int,
) -> dict[int, Bundle]:
    """Correct a policy, and return it as it was after some numbers of rounds."""
    found: dict[int, Bundle] = {}
    with TemporaryDirectory() as name:
        work = Path(name)

        def keep(progress: Progress) -> None:
            if progress.part == 'rl' and progress.step % (EVERY * LEARNED_FROM) == 0:
                shutil.copy(work / 'rl.pt', work / f'kept-{progress.step // LEARNED_FROM}.pt')

        train_rl(config, seed, bundle, [data], work, keep)
        for path in work.glob('kept-*.pt'):
            policy = corrected(bundle, config)
            assert policy.correction is not None
            state = torch.load(path, weights_only=True)['modules']
            policy.correction.load_state_dict({
                name.removeprefix('0.'): value for name, value in state.items()
                if name.startswith('0.')})
            policy.eval().requires_grad_(False)
            found[int(path.stem.removeprefix('kept-'))] = replace(
                bundle, policy=policy, manifest=replace(bundle.manifest, policy=policy.shape))
    return found


class Stage:
    """Videos of the simulator, of which beginning and goal can be had again for real."""

    def __init__(self, bundle: Bundle, config: RlConfig, seeds: range) -> None:
        self._bundle, self._config, self._seeds = bundle, config, seeds
        self._world: World = make_world(bundle.manifest.robot, bundle.manifest.picture_size[0])
        self._commands = round(bundle.manifest.step_s / COMMAND_S)
        self.video = self._filmed()

    def _filmed(self) -> Video:
        frames = []
        for seed in self._seeds:
            self._world.reset(seed, SPLIT)
            driver, pictures = self._world.explorer(seed), [self._world.picture()]
            for _ in range(self._config.decisions):
                for _ in range(self._config.taken * self._commands):
                    self._world.send(driver.command())
                    self._world.advance(COMMAND_S)
                pictures.append(self._world.picture())
            frames.append(self._frames(pictures))
        shown = torch.stack(frames)
        return Video(shown[:, 0], shown[:, -1], shown[:, 1:])

    def real(self, bundle: Bundle) -> float:
        """Return the mean return of what the policy of a bundle decides."""
        policy, high = bundle.policy, np.array(bundle.manifest.actions.high)
        assert policy is not None
        got = torch.zeros(len(self._seeds), self._config.decisions)
        for number, seed in enumerate(self._seeds):
            self._world.reset(seed, SPLIT)
            goal = self.video.goal[number, None]
            for decision in range(self._config.decisions):
                known = policy.knows(self._frames([self._world.picture()]), goal)
                for action in policy.acts(known)[0, :self._config.taken].clamp(-1, 1).numpy():
                    for _ in range(self._commands):
                        self._world.send(action * high)
                        self._world.advance(COMMAND_S)
                reached = self._frames([self._world.picture()])[0]
                got[number, decision] = -(
                    reached - self.video.guide[number, decision]).abs().mean()
        usual = (self.video.start - self.video.goal).abs().mean()
        return float(got.sum(1).mean() / usual)

    def imagined(self, bundle: Bundle) -> float:
        """Return the same as it is imagined."""
        assert bundle.policy is not None
        return dream(bundle.policy, None, rla_of(bundle), self.video, self._config,
                     Generator().manual_seed(0)).reward

    @torch.inference_mode()
    def _frames(self, pictures: Sequence[Picture]) -> Tensor:
        size = self._bundle.manifest.encoder.image_size
        tokens = self._bundle.encoder(
            torch.from_numpy(np.stack([shrink(picture, size) for picture in pictures])))
        return rla_of(self._bundle).observe(tokens, torch.zeros(len(tokens), 0)).clone()


def drive(stage: Stage, bundle: Bundle, rounds: int, episodes: range) -> Drive:
    """Let the policy of a bundle drive."""
    with torch.inference_mode():
        returns = stage.imagined(bundle), stage.real(bundle)
    return Drive(driven(bundle, episodes), rounds, *returns)


def of_seed(
    models: Mapping[str, Bundle], data: Dataset, labelled: Dataset, config: RlConfig, steps: int,
    seed: int, stage: Stage, chosen_by: range, episodes: range,
) -> dict[str, Drive]:
    """Let one policy learn, and correct it in each of the world models."""
    learned = replace(PolicyConfig(), training_steps=steps)
    with TemporaryDirectory() as work:
        taught = train_policy(
            replace(TrainConfig(), seed=seed), learned, next(iter(models.values())), [labelled],
            [], Path(work), lambda progress: None)
    found = {BEFORE: drive(stage, taught, 0, episodes)}
    for name, model in models.items():
        kept = checkpoints(with_policy(model, taught), data, config, seed)
        success = {rounds: sum(driven(bundle, chosen_by)) for rounds, bundle in kept.items()}
        # Of equals the one that was corrected least.
        best = min(success, key=lambda rounds: (-success[rounds], rounds))
        found[name] = drive(stage, kept[best], best, episodes)
    for name, did in found.items():
        print(f'seed {seed}, {name:11} {sum(did.reached)} of {len(did.reached)} reached, return '
              f'imagined {did.imagined:.3f}, real {did.real:.3f}, {did.rounds} rounds',
              flush=True)
    return found


def table(found: Sequence[Mapping[str, Drive]]) -> list[Row]:
    """Sum up the drives of all seeds."""
    reached = {name: np.array([each[name].reached for each in found], float)
               for name in found[0]}
    # The same episodes were driven with every seed.
    seeds, episodes = reached[BEFORE].shape
    block, rows = np.tile(np.arange(episodes), seeds), []
    for name, its in reached.items():
        success, gain = (over_blocks(values.ravel(), np.ones(values.size), block, 0)
                         for values in (its, its - reached[BEFORE]))
        drives = [each[name] for each in found]
        rows.append(Row(
            name, success, gain, tuple(its.mean(1).tolist()),
            tuple(each.rounds for each in drives), tuple(each.imagined for each in drives),
            tuple(each.real for each in drives)))
    return rows


def main() -> None:
    """Measure, and print a table."""
    parser = ArgumentParser(description='Policies that were corrected in imagination.')
    parser.add_argument('--rla', type=Path, required=True, help='a bundle of the family rla')
    parser.add_argument('--regression', type=Path, required=True,
                        help='another, that knows only the mean')
    parser.add_argument('--data', type=Path, required=True, help='recording of the simulator')
    parser.add_argument('--share', type=float, default=0.05,
                        help='of its episodes that the policy learns from (%(default)s)')
    parser.add_argument('--steps', type=int, default=1500, help='of that (%(default)s)')
    parser.add_argument('--rounds', type=int, default=RlConfig().rounds,
                        help=f'of trying, a multiple of {EVERY} (%(default)s)')
    parser.add_argument('--seeds', type=int, default=3, help='(%(default)s)')
    parser.add_argument('--episodes', type=int, default=100, help='of each (%(default)s)')
    parser.add_argument('--seed', type=int, default=9000, help='of the first (%(default)s)')
    add_kept(parser)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = {'rla': Bundle.load(args.rla), 'regression': Bundle.load(args.regression)}
    data = dataset_from_recording(args.data)
    labelled = data.part(0, max(1, round(args.share * (len(data.starts) - 1))))
    config = replace(RlConfig(), rounds=args.rounds)
    stage = Stage(models['rla'], config, range(2000, 2040))
    kept, chosen_by = Kept(args), range(100, 150)
    episodes = range(args.seed, args.seed + args.episodes)

    def drives(seed: int) -> dict[str, dict[str, Any]]:
        return {name: asdict(one) for name, one in of_seed(
            models, data, labelled, config, args.steps, seed, stage, chosen_by, episodes).items()}

    found = [kept.of(f'seed {seed}', partial(drives, seed)) for seed in range(args.seeds)]
    rows = table([{name: Drive(**one) for name, one in each.items()} for each in found])
    for row in rows:
        success, gain = row.success, row.gain
        print(f'{row.arm:11} {100 * success.value:5.1f} % ({100 * success.low:.0f} to '
              f'{100 * success.high:.0f})  gain {100 * gain.value:+5.1f} '
              f'({100 * gain.low:+.0f} to {100 * gain.high:+.0f})  return imagined '
              f'{np.mean(row.imagined):.3f}, real {np.mean(row.real):.3f}')
    if args.json:
        args.json.write_text(json.dumps({
            'share': args.share, 'steps': args.steps, 'rounds': args.rounds,
            'episodes': args.episodes, 'seed': args.seed,
            'rows': [asdict(row) for row in rows]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
