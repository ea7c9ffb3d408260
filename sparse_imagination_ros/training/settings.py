# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of a training, from a YAML file and from single `part.name=value` words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_imagination_ros.config import build, read_mapping, read_word
from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.training.dreams import RlConfig
from sparse_imagination_ros.training.from_bags import BagsConfig
from sparse_imagination_ros.training.joint import JointConfig
from sparse_imagination_ros.training.official_data import OfficialConfig
from sparse_imagination_ros.training.policy import PolicyConfig
from sparse_imagination_ros.training.rla import RlaConfig
from sparse_imagination_ros.training.sparse import Foresight
from sparse_imagination_ros.training.train import TrainConfig
from sparse_imagination_ros.world_models.manifest import Lookahead

PARTS: dict[str, type] = {
    'bags': BagsConfig, 'official': OfficialConfig, 'train': TrainConfig, 'joint': JointConfig,
    'foresight': Foresight, 'rla': RlaConfig,
    'policy': PolicyConfig, 'rl': RlConfig, 'lookahead': Lookahead}


@dataclass(frozen=True)
class Settings:
    """All parts of a training's settings."""

    bags: BagsConfig
    official: OfficialConfig
    train: TrainConfig
    joint: JointConfig
    foresight: Foresight
    rla: RlaConfig
    policy: PolicyConfig
    rl: RlConfig
    lookahead: Lookahead


def read_settings(path: Path | None, words: Sequence[str]) -> Settings:
    """Read a file, if there is one, then the words, which win."""
    values = _from_file(path) if path else {}
    for word in words:
        name, value = read_word(word, 'PART.NAME')
        part, dot, setting = name.partition('.')
        if not dot:
            raise ConfigError(f'--set {word} is not of the form PART.NAME=VALUE')
        values.setdefault(part, {})[setting] = value
    for part in values:
        if part not in PARTS:
            raise ConfigError(
                f'{path or "--set"}: there is no part `{part}`; parts: {", ".join(PARTS)}')
    where = str(path) if path else '--set'
    return Settings(**{
        part: build(kind, values.get(part) or {}, where, f'{part}.')
        for part, kind in PARTS.items()})


def _from_file(path: Path) -> dict[str, dict[str, Any]]:
    values = read_mapping(path)
    if not all(isinstance(part, dict) for part in values.values()):
        raise ConfigError(f'{path} does not hold parts with settings; see config/train.yaml')
    return values
