# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine makes of a network: a graph for inputs of one size, held against the network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn, Tensor

from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.tokens.encoders import Encoder

# Maps the inputs of a network to its outputs, which are new tensors.
Graph = Callable[[Sequence[Tensor]], list[Tensor]]
# Makes a graph of a network, given inputs for an example.
Build = Callable[[nn.Module, Sequence[Tensor]], Graph]


@dataclass(frozen=True)
class Maker:
    """
    Makes graphs that compute what they should.

    tolerance: by which share of its largest number an output may differ from the network's.
    """

    name: str
    build: Build
    tolerance: float

    @torch.no_grad()
    def __call__(
        self, network: nn.Module, example: Sequence[Tensor], expected: Sequence[Tensor], what: str,
    ) -> Graph:
        """Make a graph and hold it against what is expected for an example; `what` names it."""
        # A trace must hold the operators of a network, not one that PyTorch has for all of it.
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            graph = self.build(network, example)
            outputs = graph(example)
        except Exception as error:
            if isinstance(error, EngineError):
                raise
            reason = (str(error).splitlines() or [''])[0]
            raise EngineError(
                f'the engine `{self.name}` cannot be made here for {what} '
                f'({type(error).__name__}: {reason}); use another engine') from error
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
        for made, right in zip(outputs, expected, strict=True):
            if made.shape != right.shape:
                raise EngineError(
                    f'the engine `{self.name}` is wrong on this machine: {what} has the shape '
                    f'{list(made.shape)}, the reference {list(right.shape)}; use another engine')
            away = (made.to(right.device) - right).abs().max()
            allowed = self.tolerance * right.abs().max()
            # Written so that a NaN is refused, too.
            if not away <= allowed:
                raise EngineError(
                    f'the engine `{self.name}` is wrong on this machine: {what} is {away:.2g} '
                    f'from the reference, {allowed:.2g} is allowed; use another engine')
        return graph


def far(outputs: Sequence[Tensor], right: Tensor | Sequence[Tensor], share: float) -> bool:
    """Tell whether outputs differ by more than a share of the largest number, or are none."""
    return any(not (one - other).abs().max() <= share * other.abs().max()
               for one, other in zip(outputs, listed(right), strict=True))


def listed(outputs: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Return what a network returns, be it one tensor or several, as a list."""
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


class GraphedEncoder(Encoder):
    """An encoder with a graph for one picture; more of them at a time are encoded by PyTorch."""

    def __init__(self, encoder: Encoder, maker: Maker) -> None:
        super().__init__(encoder.shape)
        size = encoder.shape.image_size
        picture = torch.randint(
            256, (1, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        self._encoder = encoder
        self._graph = maker(encoder, [picture], [encoder(picture)], 'the encoding of a picture')

    def forward(self, pictures: Tensor) -> Tensor:
        """Turn bytes [B, S, S, 3] into tokens [B, P, D], row by row."""
        if len(pictures) == 1:
            return self._graph([pictures])[0]
        tokens: Tensor = self._encoder(pictures)
        return tokens
