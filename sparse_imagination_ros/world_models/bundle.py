# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle: the folder with all that one deployed model needs. Saves, loads and verifies it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
import torch
from torch import nn, Tensor

from sparse_imagination_ros.errors import (
    BundleError,
    ConfigError,
    FrameError,
    SparseImaginationError,
)
from sparse_imagination_ros.planning.gate import Limits
from sparse_imagination_ros.tokens.encoders import Encoder, make_encoder
from sparse_imagination_ros.tokens.frames import Picture, shrink
from sparse_imagination_ros.world_models.decoder import Decoder
from sparse_imagination_ros.world_models.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    write_manifest,
)
from sparse_imagination_ros.world_models.official import OfficialPredictor, OfficialShape
from sparse_imagination_ros.world_models.rla.policy import Policy
from sparse_imagination_ros.world_models.rla.predictor import RlaPredictor
from sparse_imagination_ros.world_models.rla.shape import RlaShape
from sparse_imagination_ros.world_models.sparse import PredictorShape, SparsePredictor

if TYPE_CHECKING:
    from sparse_imagination_ros.imagination.reference import Context

ENCODER = 'encoder.safetensors'
PREDICTOR = 'predictor.safetensors'
DECODER = 'decoder.safetensors'
POLICY = 'policy.safetensors'

Module = TypeVar('Module', bound=nn.Module)
Shape = TypeVar('Shape')


@dataclass(frozen=True)
class Bundle:
    """
    A model that can be deployed, in memory.

    The decoder is for people, and the policy for those who have one: both may be missing. folder:
    where it was read from; engines: what was made of it to imagine faster, which lives as long as
    it does.
    """

    manifest: Manifest
    encoder: Encoder
    predictor: SparsePredictor | OfficialPredictor | RlaPredictor
    decoder: Decoder | None = None
    policy: Policy | None = None
    folder: Path | None = None
    engines: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @torch.inference_mode()
    def encode(
        self, pictures: Sequence[Picture] | Picture, sensed: NDArray[np.float32] | None = None,
        what: str = 'picture',
    ) -> Tensor:
        """
        Return the tokens [B, P, D] of pictures [B, H, W, 3]; errors call them `what`.

        sensed: [B, Q], what the robot sensed with them, where the manifest names `senses`.
        """
        size = self.manifest.encoder.image_size
        small = np.stack([shrink(self._checked(picture, what), size) for picture in pictures])
        tokens: Tensor = self.encoder(torch.from_numpy(small))
        return self.predictor.observe(tokens, self._sensed(sensed, len(tokens), what))

    @torch.inference_mode()
    def costs(
        self, context: 'Context', goal: Tensor, candidates: Tensor, subset: Tensor | None = None,
        growth: float | None = None,
    ) -> Tensor:
        """
        Imagine candidates and return how far from the goal each leads, [N].

        context: tokens [H, P, D] and actions [H - 1, A]; goal: [P, D]; candidates: [N, T, A].
        Actions are those of model steps, each of `frameskip` commands one after another, in units
        of the limits. subset: [K], the positions that are imagined (all).
        growth: how much more the distance after each step counts than that before (as the manifest
        says); if infinite, only the last counts.
        """
        # A bundle lies below the engines that run it; only this convenience looks up to them.
        from sparse_imagination_ros.imagination.reference import Context, imagine, remember
        from sparse_imagination_ros.planning.objective import GoalDistance, step_weights
        everything = torch.arange(self.manifest.total_tokens)
        if subset is None:
            subset = everything
        elif self.manifest.fewest_tokens > 1 and not torch.equal(subset, everything):
            raise ConfigError(
                f'`subset` holds {len(subset)} positions; bundle `{self.manifest.name}` has a '
                f'dense predictor, which needs all {len(everything)} in their order')
        some = Context(context.tokens[:, subset], context.actions)
        if growth is None:
            growth = self.manifest.lookahead.growth
        weights = step_weights(
            candidates.shape[1], growth, self.predictor.stride).tolist()
        return imagine(
            self.predictor, remember(self.predictor, some), goal[subset], subset, candidates,
            GoalDistance(self.predictor, tuple(weights)))

    def _sensed(self, sensed: NDArray[np.float32] | None, count: int, what: str) -> Tensor:
        names = self.manifest.senses
        values = np.zeros((count, 0), np.float32) if sensed is None else np.asarray(sensed)
        if values.shape != (count, len(names)):
            raise FrameError(
                f'with the {what} came {values.shape[-1]} sensed numbers; bundle '
                f'`{self.manifest.name}` takes {len(names)}: {", ".join(names) or "none"}')
        return torch.from_numpy(values).float()

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
        """
        Write the bundle, over one that is there only when all is on disk.

        The manifest comes last: its checksums tell of a write that was torn even so.
        """
        parts: dict[str, nn.Module | None] = {
            ENCODER: self.encoder, PREDICTOR: self.predictor, DECODER: self.decoder,
            POLICY: self.policy}
        kept = {file: module for file, module in parts.items() if module is not None}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix='.unfinished-', dir=folder) as name:
                unfinished = Path(name)
                for file, module in kept.items():
                    save_file(module.state_dict(), unfinished / file)
                checksums = {file: _checksum(unfinished / file) for file in kept}
                write_manifest(self.manifest, checksums, unfinished)
                for file in (*kept, MANIFEST):
                    (unfinished / file).replace(folder / file)
        except OSError as error:
            raise BundleError(f'{folder} cannot be written ({error})') from error

    @staticmethod
    def load(path: Path | str) -> 'Bundle':
        """Read and verify a bundle."""
        folder = Path(path)
        manifest, checksums = read_manifest(folder)
        decoder, policy = manifest.decoder, manifest.policy
        return Bundle(
            manifest,
            _read(make_encoder, manifest.encoder, folder / ENCODER, checksums),
            _read(make_predictor, manifest.predictor, folder / PREDICTOR, checksums),
            _read(Decoder, decoder, folder / DECODER, checksums) if decoder else None,
            _read(Policy, policy, folder / POLICY, checksums) if policy else None, folder)


def make_predictor(
    shape: PredictorShape | OfficialShape | RlaShape,
) -> SparsePredictor | OfficialPredictor | RlaPredictor:
    """Return an untrained predictor."""
    if isinstance(shape, RlaShape):
        return RlaPredictor(shape)
    if isinstance(shape, OfficialShape):
        return OfficialPredictor(shape)
    return SparsePredictor(shape)


def _read(
    make: Callable[[Shape], Module], shape: Shape, path: Path, checksums: Mapping[str, str],
) -> Module:
    """Make a module of a shape, and fill it with the weights of a file."""
    if not path.is_file():
        raise BundleError(f'{path} is not there; restore the bundle or train it again')
    if _checksum(path) != checksums.get(path.name):
        raise BundleError(
            f'{path} is damaged: its checksum is not the one in {MANIFEST}; '
            'restore the bundle or train it again')
    depth, width = getattr(shape, 'depth', 1), getattr(shape, 'width', 1)
    # Each block has more weights than that. What cannot be filled is not to take memory first.
    if max(1, depth) * width**2 > path.stat().st_size:
        raise BundleError(
            f'{path} does not fit {MANIFEST}: it is too short for {depth} blocks {width} wide; '
            'train the bundle again')
    try:
        module = make(shape)
        module.load_state_dict(load_file(path))
    except SparseImaginationError:
        raise
    except Exception as error:
        # Whatever a network trips over that is to be made as none can be.
        raise BundleError(
            f'{path} does not fit {MANIFEST} ({type(error).__name__}: {str(error)[:1000]}); '
            'train the bundle again') from error
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
