# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where in a tape the future is imagined: beginnings with the steps before and after them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparse_imagination_ros.bags.reading import Times
from sparse_imagination_ros.bags.resample import steps
from sparse_imagination_ros.replay.tape import Tape
from sparse_imagination_ros.world_models.manifest import Manifest


@dataclass(frozen=True)
class Segments:
    """
    S beginnings in one tape, each with H pictures of context and up to T of future.

    pictures: [S, H + T], one model step apart; those after `ahead` repeat the last that is real.
    actions: [S, H + T - 1, A], between them. ahead: [S], the steps whose pictures were seen.
    block: [S]; beginnings of one block lie within T steps and are not independent.
    """

    pictures: NDArray[np.int64]
    actions: NDArray[np.float32]
    ahead: NDArray[np.int64]
    block: NDArray[np.int64]
    context: int

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.pictures)


def find_segments(
    tape: Tape, manifest: Manifest, horizon: int, most: int, hold_s: float,
) -> Segments:
    """Find all beginnings, or `most` of them evenly spread."""
    context = manifest.predictor.window
    rows: list[tuple[NDArray[np.int64], int, tuple[int, int]]] = []
    for number, piece in enumerate(tape.pieces()):
        begin_s = tape.times[piece[0]]
        for episode in steps(tape.times, piece, manifest.step_s):
            for start in range(context - 1, len(episode) - 1):
                seen = episode[start - context + 1:start + horizon + 1]
                ahead = len(seen) - context
                padded = np.append(seen, np.full(horizon - ahead, seen[-1]))
                since_s = tape.times[episode[start]] - begin_s
                rows.append((padded, ahead, (
                    number, int(since_s / (horizon * manifest.step_s)))))
    rows.sort(key=lambda row: int(row[0][context - 1]))
    if len(rows) > most:
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]
    blocks = {key: number for number, key in enumerate(sorted({row[2] for row in rows}))}
    length = context + horizon
    pictures = np.array([row[0] for row in rows], np.int64).reshape(-1, length)
    actions = [step_actions(tape, tape.times[row], manifest, hold_s) for row in pictures]
    return Segments(
        pictures,
        np.array(actions, np.float32).reshape(-1, length - 1, manifest.predictor.action_size),
        np.array([row[1] for row in rows], np.int64),
        np.array([blocks[row[2]] for row in rows], np.int64), context)


def step_actions(
    tape: Tape, times: Times, manifest: Manifest, hold_s: float,
) -> NDArray[np.float32]:
    """
    Return what was commanded in model steps between times [F], [F - 1, A].

    Between pictures that are repeated at the end nothing is commanded.
    """
    skip = manifest.frameskip
    seen = int(np.argmax(times)) + 1
    edges = np.interp(np.arange((seen - 1) * skip + 1) / skip, np.arange(seen), times[:seen])
    actions = np.zeros((len(times) - 1, manifest.predictor.action_size), np.float32)
    if seen > 1:
        actions[:seen - 1] = tape.obeyed(edges, hold_s).reshape(seen - 1, -1)
    return actions


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return `most` of `count` numbers, evenly spread."""
    if most == 0:
        return np.zeros(0, np.int64)
    return np.unique(np.linspace(0, max(0, count - 1), min(most, count)).round().astype(np.int64))


def joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Give the blocks of several tapes numbers of their own."""
    shifted, used = [], 0
    for part in parts:
        shifted.append(part + used)
        used += int(part.max()) + 1 if len(part) else 0
    return np.concatenate(shifted) if shifted else np.zeros(0, np.int64)
