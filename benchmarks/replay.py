# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Offline replay, many frames at a time, beside the naive loop in the same run; and the reader alone.

    python benchmarks/replay.py

The contenders take turns, so that a disturbance of the machine meets all of them. The medians of
their times are compared.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from statistics import median
import sys
import tempfile
from time import perf_counter

import numpy as np
import torch

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import IMAGE, Topic
from sparse_imagination_ros.bags.recording import Bag
from sparse_imagination_ros.replay.imagination import roll_out, TOGETHER
from sparse_imagination_ros.replay.tape import ENCODED_TOGETHER
from sparse_imagination_ros.share import bundle_path
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.world_models.bundle import Bundle

WIDTH, HEIGHT = 640, 480
SHAPE = (HEIGHT, WIDTH, 3)


@dataclass(frozen=True)
class Row:
    """What was measured: things a second, and how much faster the second way is than the first."""

    what: str
    naive_per_s: float
    batched_per_s: float
    speedup: float


def main() -> None:
    """Measure, and print tables."""
    parser = ArgumentParser(description='Offline replay beside the naive loop; the reader.')
    parser.add_argument('--bundle', default='rooms', help='the model (%(default)s)')
    parser.add_argument('--tokens', type=int, default=4, help='imagined (%(default)s)')
    parser.add_argument('--frames', type=int, default=192, help='of each turn (%(default)s)')
    parser.add_argument('--turns', type=int, default=5, help='of each contender (%(default)s)')
    parser.add_argument('--steps', type=int, default=8, help='imagined ahead (%(default)s)')
    parser.add_argument('--threads', type=int, default=1, help='of PyTorch (%(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers here, too')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    bundle = Bundle.load(bundle_path(args.bundle))
    rows = [
        _encoding(bundle, args.frames, args.turns),
        _imagining(bundle, args.tokens, args.frames, args.steps, args.turns)]
    rows.append(_both(*rows))
    print(f'{"":12}{"one by one":>14}{"together":>14}{"faster":>10}   (per second)')
    for row in rows:
        print(f'{row.what:12}{row.naive_per_s:14.1f}{row.batched_per_s:14.1f}'
              f'{row.speedup:9.1f}x')
    reader = _reader(args.frames, args.turns)
    for name, value in reader.items():
        print(f'{name}: {value:.0f} frames/s')
    if args.json:
        args.json.write_text(json.dumps(
            {'arguments': {k: str(v) for k, v in vars(args).items()},
             'rows': [asdict(row) for row in rows], 'reader': reader}, indent=2) + '\n')


def _both(tokens: Row, predictions: Row) -> Row:
    """Add up: each frame is encoded once, and the future imagined from it once."""
    naive = 1 / (1 / tokens.naive_per_s + 1 / predictions.naive_per_s)
    batched = 1 / (1 / tokens.batched_per_s + 1 / predictions.batched_per_s)
    return Row('both', naive, batched, batched / naive)


def _encoding(bundle: Bundle, frames: int, turns: int) -> Row:
    width, height = bundle.manifest.picture_size
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (frames, height, width, 3), np.uint8)
    sensed = np.zeros((frames, len(bundle.manifest.senses)), np.float32)

    def run(together: int) -> None:
        for first in range(0, frames, together):
            part = slice(first, first + together)
            bundle.encode(pictures[part], sensed[part])

    return _race('tokens', frames, turns, lambda: run(1), lambda: run(ENCODED_TOGETHER))


def _imagining(bundle: Bundle, tokens: int, count: int, steps: int, turns: int) -> Row:
    shape = bundle.manifest.predictor
    generator = torch.Generator().manual_seed(0)
    width = bundle.encode(np.zeros(
        (1, *reversed(bundle.manifest.picture_size), 3), np.uint8)).shape[-1]
    context = torch.randn(count, shape.window, tokens, width, generator=generator)
    actions = torch.rand(
        count, shape.window + steps - 1, shape.action_size, generator=generator).numpy()

    @torch.inference_mode()
    def run(together: int) -> None:
        for first in range(0, count, together):
            part = slice(first, first + together)
            roll_out(bundle, context[part], actions[part])

    return _race('predictions', count, turns, lambda: run(1), lambda: run(TOGETHER))


def _race(
    what: str, count: int, turns: int, naive: Callable[[], None], batched: Callable[[], None],
) -> Row:
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        for contender, times in zip((naive, batched), taken, strict=True):
            began = perf_counter()
            contender()
            # The first turn warms up.
            if turn:
                times.append(perf_counter() - began)
        print(f'{what}: turn {turn} of {turns}', file=sys.stderr)
    slow, fast = map(median, taken)
    return Row(what, count / slow, count / fast, slow / fast)


def _reader(frames: int, turns: int) -> dict[str, float]:
    """Read a bag of raw pictures, 640 x 480, from memory (it was just written)."""
    topic = Topic('/image', (IMAGE,))
    stored, decoded = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'bag'
        _write(path, frames)
        for _ in range(turns):
            with open_bag(path) as bag:
                began = perf_counter()
                count = sum(1 for _ in bag.raw([bag.find(topic)]))
                stored.append(count / (perf_counter() - began))
                began = perf_counter()
                count = sum(_whole(shot.picture) for shot in bag.shots(topic))
                decoded.append(count / (perf_counter() - began))
    return {'the reader alone, 640 x 480 raw from MCAP': median(stored),
            'read as pictures': median(decoded)}


def _whole(picture: object) -> bool:
    return isinstance(picture, np.ndarray) and picture.shape == SHAPE


def _write(path: Path, frames: int) -> None:
    bag = Bag(path, compressed=False)
    bag.add_topic('/image', IMAGE)
    rng = np.random.default_rng(0)
    picture: Picture = rng.integers(0, 256, SHAPE, np.uint8)
    for number in range(frames):
        stamp = bag.make('builtin_interfaces/msg/Time', sec=number, nanosec=0)
        header = bag.make('std_msgs/msg/Header', stamp=stamp, frame_id='camera')
        bag.write_message('/image', number * 10**9, bag.make(
            IMAGE, header=header, height=HEIGHT, width=WIDTH, encoding='rgb8', is_bigendian=0,
            step=3 * WIDTH, data=picture.reshape(-1)))
    bag.close()


if __name__ == '__main__':
    main()
