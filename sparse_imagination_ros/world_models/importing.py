# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Makes a bundle of a checkpoint of an official release, and of the facts that it lacks.

How such a checkpoint is read, and what its predictor computes, is in `official.py`.
"""

from dataclasses import dataclass, fields, MISSING, replace
from math import inf
from pathlib import Path
from typing import Any

from sparse_imagination_ros.config import build, read_mapping, setting
from sparse_imagination_ros.errors import BundleError, ConfigError
from sparse_imagination_ros.tokens.dino import dino_shape, pretrained_dino
from sparse_imagination_ros.world_models.bundle import Bundle
from sparse_imagination_ros.world_models.manifest import Actions, check_fit, Lookahead, Manifest
from sparse_imagination_ros.world_models.official import OfficialPredictor, read_official

# The releases bring pixels to [-1, 1], whatever the encoder was trained with.
PIXEL_MEAN = PIXEL_STD = (0.5, 0.5, 0.5)
# How the releases look ahead: only the last imagined frame counts.
RELEASED = Lookahead(steps=5, growth=inf)
# What is constant in the releases, by environment. Where statistics are missing here, a release
# takes them from the data that it trains on.
KNOWN: dict[str, dict[str, Any]] = {
    'pusht': {
        'frameskip': 5,
        'action_mean': (-0.0087, 0.0068),
        'action_std': (0.2019, 0.2002),
        'sense_mean': (236.6155, 264.5674, -2.93032027, 2.54307914),
        'sense_std': (101.1202, 87.0112, 74.84556075, 74.14009094)},
    'point_maze': {'frameskip': 5, 'sense_weight': 0.0},
    'wall': {'frameskip': 5},
}


@dataclass(frozen=True)
class ImportFacts:
    """What a checkpoint does not say of the model, and of the robot that it is to drive."""

    robot: str = setting(MISSING, 'name of the robot')
    step_s: float = setting(MISSING, 'length of a model step, seconds', 0.02, 2.0)
    frameskip: int = setting(MISSING, 'commands in a model step', 1, 1000)
    picture_size: tuple[int, int] = setting(
        MISSING, 'width and height of the camera pictures, which must be square')
    command_fields: tuple[str, ...] = setting(
        MISSING, 'what the robot is commanded, such as linear.x')
    command_low: tuple[float, ...] = setting(MISSING, 'lowest command of each field')
    command_high: tuple[float, ...] = setting(MISSING, 'highest command of each field')
    acceleration: tuple[float, ...] = setting(
        MISSING, 'largest change of each field, per second')
    action_mean: tuple[float, ...] = setting(
        MISSING, 'mean of each command in the data that the model was trained on')
    action_std: tuple[float, ...] = setting(MISSING, 'their standard deviation')
    sense_fields: tuple[str, ...] = setting(
        MISSING, 'the proprioception, such as pose.pose.position.x')
    sense_mean: tuple[float, ...] = setting(MISSING, 'mean of each of its numbers in that data')
    sense_std: tuple[float, ...] = setting(MISSING, 'their standard deviation')
    sense_weight: float = setting(
        1.0, 'what proprioception counts in the cost, beside the picture', 0.0, 1000.0)


def read_facts(path: Path | None, like: str | None) -> ImportFacts:
    """Read the facts from a file; it wins over what is known of an environment."""
    if like is not None and like not in KNOWN:
        raise ConfigError(f'--like {like} is not known; allowed: {", ".join(KNOWN)}')
    values = {**(KNOWN[like] if like else {}), **(read_mapping(path) if path else {})}
    missing = [f'`{fact.name}` ({fact.metadata["meaning"]})' for fact in fields(ImportFacts)
               if fact.default is MISSING and fact.name not in values]
    if missing:
        raise ConfigError(
            'the checkpoint does not say all that must be known; name with --facts a YAML file '
            f'that also holds {", ".join(missing)}')
    facts = build(ImportFacts, values, str(path or f'--like {like}'))
    _check(facts)
    return facts


def import_checkpoint(
    checkpoint: Path, facts: ImportFacts, encoder: str | None, weights: Path | None, folder: Path,
) -> Bundle:
    """
    Write a new bundle, or nothing; return it.

    encoder: one of DINO (the one of the release that the checkpoint is of); weights: their file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f'{folder} is there already; name another folder, or delete it')
    read = read_official(checkpoint)
    if encoder is None:
        encoder = 'dinov2_vits14' if read.shape.patches else 'dino_vits16'
    predictor = OfficialPredictor(replace(
        read.shape,
        action_mean=_shares(facts.action_mean, facts.command_high),
        action_std=_shares(facts.action_std, facts.command_high),
        proprio_mean=facts.sense_mean, proprio_std=facts.sense_std,
        proprio_weight=float(facts.sense_weight)))
    predictor.load_state_dict(read.state_dict())
    manifest = Manifest(
        name=facts.robot, robot=facts.robot, step_s=facts.step_s, picture_size=facts.picture_size,
        actions=Actions(
            facts.command_fields, facts.command_low, facts.command_high, facts.acceleration),
        encoder=dino_shape(encoder, pixel_mean=PIXEL_MEAN, pixel_std=PIXEL_STD),
        predictor=predictor.shape, decoder=None, frameskip=facts.frameskip,
        senses=facts.sense_fields, lookahead=RELEASED)
    check_fit(manifest, str(checkpoint))
    bundle = Bundle(
        manifest, pretrained_dino(manifest.encoder, weights),
        predictor.eval().requires_grad_(False))
    bundle.save(folder)
    return bundle


def _check(facts: ImportFacts) -> None:
    width, height = facts.picture_size
    if width != height or width < 1:
        raise ConfigError(
            f'`picture_size` is {width} x {height}; the releases crop their pictures to squares: '
            'crop those of the camera, too')
    for name in ('command_low', 'command_high', 'acceleration', 'action_mean', 'action_std'):
        values = getattr(facts, name)
        if len(values) != len(facts.command_fields):
            raise ConfigError(
                f'`{name}` holds {len(values)} values, not one for each of '
                f'{", ".join(facts.command_fields)}')
    # Written so that a NaN is refused, too. At rest all commands are zero.
    if not all(low <= 0 < high for low, high in zip(
            facts.command_low, facts.command_high, strict=True)):
        raise ConfigError('`command_low` must not be above 0, and `command_high` must be')


def _shares(values: tuple[float, ...], units: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value / unit for value, unit in zip(values, units, strict=True))
