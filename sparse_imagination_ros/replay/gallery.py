# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for the report: what was seen, what was imagined of it, and where that was wrong."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from sparse_imagination_ros.replay.imagination import roll_out, some_tokens
from sparse_imagination_ros.replay.segments import evenly, find_segments, Segments
from sparse_imagination_ros.replay.settings import ReplayConfig
from sparse_imagination_ros.replay.tape import Tape, THUMBNAIL
from sparse_imagination_ros.tokens.frames import Picture
from sparse_imagination_ros.world_models.bundle import Bundle

# As many as a page can hold and still open at once.
MOST_PICTURES = 360
# Pictures whose patches imagined pictures are put together from.
REFERENCES = 240
TOGETHER = 32


@dataclass(frozen=True)
class Shown:
    """
    One picture of a bag. jpeg: in base64; wrong: a byte for each place, in base64.

    imagined, later: what was imagined `steps` ahead and what was seen then; empty if nothing was.
    """

    picture: int
    time_s: float
    jpeg: str
    imagined: str
    later: str
    wrong: str


def gallery(
    tape: Tape, bundle: Bundle, config: ReplayConfig, steps: int, share: int = 1,
) -> list[Shown]:
    """Show a tape: pictures evenly spread, with the future `steps` ahead where there is one."""
    chosen = evenly(len(tape.times), max(2, MOST_PICTURES // share))
    segments = find_segments(tape, bundle.manifest, steps, 10**9, config.command_hold_s)
    starts = segments.pictures[:, segments.context - 1]
    beginning = {int(start): row for row, (start, ahead) in enumerate(
        zip(starts, segments.ahead, strict=True)) if ahead == steps}
    rows = [beginning[int(i)] for i in chosen if int(i) in beginning]
    futures = dict(zip((int(starts[row]) for row in rows), _futures(tape, bundle, segments, rows),
                       strict=True)) if len(tape.commands) else {}
    shown = []
    for index in chosen:
        imagined, later, wrong = futures.get(int(index), ('', '', ''))
        shown.append(Shown(
            int(index), float(tape.times[index] - tape.origin_s), _text(tape.thumbnail(index)),
            imagined, later, wrong))
    return shown


@torch.inference_mode()
def _futures(
    tape: Tape, bundle: Bundle, segments: Segments, rows: Sequence[int],
) -> list[tuple[str, str, str]]:
    grid, places = bundle.manifest.encoder.grid, bundle.manifest.total_tokens
    painter = _Painter(tape, bundle)
    made: list[tuple[Picture, int, NDArray[np.float32]]] = []
    for first in range(0, len(rows), TOGETHER):
        part = list(rows[first:first + TOGETHER])
        everywhere = np.tile(np.arange(places), (len(part), 1))
        real = some_tokens(tape, segments.pictures[part], everywhere)
        guess = roll_out(bundle, real[:, :segments.context], segments.actions[part])[:, -1]
        wrong = (guess - real[:, -1]).square().mean(-1).numpy()
        last = segments.pictures[part, -1]
        made += [(painter.paint(tokens.numpy()), int(seen), w)
                 for tokens, seen, w in zip(guess, last, wrong, strict=True)]
    if not made:
        return []
    # The same scale for all, so that they can be compared.
    top = float(np.percentile(np.stack([wrong for _, _, wrong in made]), 99)) or 1.0
    assert grid * grid == places
    return [(_text(_jpeg(picture)), _text(tape.thumbnail(seen)),
             _text((255 * np.clip(wrong / top, 0, 1)).astype(np.uint8).tobytes()))
            for picture, seen, wrong in made]


class _Painter:
    """
    Makes tokens visible: by the bundle's decoder, or by patches of the bag itself.

    Without a decoder each place shows the patch of that picture whose token there is nearest.
    """

    def __init__(self, tape: Tape, bundle: Bundle) -> None:
        self._decoder, self._grid = bundle.decoder, bundle.manifest.encoder.grid
        chosen = evenly(len(tape.times), REFERENCES)
        self._tokens = np.array(tape.tokens[chosen])
        side = self._grid * max(1, THUMBNAIL // self._grid)
        self._pictures = np.stack([
            cv2.resize(_picture(tape.thumbnail(index)), (side, side)) for index in chosen])

    def paint(self, tokens: NDArray[np.float32]) -> Picture:
        if self._decoder is not None:
            pixels = self._decoder(
                torch.from_numpy(tokens)[None], torch.arange(len(tokens)))[0]
            return np.asarray((255 * pixels.movedim(0, -1)).byte().numpy())
        nearest = np.square(self._tokens - tokens).sum(-1).argmin(0)
        cell = self._pictures.shape[1] // self._grid
        canvas = np.empty_like(self._pictures[0])
        for place, reference in enumerate(nearest):
            y, x = (cell * part for part in divmod(place, self._grid))
            canvas[y:y + cell, x:x + cell] = self._pictures[reference, y:y + cell, x:x + cell]
        return np.asarray(canvas, np.uint8)


def _jpeg(picture: Picture) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())


def _picture(jpeg: bytes) -> Picture:
    bgr = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
