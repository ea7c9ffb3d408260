# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle: the folder with all that one deployed model needs. Saves, loads and verifies it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
import hashlib
from pathlib import Path
from typing import Any, TYPE_CHECKING, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
import torch
from torch import nn, Tensor
import yaml

from sparse_imagination_ros.config import build
from sparse_imagination_ros.errors import BundleError, ConfigError, FrameError
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.tokens.encoders import Encoder, EncoderShape, make_encoder
from sparse_imagination_ros.tokens.frames import Picture, shrink
from sparse_imagination_ros.world_models.decoder import Decoder, DecoderShape
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

if TYPE_CHECKING:
    from sparse_imagination_ros.imagination.reference import Context

FORMAT = 2
MANIFEST = 'manifest.yaml'
ENCODER = 'encoder.safetensors'
PREDICTOR = 'predictor.safetensors'
DECODER = 'decoder.safetensors'

Part = TypeVar('Part')
Module = TypeVar('Module', bound=nn.Module)


@dataclass(frozen=True)
class Actions:
    """What the robot is told: names such as linear.x, and limits [A]; acceleration per second."""

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    acceleration: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself. picture_size: width and height of the camera's pictures."""

    name: str
    robot: str
    step_s: float
    picture_size: tuple[int, int]
    actions: Actions
    encoder: EncoderShape
    predictor: PredictorShape
    decoder: DecoderShape | None

    @property
    def total_tokens(self) -> int:
        """How many tokens a frame has."""
        return self.encoder.grid**2


@dataclass(frozen=True)
class Bundle:
    """A model that can be deployed, in memory; the decoder is for people and may be missing."""

    manifest: Manifest
    encoder: Encoder
    predictor: SparsePredictor
    decoder: Decoder | None = None

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture] | Picture, what: str = 'picture') -> Tensor:
        """Return the tokens [B, P, D] of pictures [B, H, W, 3]; errors call them `what`."""
        size = self.manifest.encoder.image_size
        small = np.stack([shrink(self._checked(picture, what), size) for picture in pictures])
        tokens: Tensor = self.encoder(torch.from_numpy(small))
        return tokens

    @torch.inference_mode()
    def costs(
        self, context: 'Context', goal: Tensor, candidates: Tensor, subset: Tensor | None = None,
        growth: float = 3.0,
    ) -> Tensor:
        """
        Imagine candidates and return how far from the goal each leads, [N].

        context: tokens [H, P, D] and actions [H - 1, A]; goal: [P, D]; candidates: [N, T, A];
        actions are in units of the limits. subset: [K], the positions that are imagined (all).
        growth: how much more the distance after each step counts than that before.
        """
        # A bundle lies below the engines that run it; only this convenience looks up to them.
        from sparse_imagination_ros.imagination.reference import Context, imagine, remember
        from sparse_imagination_ros.planning.objective import step_weights
        if subset is None:
            subset = torch.arange(self.manifest.total_tokens)
        some = Context(context.tokens[:, subset], context.actions)
        weights = step_weights(candidates.shape[1], growth)
        return imagine(
            self.predictor, remember(self.predictor, some), goal[subset], candidates, weights)

    def _checked(self, picture: Picture, what: str) -> Picture:
        width, height = self.manifest.picture_size
        if picture.shape != (height, width, 3):
            raise FrameError(
                f'the {what} is {picture.shape[1]} x {picture.shape[0]} pixels; bundle '
                f'`{self.manifest.name}` was trained on {width} x {height}: crop and resize it')
        return picture

    def limits(self, staleness_s: float) -> Limits:
        """Return what commands of this robot may be."""
        actions = self.manifest.actions
        low, high, acceleration = (
            np.array(values, np.float32)
            for values in (actions.low, actions.high, actions.acceleration))
        return Limits(low, high, acceleration, staleness_s)

    def save(self, folder: Path) -> None:
        """Write the bundle; the manifest comes last, so that a torn write is noticed."""
        folder.mkdir(parents=True, exist_ok=True)
        checksums = {}
        parts: dict[str, nn.Module | None] = {
            ENCODER: self.encoder, PREDICTOR: self.predictor, DECODER: self.decoder}
        for file, module in parts.items():
            if module is None:
                continue
            save_file(module.state_dict(), folder / file)
            checksums[file] = _checksum(folder / file)
        values = {'format': FORMAT, **_plain(asdict(self.manifest)), 'sha256': checksums}
        (folder / MANIFEST).write_text(yaml.safe_dump(values, sort_keys=False))

    @staticmethod
    def load(folder: Path | str) -> 'Bundle':
        """Read and verify a bundle."""
        folder = Path(folder)
        manifest, checksums = _read_manifest(folder)
        encoder = make_encoder(manifest.encoder)
        predictor = SparsePredictor(manifest.predictor)
        decoder = Decoder(manifest.decoder) if manifest.decoder else None
        return Bundle(
            manifest,
            _fill(encoder, folder / ENCODER, checksums),
            _fill(predictor, folder / PREDICTOR, checksums),
            decoder and _fill(decoder, folder / DECODER, checksums))


def _read_manifest(folder: Path) -> tuple[Manifest, Mapping[str, str]]:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(
            f'{path} is not there; name a bundle folder, or make one with '
            '`sparse-imagination train`')
    try:
        values = yaml.safe_load(path.read_text())
        if values.pop('format') != FORMAT:
            raise BundleError(
                f'{path}: this release reads bundle format {FORMAT}; train or import it again')
        checksums = values.pop('sha256')
        parts: dict[str, type] = {
            'actions': Actions, 'encoder': EncoderShape, 'predictor': PredictorShape}
        for name, kind in parts.items():
            values[name] = _part(kind, values[name], f'{path}: {name}')
        if values.get('decoder') is not None:
            values['decoder'] = _part(DecoderShape, values['decoder'], f'{path}: decoder')
        manifest = _part(Manifest, values, str(path))
    except ConfigError as error:
        raise BundleError(str(error)) from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise BundleError(
            f'{path} is damaged ({type(error).__name__}: {error}); '
            'restore the bundle or train it again') from error
    _check_fit(manifest, path)
    return manifest, checksums


def _part(kind: type[Part], values: Mapping[str, Any], where: str) -> Part:
    return build(
        kind, {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}, where)


def _check_fit(manifest: Manifest, path: Path) -> None:
    actions = manifest.actions
    sizes = {len(actions.names), len(actions.low), len(actions.high), len(actions.acceleration),
             manifest.predictor.action_size}
    if len(sizes) > 1:
        raise BundleError(
            f'{path}: action names, limits and predictor.action_size differ in length; '
            'train the bundle again')
    if manifest.predictor.token_width != manifest.encoder.width:
        raise BundleError(
            f'{path}: the encoder makes tokens {manifest.encoder.width} wide but the predictor '
            f'takes {manifest.predictor.token_width}; train the bundle again')


def _fill(module: Module, path: Path, checksums: Mapping[str, str]) -> Module:
    if not path.is_file():
        raise BundleError(f'{path} is not there; restore the bundle or train it again')
    if _checksum(path) != checksums.get(path.name):
        raise BundleError(
            f'{path} is damaged: its checksum is not the one in {MANIFEST}; '
            'restore the bundle or train it again')
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(
            f'{path} does not fit {MANIFEST} ({error}); train the bundle again') from error
    return module.eval().requires_grad_(False)


def fingerprint(module: nn.Module) -> str:
    """Return a hash of a module's weights."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    return list(values) if isinstance(values, tuple) else values
