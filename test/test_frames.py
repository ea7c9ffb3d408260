# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image buffers become RGB pictures, or a clear error."""

import numpy as np
import pytest

from sparse_imagination_ros.errors import FrameError
from sparse_imagination_ros.tokens.frames import decode, shrink

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
