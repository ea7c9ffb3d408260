# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Goals from disk: a picture, all pictures of a folder, or what a bag shows at a time.

A picture may have what was sensed there beside it, in a file of the same name that ends on .yaml.
"""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from sparse_imagination_ros.bags.opening import open_bag
from sparse_imagination_ros.bags.reading import COMPRESSED, IMAGE, Topic
from sparse_imagination_ros.config import read_mapping
from sparse_imagination_ros.errors import DataError, FrameError
from sparse_imagination_ros.files import write_whole
from sparse_imagination_ros.planning.route import Goal
from sparse_imagination_ros.tokens.frames import decompress

PICTURES = ('.png', '.jpg', '.jpeg')
SENSED = 'sensed'
# A picture that is farther from the time that was asked for is another one.
NEAR_S = 0.5


def read_goals(words: Iterable[str], senses: Sequence[str]) -> list[Goal]:
    """
    Read goals; each word is the path of a picture or folder, or a bag and a time as BAG@SECONDS.

    senses: what the bundle takes beside pictures, by name; it must be there.
    """
    goals: list[Goal] = []
    for word in filter(None, words):
        path, at, time = word.rpartition('@')
        if at and not Path(word).expanduser().exists():
            goals.append(_from_bag(Path(path).expanduser(), time, word, senses))
        else:
            goals += [_from_file(file, senses) for file in _files(Path(word).expanduser())]
    return goals


def write_goal(folder: Path, goal: Goal) -> Path:
    """Keep a goal as a picture, and what was sensed beside it; nothing is left if that fails."""
    path = folder / f'{goal.name}.png'
    done, coded = cv2.imencode('.png', cv2.cvtColor(goal.picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise DataError(f'{path}: the picture cannot be encoded')
    try:
        # The picture comes last: what can be seen is whole.
        if goal.sensed is not None and len(goal.sensed):
            values = {SENSED: [float(value) for value in goal.sensed]}
            write_whole(path.with_suffix('.yaml'), yaml.safe_dump(values).encode())
        write_whole(path, coded.tobytes())
    except OSError as error:
        raise DataError(f'{path} cannot be written ({error}); choose another goal_folder'
                        ) from error
    return path


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise DataError(
            f'goal {path}: the folder holds no picture ({", ".join(PICTURES)}); '
            'of a bag say the time, too, as BAG@SECONDS')
    return files


def _from_file(path: Path, senses: Sequence[str]) -> Goal:
    try:
        picture = decompress(path.read_bytes(), path.suffix)
    except OSError as error:
        raise DataError(f'goal {path} cannot be read ({error.strerror})') from error
    except FrameError as error:
        raise DataError(f'goal {path}: {error}') from error
    sensed = np.zeros(0, np.float32)
    if senses:
        beside = path.with_suffix('.yaml')
        sensed = _numbers(read_mapping(beside).get(SENSED), beside, senses)
    return Goal(picture, sensed, path.stem)


def _numbers(values: Any, path: Path, senses: Sequence[str]) -> Any:
    try:
        numbers = np.array(values, np.float32)
    except (TypeError, ValueError):
        numbers = np.zeros(0, np.float32)
    if numbers.shape != (len(senses),):
        raise DataError(
            f'{path}: `{SENSED}` is {values!r}; the bundle takes {", ".join(senses)}')
    return numbers


def _from_bag(path: Path, time: str, word: str, senses: Sequence[str]) -> Goal:
    try:
        wanted_s = float(time)
    except ValueError:
        raise DataError(
            f'goal {word!r} is neither a file nor BAG@SECONDS, with the seconds after the begin '
            'of the bag') from None
    if senses:
        raise DataError(
            f'goal {word!r}: the bundle takes what is sensed, which goals from bags do not have; '
            'use ~/save_goal on the spot, or the topics goal_image and goal_sensed')
    if find_spec('rosbags') is None:
        raise DataError(f'goal {word!r}: to read bags, install rosbags (pip install rosbags)')
    with open_bag(path, forgiving=True) as bag:
        at_s = bag.span_s[0] + wanted_s
        shots = list(bag.shots(
            Topic('', (IMAGE, COMPRESSED)), at_s - NEAR_S, at_s + NEAR_S))
        if not shots:
            raise DataError(
                f'goal {word!r}: no picture within {NEAR_S:g} s of it; the bag takes '
                f'{bag.span_s[1] - bag.span_s[0]:.1f} s')
        nearest = min(shots, key=lambda shot: abs(shot.recorded_s - at_s))
    if isinstance(nearest.picture, FrameError):
        raise DataError(f'goal {word!r}: {nearest.picture}')
    return Goal(nearest.picture.copy(), np.zeros(0, np.float32), f'{path.name}@{time}')
