# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast this machine imagines and encodes, by engine and size, beside what it could at most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sparse_imagination_ros.errors import EngineError
from sparse_imagination_ros.imagination.compiling import imagined, in_turns, Sample
from sparse_imagination_ros.imagination.engines import (
    maker_of,
    ready_encoder,
    ready_engine,
    REFERENCE,
)
from sparse_imagination_ros.imagination.verdict import Size, Variant
from sparse_imagination_ros.world_models.bundle import Bundle

# Products of matrices of this side show what a machine can at most.
PEAK_SIDE = 1536
BUDGETS_MS = (20.0, 50.0, 100.0)


@dataclass(frozen=True)
class BenchmarkRow:
    """
    What was measured of a variant: a whole imagination, costs included.

    gflops: billions of operations of the reference's products in a second; peak_fraction: of what
    the best engine reaches here in this precision with one large product.
    """

    engine: str
    precision: str
    tokens: int
    candidates: int
    horizon: int
    ms_p50: float
    ms_p95: float
    gflops: float
    peak_fraction: float


@dataclass(frozen=True)
class EncoderRow:
    """What was measured of encoding one picture."""

    engine: str
    precision: str
    ms_p50: float
    ms_p95: float


@dataclass(frozen=True)
class Fit:
    """The most that one iteration imagines within a budget, the encoding included."""

    budget_ms: float
    engine: str
    precision: str
    tokens: int
    candidates: int
    ms_p95: float


@dataclass(frozen=True)
class Benchmark:
    """All that was measured. peaks: GFLOP/s by precision; refused: variants, and why."""

    bundle: str
    threads: int
    peaks: dict[str, float]
    rows: tuple[BenchmarkRow, ...]
    encoder: tuple[EncoderRow, ...]
    fits: tuple[Fit, ...]
    refused: dict[str, str]


def benchmark(
    bundle: Bundle, variants: Sequence[Variant], sizes: Sequence[Size], sample: Sample,
    progress: Callable[[str], None] = lambda what: None,
) -> Benchmark:
    """Measure each variant with each size, all variants of a size in turns."""
    variants = [Variant(REFERENCE), *(v for v in variants if v.engine != REFERENCE)]
    refused: dict[str, str] = {}
    progress('the most that this machine can')
    peaks = _peaks(variants, refused)
    variants = [variant for variant in variants if str(variant) not in refused]
    progress('the encoder')
    encoder = _encoder_rows(bundle, variants, refused)
    rows: list[BenchmarkRow] = []
    for size in sizes:
        progress(f'{size.tokens} tokens x {size.candidates} candidates')
        runs = {}
        for variant in variants:
            try:
                engine = ready_engine(variant, bundle, [(size.tokens, size.candidates)])
                runs[variant] = imagined(bundle, engine, size, sample)
            except EngineError as error:
                refused[str(variant)] = str(error)
        operations = operations_of(runs[Variant(REFERENCE)])
        for variant, ms in in_turns(runs).items():
            gflops = operations / median(ms) / 1e6
            rows.append(BenchmarkRow(
                variant.engine, variant.precision, size.tokens, size.candidates, size.horizon,
                median(ms), quantiles(ms, n=20)[-1], gflops,
                gflops / peaks[variant.precision]))
    return Benchmark(
        bundle.manifest.name, torch.get_num_threads(), peaks, tuple(rows), encoder,
        fits_of(rows, encoder), refused)


def operations_of(run: Callable[[], object]) -> int:
    """Count the floating-point operations of all products, attention's included."""
    # What is fused is not counted.
    with (torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
          FlopCounterMode(display=False) as counter):
        run()
    return int(counter.get_total_flops())


def fits_of(rows: Sequence[BenchmarkRow], encoder: Sequence[EncoderRow]) -> tuple[Fit, ...]:
    """Return the most tokens x candidates of an iteration that fit each budget, if any do."""
    encode_ms = {(row.engine, row.precision): row.ms_p95 for row in encoder}
    fits = []
    for budget_ms in BUDGETS_MS:
        within = [
            Fit(budget_ms, row.engine, row.precision, row.tokens, row.candidates, total_ms)
            for row in rows
            if (total_ms := row.ms_p95 + encode_ms.get((row.engine, row.precision), 0.0))
            <= budget_ms]
        if within:
            fits.append(max(
                within, key=lambda fit: (fit.tokens * fit.candidates, -fit.ms_p95)))
    return tuple(fits)


def _encoder_rows(
    bundle: Bundle, variants: Sequence[Variant], refused: dict[str, str],
) -> tuple[EncoderRow, ...]:
    size = bundle.manifest.encoder.image_size
    picture = torch.randint(256, (1, size, size, 3), dtype=torch.uint8)
    runs: dict[Variant, Callable[[], object]] = {}
    for variant in variants:
        try:
            runs[variant] = _encoding(ready_encoder(variant, bundle).encoder, picture)
        except EngineError as error:
            refused[f'{variant}, encoder'] = str(error)
    return tuple(
        EncoderRow(variant.engine, variant.precision, median(ms), quantiles(ms, n=20)[-1])
        for variant, ms in in_turns(runs).items())


def _encoding(encoder: nn.Module, picture: torch.Tensor) -> Callable[[], object]:
    return torch.inference_mode()(lambda: encoder(picture))


def _peaks(variants: Sequence[Variant], refused: dict[str, str]) -> dict[str, float]:
    """Return what the best variant of each precision reaches with one large product, GFLOP/s."""
    side = PEAK_SIDE
    network = nn.Linear(side, side, bias=False).requires_grad_(False)
    x = torch.randn(side, side)
    runs: dict[Variant, Callable[[], object]] = {}
    for variant in variants:
        try:
            if variant.engine == REFERENCE:
                runs[variant] = lambda: network(x)
            else:
                graph = maker_of(variant, torch.get_num_threads())(
                    network, [x], [network(x)], 'one product')
                runs[variant] = partial(graph, [x])
        except EngineError as error:
            refused[str(variant)] = str(error)
    peaks: dict[str, float] = {}
    for variant, ms in in_turns(runs).items():
        gflops = 2 * side ** 3 / min(ms) / 1e6
        peaks[variant.precision] = max(peaks.get(variant.precision, 0.0), gflops)
    return peaks
