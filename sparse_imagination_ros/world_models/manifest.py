# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of itself, in a file that people can read; its weights lie elsewhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path
from typing import Any

import yaml

from sparse_imagination_ros.config import build, read_yaml, setting, shown
from sparse_imagination_ros.errors import BundleError, ConfigError
from sparse_imagination_ros.tokens.encoders import EncoderShape
from sparse_imagination_ros.world_models.decoder import DecoderShape
from sparse_imagination_ros.world_models.official import OfficialShape
from sparse_imagination_ros.world_models.rla.policy import PolicyShape
from sparse_imagination_ros.world_models.rla.shape import DISTANCES, RlaShape
from sparse_imagination_ros.world_models.sparse import PredictorShape

FORMAT = 2
MANIFEST = 'manifest.yaml'
# Larger is no picture, network or step that anybody has.
LARGEST, DEEPEST, WIDEST, FINEST, LONGEST_STEP_S = 65536, 1000, 8192, 64, 60.0
MOST_TOLD = 64
# Of these sizes a network has at least one, whatever its family.
COUNTED = ('grid', 'image_size', 'width', 'token_width', 'action_size', 'heads', 'head_width',
           'hidden_width', 'window')
# What the predictor's part is read as.
FAMILIES: dict[str, type[PredictorShape] | type[OfficialShape] | type[RlaShape]] = {
    'sparse': PredictorShape, 'official': OfficialShape, 'rla': RlaShape}


@dataclass(frozen=True)
class Actions:
    """What the robot is told: names such as linear.x, and limits [A]; acceleration per second."""

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    acceleration: tuple[float, ...]


@dataclass(frozen=True)
class Lookahead:
    """How planning with a bundle looks ahead, unless the planner is told otherwise."""

    steps: int = setting(8, 'model steps that are looked ahead', 1, 100)
    growth: float = setting(
        3.0, 'how much more each later step counts than the one before; .inf: only the last does',
        1.0, inf)
    effective_samples: float = setting(
        2.0, 'how many candidates shall count in the mean; few where the ways to a goal differ, '
             'so that what lies between them leads nowhere', 1.0, 10000.0)


@dataclass(frozen=True)
class Quality:
    """What was measured of a bundle: the success, as a share, of so many tokens; fewest first."""

    tokens: tuple[int, ...]
    success: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """
    What a bundle says of itself.

    picture_size: width and height of the camera's pictures; frameskip: commands in a model step;
    senses: what the predictor must be told with each picture, by name; lookahead: what suits the
    world that it was made for; quality: what was measured; policy: what decides without a search.
    """

    name: str
    robot: str
    step_s: float
    picture_size: tuple[int, int]
    actions: Actions
    encoder: EncoderShape
    predictor: PredictorShape | OfficialShape | RlaShape
    decoder: DecoderShape | None
    frameskip: int = 1
    senses: tuple[str, ...] = ()
    lookahead: Lookahead = Lookahead()
    quality: Quality | None = None
    policy: PolicyShape | None = None

    @property
    def total_tokens(self) -> int:
        """How many tokens a frame has."""
        return self.encoder.grid**2

    @property
    def fewest_tokens(self) -> int:
        """With how few of them the predictor can do."""
        dense = isinstance(self.predictor, OfficialShape) and self.predictor.patches
        return self.total_tokens if dense else 1

    @property
    def family(self) -> str:
        """Which kind of predictor it is: two are ours, one is of the official releases."""
        return next(name for name, kind in FAMILIES.items() if isinstance(self.predictor, kind))


def write_manifest(manifest: Manifest, checksums: Mapping[str, str], folder: Path) -> None:
    """Write what a bundle says of itself, and the checksums of its other files."""
    values = {'format': FORMAT, 'family': manifest.family, **_plain(asdict(manifest)),
              'sha256': dict(checksums)}
    (folder / MANIFEST).write_text(yaml.safe_dump(values, sort_keys=False))


def read_manifest(folder: Path) -> tuple[Manifest, Mapping[str, str]]:
    """Read and verify what a bundle says of itself, and the checksums of its other files."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(
            f'{path} is not there; name a bundle folder, or make one with '
            '`sparse-imagination train`')
    try:
        values = read_yaml(path.read_text(encoding='utf-8'), str(path))
        if values.pop('format') != FORMAT:
            raise BundleError(
                f'{path}: this release reads bundle format {FORMAT}; train or import it again')
        checksums = dict(values.pop('sha256'))
        family = values.pop('family', 'sparse')
        if family not in FAMILIES:
            raise BundleError(
                f'{path}: `family` is {shown(family)}; this release reads {", ".join(FAMILIES)}')
        parts: dict[str, type] = {
            'actions': Actions, 'encoder': EncoderShape, 'predictor': FAMILIES[family]}
        for name, kind in parts.items():
            values[name] = build(kind, values[name], f'{path}: {name}')
        optional: dict[str, type] = {
            'decoder': DecoderShape, 'lookahead': Lookahead, 'quality': Quality,
            'policy': PolicyShape}
        for name, kind in optional.items():
            if values.get(name) is not None:
                values[name] = build(kind, values[name], f'{path}: {name}')
        manifest = build(Manifest, values, str(path))
    except ConfigError as error:
        raise BundleError(str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError, OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f'{path} is damaged ({type(error).__name__}: {str(error)[:300]}); '
            'restore the bundle or make it again') from error
    check_fit(manifest, str(path))
    return manifest, checksums


def check_fit(manifest: Manifest, where: str) -> None:
    """Refuse parts that do not go together; `where` is what errors call the bundle."""
    actions, predictor, encoder = manifest.actions, manifest.predictor, manifest.encoder
    sizes = {len(actions.names), len(actions.low), len(actions.high), len(actions.acceleration)}
    if len(sizes) > 1:
        raise BundleError(f'{where}: action names, limits and accelerations differ in length')
    _check_limits(manifest, where)
    for shape in (encoder, predictor, manifest.decoder, manifest.policy):
        _check_sizes(shape, where)
    if manifest.quality is not None:
        _check_quality(manifest.quality, manifest.total_tokens, where)
    if predictor.action_size != len(actions.names) * manifest.frameskip:
        raise BundleError(
            f'{where}: the predictor takes {predictor.action_size} numbers in a model step, not '
            f'{len(actions.names)} actions x frameskip {manifest.frameskip}')
    if predictor.token_width != encoder.width:
        raise BundleError(
            f'{where}: the encoder makes tokens {encoder.width} wide but the predictor takes '
            f'{predictor.token_width}')
    if manifest.policy is not None:
        _check_policy(manifest.policy, predictor, where)
    if isinstance(predictor, PredictorShape):
        _check_told(predictor.told, where)
    if isinstance(predictor, RlaShape):
        _check_rla(predictor, encoder.grid, where)
    if isinstance(predictor, OfficialShape):
        _check_official(predictor, manifest, where)


def _check_limits(manifest: Manifest, where: str) -> None:
    """Refuse what no robot can be told. Written so that a NaN is refused, too."""
    actions, (width, height) = manifest.actions, manifest.picture_size
    if not actions.names or len(set(actions.names)) < len(actions.names):
        raise BundleError(f'{where}: action names are missing, or one is there twice')
    for name, low, high, acceleration in zip(
            actions.names, actions.low, actions.high, actions.acceleration, strict=True):
        # At rest all commands are zero, and `high` is the unit that is planned in.
        if not (-inf < low <= 0 < high < inf and 0 < acceleration < inf):
            raise BundleError(
                f'{where}: `{name[:80]}` from {low:g} to {high:g}, changing by {acceleration:g}; '
                'rest must be allowed, and `high` and `acceleration` be above 0')
    if not 0 < manifest.step_s <= LONGEST_STEP_S or not 1 <= manifest.frameskip <= LARGEST:
        raise BundleError(
            f'{where}: `step_s` is {manifest.step_s:g} and `frameskip` {manifest.frameskip}; '
            f'allowed are more than 0 to {LONGEST_STEP_S:g} s, and 1 to {LARGEST}')
    if not (1 <= width <= LARGEST and 1 <= height <= LARGEST):
        raise BundleError(
            f'{where}: `picture_size` is {width} x {height}; allowed are sides of 1 to {LARGEST}')


def _check_sizes(shape: Any, where: str) -> None:
    """Refuse sizes that no network has; whether weights fit them is seen when they are read."""
    names = [one.name for one in fields(shape)] if shape is not None else []
    for one in fields(shape) if shape is not None else ():
        value = getattr(shape, one.name)
        if one.name == 'depth' and not 0 <= value <= DEEPEST:
            raise BundleError(f'{where}: `depth` is {value}; allowed is 0 to {DEEPEST}')
        most = {'grid': FINEST}.get(one.name, WIDEST if one.name in COUNTED else LARGEST)
        least = 1 if one.name in COUNTED else -most
        if isinstance(value, int) and not least <= value <= most:
            raise BundleError(f'{where}: `{one.name}` is {shown(value)}; no network has that')
    width, heads = getattr(shape, 'width', 0), getattr(shape, 'heads', 1)
    if 'width' in names and width % heads:
        raise BundleError(f'{where}: {heads} heads do not share a width of {width}')


def _check_policy(
    policy: PolicyShape, predictor: PredictorShape | OfficialShape | RlaShape, where: str,
) -> None:
    if not isinstance(predictor, RlaShape):
        raise BundleError(f'{where}: a policy needs a predictor of the family rla')
    sizes = (policy.token_width, policy.action_size)
    if sizes != (predictor.token_width, predictor.action_size):
        raise BundleError(
            f'{where}: the policy takes tokens {sizes[0]} wide and tells actions of {sizes[1]} '
            f'numbers, the predictor {predictor.token_width} and {predictor.action_size}')


def _check_told(told: tuple[float, ...], where: str) -> None:
    # Written so that a NaN is refused, too.
    if len(told) > MOST_TOLD or not all(0 <= weight < inf for weight in told):
        raise BundleError(
            f'{where}: `told` holds {len(told)} weights; allowed are up to {MOST_TOLD}, each 0 or '
            'more')


def _check_rla(predictor: RlaShape, grid: int, where: str) -> None:
    if predictor.grid != grid:
        raise BundleError(
            f'{where}: the encoder makes a grid of {grid} x {grid} tokens but the predictor takes '
            f'one of {predictor.grid} x {predictor.grid}')
    if predictor.distance not in DISTANCES:
        raise BundleError(
            f'{where}: `distance` is {predictor.distance!r}; allowed: {", ".join(DISTANCES)}')


def _check_official(predictor: OfficialShape, manifest: Manifest, where: str) -> None:
    actions = manifest.actions
    if predictor.patches not in (0, manifest.total_tokens):
        raise BundleError(
            f'{where}: the encoder makes {manifest.total_tokens} tokens but the predictor takes '
            f'{predictor.patches}')
    lengths = {
        'senses': (manifest.senses, predictor.proprio_size),
        'proprio_mean': (predictor.proprio_mean, predictor.proprio_size),
        'proprio_std': (predictor.proprio_std, predictor.proprio_size),
        'action_mean': (predictor.action_mean, len(actions.names)),
        'action_std': (predictor.action_std, len(actions.names))}
    for name, (values, length) in lengths.items():
        if len(values) != length:
            raise BundleError(f'{where}: {name} holds {len(values)} values, not {length}')
    # Written so that a NaN is refused, too.
    if not all(0 < std < inf for std in (*predictor.action_std, *predictor.proprio_std)):
        raise BundleError(f'{where}: a standard deviation is not above 0')
    if not all(map(isfinite, (*predictor.action_mean, *predictor.proprio_mean))):
        raise BundleError(f'{where}: a mean is not a number')


def _check_quality(quality: Quality, total_tokens: int, where: str) -> None:
    counts, shares = quality.tokens, quality.success
    rising = all(fewer < more for fewer, more in pairwise(counts))
    if not counts or len(counts) != len(shares) or not rising:
        raise BundleError(f'{where}: quality needs a success for each of some rising token counts')
    if counts[0] < 1 or counts[-1] > total_tokens or not all(0 <= share <= 1 for share in shares):
        raise BundleError(
            f'{where}: quality is of {counts} tokens and {shares}; allowed are 1 to '
            f'{total_tokens} tokens and shares from 0 to 1')


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    return list(values) if isinstance(values, tuple) else values
