# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image buffers become RGB pictures, or a clear error."""

import cv2
import numpy as np
import pytest

from sparse_imagination_ros.errors import FrameError
from sparse_imagination_ros.tokens.frames import cut, decode, decompress, ENCODINGS, Region, shrink

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize('encoding, pixels', [
    ('rgb8', RGB),
    ('bgr8', RGB[..., ::-1]),
    ('rgba8', np.dstack([RGB, np.full((2, 3), 255, np.uint8)])),
    ('bgra8', np.dstack([RGB[..., ::-1], np.full((2, 3), 255, np.uint8)])),
])
def test_color_encodings_are_read_alike(encoding, pixels):
    data = np.ascontiguousarray(pixels).tobytes()
    step = len(data) // 2
    assert np.array_equal(decode(data, 2, 3, step, encoding), RGB)


def test_grey_becomes_three_equal_channels():
    assert decode(b'\x01\x02', 1, 2, 2, 'mono8').tolist() == [[[1, 1, 1], [2, 2, 2]]]


def test_padding_at_the_end_of_rows_is_left_out():
    padded = np.pad(RGB.reshape(2, 9), ((0, 0), (0, 7)))
    assert np.array_equal(decode(padded.tobytes(), 2, 3, 16, 'rgb8'), RGB)


def test_rgb_is_not_copied():
    data = RGB.tobytes()
    assert np.shares_memory(decode(data, 2, 3, 9, 'rgb8'), np.frombuffer(data, np.uint8))


def test_an_unknown_encoding_is_named_with_those_that_work():
    with pytest.raises(FrameError, match=r'16UC1.*rgb8, bgr8'):
        decode(b'', 1, 1, 2, '16UC1')


@pytest.mark.parametrize('height, width, step', [(2, 3, 8), (3, 3, 9), (0, 3, 9), (2, 4, 9)])
def test_a_buffer_of_another_size_is_refused(height, width, step):
    with pytest.raises(FrameError, match=r'check the camera driver'):
        decode(RGB.tobytes(), height, width, step, 'rgb8')


def test_a_picture_is_shrunk_to_a_square():
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:120] = 255
    small = shrink(picture, 96)
    assert small.shape == (96, 96, 3)
    assert small[0, 0, 0] == 255 and small[-1, -1, 0] == 0


WIDE = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)


@pytest.mark.parametrize('bigendian', [False, True])
def test_grey_of_16_bits_is_scaled_and_its_byte_order_honoured(bigendian):
    values = np.array([[0, 128, 257, 65535]], '>u2' if bigendian else '<u2')
    picture = decode(values.tobytes(), 1, 4, 8, 'mono16', bigendian)
    assert picture[0, :, 0].tolist() == [0, 0, 1, 255]
    assert (picture == picture[..., :1]).all()


@pytest.mark.parametrize('encoding, order', [
    ('yuv422', 'UYVY'), ('uyvy', 'UYVY'), ('yuv422_yuy2', 'YUYV'), ('yuyv', 'YUYV')])
def test_both_orders_of_yuv422_are_read(encoding, order):
    # A red, then a blue pair of pixels, in the studio range of ITU-R BT.601.
    pairs = [{'Y': (82, 82), 'U': 90, 'V': 240}, {'Y': (41, 41), 'U': 240, 'V': 110}]
    data = []
    for pair in pairs:
        luma = iter(pair['Y'])
        data += [next(luma) if letter == 'Y' else pair[letter] for letter in order]
    picture = decode(bytes(data), 1, 4, 8, encoding).astype(int)
    assert abs(picture[0, :2] - [255, 0, 0]).max() < 6
    assert abs(picture[0, 2:] - [0, 0, 255]).max() < 6


@pytest.mark.parametrize('order', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('depth', [1, 2])
def test_mosaics_of_one_colour_become_that_colour(order, depth):
    colour = {'r': 200, 'g': 120, 'b': 30}
    tile = np.array([colour[letter] for letter in order]).reshape(2, 2)
    mosaic = np.tile(tile, (4, 4)).astype(np.uint8 if depth == 1 else '<u2')
    if depth == 2:
        mosaic *= 257
    picture = decode(mosaic.tobytes(), 8, 8, 8 * depth, f'bayer_{order}{8 * depth}')
    assert (picture == (200, 120, 30)).all()


@pytest.mark.parametrize('encoding, width, height', [('yuv422', 3, 2), ('bayer_rggb8', 4, 3)])
def test_pictures_with_half_a_pair_of_pixels_are_refused(encoding, width, height):
    step = 2 * width if encoding == 'yuv422' else width
    with pytest.raises(FrameError, match='sides must be even'):
        decode(bytes(step * height), height, width, step, encoding)


def test_padding_is_left_out_of_16_bit_rows():
    row = np.array([257, 514, 0, 0], '<u2')
    assert decode(row.tobytes() * 2, 2, 2, 8, 'mono16')[..., 0].tolist() == [[1, 2], [1, 2]]


def test_a_compressed_picture_is_read_in_the_right_order_of_colours():
    coded = cv2.imencode('.png', cv2.cvtColor(WIDE, cv2.COLOR_RGB2BGR))[1].tobytes()
    assert np.array_equal(decompress(coded, 'rgb8; png compressed bgr8'), WIDE)


@pytest.mark.parametrize('data', [b'', b'no picture'])
def test_what_is_no_compressed_picture_is_named_by_its_format(data):
    with pytest.raises(FrameError, match='compressedDepth'):
        decompress(data, '16UC1; compressedDepth')


def test_a_region_is_cut_out_without_a_copy():
    part = cut(WIDE, Region(left=1, top=2, width=3, height=2), (3, 2))
    assert np.array_equal(part, WIDE[2:4, 1:4]) and np.shares_memory(part, WIDE)
    assert np.array_equal(cut(WIDE, Region(left=2), (4, 4)), WIDE[:, 2:])


@pytest.mark.parametrize('region', [Region(left=6), Region(width=7), Region(top=2, height=3)])
def test_a_region_that_leaves_the_picture_is_refused(region):
    with pytest.raises(FrameError, match=r'within the 6 x 4 pixels.*region_left'):
        cut(WIDE, region, (6, 4))


def test_a_region_is_scaled_if_that_is_asked_for_and_shows_the_same():
    even = np.full((4, 6, 3), 7, np.uint8)
    assert cut(even, Region(resize=True), (3, 2)).shape == (2, 3, 3)
    with pytest.raises(FrameError, match=r'6 x 4 pixels cannot be scaled to 3 x 3'):
        cut(even, Region(resize=True), (3, 3))


@pytest.mark.parametrize('encoding', [e for e in ENCODINGS if e not in ('uyvy', 'yuyv')])
def test_cv_bridge_reads_the_same_pixels(encoding):
    bridge = pytest.importorskip('cv_bridge', reason='cv_bridge is not among the wheels')
    messages = pytest.importorskip('sensor_msgs.msg')
    channels = {'rgb8': 3, 'bgr8': 3, '8UC3': 3, 'rgba8': 4, 'bgra8': 4}.get(encoding, 1)
    depth = 2 if encoding.endswith('16') else 1
    if encoding.startswith('yuv'):
        channels = 2
    step = 8 * channels * depth
    data = np.random.default_rng(2).integers(0, 256, 8 * step, np.uint8).tobytes()
    message = messages.Image(height=8, width=8, step=step, encoding=encoding, data=data)
    plain = {'8UC3': 'passthrough', '8UC1': 'passthrough'}.get(encoding, 'rgb8')
    theirs = bridge.CvBridge().imgmsg_to_cv2(message, plain)
    if encoding == '8UC3':
        theirs = theirs[..., ::-1]
    if encoding == '8UC1':
        theirs = np.repeat(theirs.reshape(8, 8, 1), 3, 2)
    ours = decode(data, 8, 8, step, encoding)
    assert abs(ours.astype(int) - theirs).max() <= 1
