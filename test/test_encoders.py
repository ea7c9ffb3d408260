# Copyright 2026 The sparse_imagination_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The small encoder, and what encoders may be named."""

import pytest
import torch

from sparse_imagination_ros.errors import ConfigError
from sparse_imagination_ros.tokens.dino import dino_shape
from sparse_imagination_ros.tokens.encoders import EncoderShape, SmallEncoder


def test_a_token_of_the_small_encoder_sees_what_is_within_reach() -> None:
    torch.manual_seed(0)
    encoder = SmallEncoder(EncoderShape(reach=2.0)).eval()
    picture = torch.zeros(96, 96, 3, dtype=torch.uint8)
    other = picture.clone()
    # The patch in the sixth row and column.
    other[60:72, 60:72] = 255
    with torch.inference_mode():
        before, after = encoder(torch.stack([picture, other])).unflatten(1, (8, 8))
    changed = (before != after).any(-1)
    assert changed[5, 3]
    assert changed[7, 5]
    # The convolutions look over the edge of a patch, into the next one.
    assert not changed[:2].any()
    assert not changed[:, :2].any()
    everywhere = SmallEncoder(EncoderShape(reach=0.0)).eval()
    with torch.inference_mode():
        before, after = everywhere(torch.stack([picture, other]))
    assert (before != after).any(-1).all()


def test_pictures_are_normalised_to_one() -> None:
    picture = torch.full((1, 96, 96, 3), 255, dtype=torch.uint8)
    assert torch.all(SmallEncoder(EncoderShape()).normalise(picture) == 1)


def test_an_unknown_name_and_a_size_that_does_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'no encoder `dino9`; allowed: dino_vits16'):
        dino_shape('dino9')
    with pytest.raises(ConfigError, match='multiple of 14 pixels, not 200'):
        dino_shape('dinov2_vits14', 200)
