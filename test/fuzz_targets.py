# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Bad input of every kind: each target draws an input and gives it to the product.

Only errors of ours may come out, or a result. What else comes is a finding. `fuzz.py` runs them by
the million, `test_fuzz.py` a few.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
import json
import math
from pathlib import Path
import pickle
from random import Random
import struct
from typing import Any
import zipfile

import cv2
import numpy as np
import yaml

from sparse_imagination_ros.config import build, read_mapping, read_word
from sparse_imagination_ros.errors import SparseImaginationError
from sparse_imagination_ros.tokens.frames import cut, decode, decompress, ENCODINGS, Region

# One case: draws its input from the generator, and raises what is a finding.
Case = Callable[[Random], None]

WHOLE = (0, 1, -1, 2, 3, 7, 8, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, -2**31,
         10**400)
BROKEN = (0.0, -0.0, 1e-320, 1e308, math.inf, -math.inf, math.nan, 0.1, -1.5, 1.5)
WORDS = ('', ' ', 'rgb8', '.inf', 'true', '0x', '1e999', '\x00', '/', '../..', '~', 'a' * 300, '²',
         'linear.x=linear.x*0.5', '0-3', '@1', 'x@y', '\ud800', '💥', '*a', '&a',
         '!!python/name:os.system')


def whole(rng: Random) -> int:
    return rng.choice(WHOLE) if rng.random() < 0.5 else rng.randrange(-5, 40)


def value(rng: Random, depth: int = 0) -> Any:
    """Draw anything that YAML, JSON or a parameter may hold."""
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return whole(rng)
    if kind == 1:
        return rng.choice(BROKEN)
    if kind == 2:
        return rng.choice(WORDS)
    if kind == 3:
        return rng.random() < 0.5
    if kind == 4:
        return None
    if kind == 5:
        return ''.join(chr(rng.randrange(32, 0x250)) for _ in range(rng.randrange(8)))
    if kind < 8:
        return [value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {rng.choice(WORDS): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def changed(rng: Random, data: bytes, longest: int = 1 << 20) -> bytes:
    """Return data with a few bytes, or a stretch, changed, cut out, doubled or cut off."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(result) + 1)
        kind = rng.randrange(6)
        if kind == 0 and result:
            result[min(at, len(result) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and result:
            result[min(at, len(result) - 1)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del result[at:at + rng.choice((1, 4, 64, 4096))]
        elif kind == 3:
            result[at:at] = result[at:at + rng.choice((1, 8, 256))]
        elif kind == 4:
            number = whole(rng) & 0xFFFFFFFFFFFFFFFF
            packed = struct.pack(rng.choice(('<Q', '>Q')), number)
            size = rng.choice((2, 4, 8))
            result[at:at + size] = packed[:size]
        else:
            del result[at:]
    return bytes(result[:longest])


def refused(call: Callable[[], Any]) -> None:
    """Call, and take an error of ours for an answer."""
    try:
        call()
    except SparseImaginationError as error:
        # It is shown in one line, and in a log.
        assert str(error) and len(str(error)) < 10_000, 'an error that nobody can read'


def images(folder: Path) -> Case:
    def case(rng: Random) -> None:
        encoding = rng.choice(ENCODINGS) if rng.random() < 0.95 else rng.choice(WORDS)
        height, width = (abs(whole(rng)) & 0xFFFFFFFF for _ in range(2))
        if rng.random() < 0.7:
            height, width = rng.randrange(20), rng.randrange(20)
        step = width * rng.randrange(1, 9) + rng.choice((0, 0, 0, 1, -1, 16))
        size = min(max(0, height * step + rng.choice((0, 0, 0, 1, -1, 4))), 8192)
        if rng.random() < 0.1:
            step = abs(whole(rng)) & 0xFFFFFFFF

        def read() -> None:
            picture = decode(
                rng.randbytes(size), height, width, step, encoding, rng.random() < 0.3)
            assert picture.shape == (height, width, 3) and picture.dtype == np.uint8
            region = Region(*(rng.randrange(30) for _ in range(4)), resize=rng.random() < 0.5)
            cut(picture, region, (rng.randrange(1, 20), rng.randrange(1, 20)))
        refused(read)
    return case


def compressed_images(folder: Path) -> Case:
    shades = np.random.default_rng(0)
    corpus = []
    for shape in ((8, 8, 3), (13, 7, 3), (9, 16, 4), (16, 16, 1)):
        pixels = shades.integers(0, 256, shape, np.uint8)
        for kind in ('.png', '.jpg', '.bmp', '.webp', '.tiff', '.ppm', '.jp2', '.gif'):
            if not cv2.haveImageWriter(f'picture{kind}') or (kind == '.ppm' and shape[2] == 4):
                continue
            try:
                done, data = cv2.imencode(kind, pixels)
            except cv2.error:
                continue
            if done:
                corpus.append(data.tobytes())
    assert len(corpus) > 10

    def case(rng: Random) -> None:
        data = changed(rng, rng.choice(corpus)) if rng.random() < 0.95 else rng.randbytes(
            rng.randrange(64))

        def read() -> None:
            picture = decompress(data, 'png')
            assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8
        refused(read)
    return case


def settings(folder: Path) -> Case:
    from sparse_imagination_ros.planning.limits import LimitsConfig
    from sparse_imagination_ros.planning.planner import PlannerConfig
    from sparse_imagination_ros.planning.realtime import Realtime, RealtimeConfig
    from sparse_imagination_ros.planning.route import RouteConfig
    from sparse_imagination_ros.sim.camera import CameraConfig
    from sparse_imagination_ros.sim.robots import BaseConfig
    from sparse_imagination_ros.world_models.manifest import Lookahead
    kinds: list[type[Any]] = [
        LimitsConfig, PlannerConfig, RealtimeConfig, RouteConfig, CameraConfig, BaseConfig,
        Lookahead, Region]
    names = {kind: [field.name for field in fields(kind)] for kind in kinds}

    def case(rng: Random) -> None:
        kind = rng.choice(kinds)
        chosen: dict[str, Any] = {
            rng.choice(names[kind]) if rng.random() < 0.95 else rng.choice(WORDS): value(rng)
            for _ in range(rng.randrange(1, 4))}

        def read() -> None:
            config = build(kind, chosen, 'fuzz')
            for field in fields(kind):
                found = getattr(config, field.name)
                if field.type is float:
                    float(found)
                low, high = field.metadata.get('low'), field.metadata.get('high')
                assert low is None or found >= low
                assert high is None or found <= high
            if isinstance(config, RealtimeConfig):
                Realtime(config)
        refused(read)
    return case


def node_parameters(folder: Path) -> Case:
    """Give the planner's node what anybody may set over DDS; the node itself is not there."""
    from sparse_imagination_ros.nodes.settings import GROUPS
    declared = [(group, field) for group in GROUPS for field in fields(group.kind)]

    def case(rng: Random) -> None:
        group, field = rng.choice(declared)
        drawn = value(rng)
        refused(lambda: build(group.kind, {field.name: drawn}, '/planner_node', group.prefix))
    return case


def texts(folder: Path) -> Case:
    """Read what is written in one line: wires, cores, goals, options of the command line."""
    from sparse_imagination_ros.bags.goals import read_goals
    from sparse_imagination_ros.planning.realtime import cores_of
    from sparse_imagination_ros.planning.wiring import read_wiring
    parts = ('linear.x', 'angular.z', '=', '*', '0.5', '-1', 'nan', 'inf', ' ', '0', '1', '@', ',',
             '-', '99999999999', '²', 'a', '.', '/', '~', '[', '{', '&a', '*a', '\n', ':', '!!int')

    def case(rng: Random) -> None:
        text = ''.join(rng.choice(parts) for _ in range(rng.randrange(8)))
        kind = rng.randrange(4)
        if kind == 0:
            refused(lambda: read_wiring(text, ('linear.x', 'angular.z'), rng.random() < 0.5))
        elif kind == 1:
            refused(lambda: cores_of('planner_cores', text))
        elif kind == 2:
            word = str(folder / 'nowhere') + text.replace('/', '').replace('~', '')
            refused(lambda: read_goals([word], ()))
        else:
            refused(lambda: read_word(text))
    return case


def yaml_files(folder: Path) -> Case:
    """Read settings from files that were damaged, or written to harm."""
    corpus = [
        b'a: 1\nb: [1, 2.5, .inf]\nc: {d: yes}\n', b'/**:\n  ros__parameters:\n    tokens: 8\n',
        b'x: &a [1, *a]\n', b'a: &a [l, l]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n',
        b'a: !!int ""\n', b'a: !!float x\n', b'a: !!bool x\n', b'a: !!timestamp x\n',
        b'a: 2001-99-99\n', b'a: !!binary "a"\n', b'a: 0x\nb: 0b\nc: 0o9\nd: 1:99:99\n',
        b'? [1, 2]\n: 3\n', b'a: !!python/object/apply:os.system [touch x]\n', b'<<: [1]\n',
        b'<<: {a: 1}\nb: 2\n', b'a: !!set {b}\n', b'a: !!omap [b: 1]\n', b'a: !!pairs [b]\n']
    file = folder / 'fuzz.yaml'

    def case(rng: Random) -> None:
        drawn = rng.randrange(400)
        if drawn == 0:
            data = rng.choice((b'[', b'{a: ', b'- ')) * rng.randrange(1, 2000)
        elif drawn < 20:
            data = b'a: ' + rng.choice((b'1', b'0b1', b'1_', b'9:')) * rng.randrange(1, 6000)
        else:
            data = changed(rng, rng.choice(corpus), 4096)
        file.write_bytes(data)

        def read() -> None:
            build(Region, read_mapping(file), str(file))
        refused(read)
    return case


def manifests(folder: Path) -> Case:
    """Load bundles with a manifest that was damaged or written to harm, beside whole weights."""
    from bundle_maker import untrained_bundle

    from sparse_imagination_ros.world_models.bundle import Bundle
    untrained_bundle(folder / 'bundle')
    path = folder / 'bundle' / 'manifest.yaml'
    text = path.read_bytes()
    whole_one = yaml.safe_load(text)

    def places(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = []
        for name, held in values.items():
            found.append((*above, name))
            if isinstance(held, dict):
                found += places(held, (*above, name))
        return found

    there = places(whole_one)

    def case(rng: Random) -> None:
        if rng.random() < 0.3:
            path.write_bytes(changed(rng, text, 8192))
        else:
            values = json.loads(json.dumps(whole_one))
            for _ in range(rng.choice((1, 1, 2))):
                *above, name = rng.choice(there)
                held = values
                for part in above:
                    held = held[part] if isinstance(held.get(part), dict) else {}
                if rng.random() < 0.1:
                    held.pop(name, None)
                else:
                    held[name] = value(rng)
            # As fast as it can be written; whatever JSON says is YAML.
            path.write_text(json.dumps(values))
        refused(lambda: Bundle.load(folder / 'bundle'))
    return case


def weights(folder: Path) -> Case:
    """Load bundles whose weights were exchanged, with the checksum that fits."""
    import hashlib

    from bundle_maker import untrained_bundle

    from sparse_imagination_ros.world_models.bundle import Bundle
    untrained_bundle(folder / 'bundle')
    path, manifest = (folder / 'bundle' / name for name in (
        'predictor.safetensors', 'manifest.yaml'))
    data, text = path.read_bytes(), manifest.read_text()
    old = hashlib.sha256(data).hexdigest()
    length = 8 + struct.unpack('<Q', data[:8])[0]

    def case(rng: Random) -> None:
        if rng.random() < 0.8:
            # Where all is decided.
            head = changed(rng, data[8:length])
            size = len(head) if rng.random() < 0.9 else whole(rng) & (2**64 - 1)
            wrong = struct.pack('<Q', size) + head + data[length:]
        else:
            wrong = changed(rng, data)
        path.write_bytes(wrong)
        manifest.write_text(text.replace(old, hashlib.sha256(wrong).hexdigest()))
        refused(lambda: Bundle.load(folder / 'bundle'))
    return case


def learned_files(folder: Path) -> Case:
    """Read what was learned of a machine, from a file that was damaged."""
    from sparse_imagination_ros.planning.latency import read_latency
    corpus = [
        b'{"costs_ms": [["imagine", 8, 64, 3.5]], "tails": {"imagine": {"0": 2.0}}}',
        b'{"costs_ms": [], "tails": {}}']
    file = folder / 'latency.json'

    def case(rng: Random) -> None:
        drawn = rng.random()
        data = changed(rng, rng.choice(corpus), 4096)
        if drawn < 0.1:
            data = rng.choice((b'[', b'{"a":')) * rng.randrange(1, 5000)
        elif drawn < 0.5:
            data = json.dumps({'costs_ms': value(rng), 'tails': value(rng)}).encode()
        elif drawn < 0.7:
            data = json.dumps({'costs_ms': [[value(rng) for _ in range(4)]],
                               'tails': {'a': {'0': value(rng)}}}).encode()
        file.write_bytes(data)
        refused(lambda: read_latency(file))
    return case


def bags(folder: Path, storage: str) -> Case:
    """Read bags that were damaged, strictly or forgivingly, to their last message."""
    from bag_maker import compressed, drive, write_bag

    from sparse_imagination_ros.bags.opening import open_bag
    from sparse_imagination_ros.bags.reading import Topic
    bag = write_bag(folder / 'bag', drive(1.0, 5.0, compressed), storage)
    file = next(path for path in bag.iterdir() if path.name != 'metadata.yaml')
    data, facts = file.read_bytes(), (bag / 'metadata.yaml').read_bytes()

    def case(rng: Random) -> None:
        kind = rng.random()
        file.write_bytes(data if kind < 0.2 else changed(rng, data))
        (bag / 'metadata.yaml').write_bytes(changed(rng, facts) if kind < 0.35 else facts)

        def read() -> None:
            with open_bag(bag, forgiving=rng.random() < 0.5) as opened:
                for connection in opened.connections:
                    for heard in opened.hear([Topic(connection.topic, (connection.msgtype,))]):
                        assert math.isfinite(heard.recorded_s)
                assert all(opened.faults) or not opened.faults
        refused(read)
    return case


def checkpoints(folder: Path) -> Case:
    """Read checkpoints that were damaged, or made to run something."""
    from official_maker import write_checkpoint

    from sparse_imagination_ros.world_models.official import read_official
    path = write_checkpoint(folder / 'model.pth')
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    instructions = next(name for name in entries if name.endswith('data.pkl'))
    data = entries[instructions]
    small = {name: held[:64] if '/data/' in name else held for name, held in entries.items()}
    calls = [b'cos\nsystem\n', b'cbuiltins\nexec\n', b'cbuiltins\neval\n', b'cposix\nsystem\n',
             b'csubprocess\nPopen\n', b'cbuiltins\ngetattr\n', b'ctorch.hub\nload\n',
             b'cmodels.vit\n__class__\n', b'ctorch.nn.modules\nModule\n',
             b'ccollections\ndefaultdict\n',
             b'cbuiltins\n__import__\n', b'cnumpy\nload\n', b'cos\npath.join\n']
    codes = [getattr(pickle, name) for name in dir(pickle)
             if name.isupper() and isinstance(getattr(pickle, name), bytes)
             and len(getattr(pickle, name)) == 1]

    def program(rng: Random) -> bytes:
        words = [b'\x80\x04']
        for _ in range(rng.randrange(1, 12)):
            words.append(rng.choice((
                rng.choice(calls), rng.choice(codes), b'(X\x07\x00\x00\x00touch xtR',
                b')\x81', b'}b', rng.randbytes(2))))
        return b''.join(words) + b'.'

    def case(rng: Random) -> None:
        drawn = rng.random()
        if drawn < 0.3:
            wrong = program(rng)
        elif drawn < 0.5:
            at = rng.randrange(len(data))
            call = rng.choice(calls) + rng.choice((b'(tR', b')R', b')\x81', b''))
            wrong = data[:at] + call + data[at:]
        else:
            wrong = changed(rng, data)
        with zipfile.ZipFile(path, 'w') as archive:
            for name, held in small.items():
                archive.writestr(name, wrong if name == instructions else held)
        if drawn > 0.95:
            path.write_bytes(changed(rng, path.read_bytes()))
        refused(lambda: read_official(path))
    return case


@dataclass(frozen=True)
class Target:
    """prepare: makes what cases need, in a folder; share: of all inputs."""

    prepare: Callable[[Path], Case]
    share: float


TARGETS = {
    'images': Target(images, 0.25),
    'compressed images': Target(compressed_images, 0.25),
    'settings': Target(settings, 0.2),
    'node parameters': Target(node_parameters, 0.15),
    'texts': Target(texts, 0.09),
    'yaml files': Target(yaml_files, 0.02),
    'learned files': Target(learned_files, 0.02),
    'manifests': Target(manifests, 0.01),
    'weights': Target(weights, 0.005),
    'checkpoints': Target(checkpoints, 0.003),
    'sqlite3 bags': Target(lambda folder: bags(folder, 'sqlite3'), 0.001),
    'mcap bags': Target(lambda folder: bags(folder, 'mcap'), 0.001),
}
