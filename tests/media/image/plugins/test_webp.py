"""Animated WebPs, built chunk by chunk: what is seen if a frame leaves its place bare."""

import io

import numpy as np
import pytest
from PIL import Image

from screener.media.image.open_image import open as open_picture

SIDE, PART = 32, 16
CLEARED = 1  # what becomes of a frame before the next


def chunk(name, data):
    """Return a RIFF chunk."""
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def frame(side, grey, dispose=0):
    """Return an opaque frame of one grey at the top left."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), (grey,) * 3).save(out, "WEBP", lossless=True)
    size = (side - 1).to_bytes(3, "little")
    head = bytes(6) + size * 2 + (100).to_bytes(3, "little") + bytes([dispose])
    return chunk(b"ANMF", head + out.getvalue()[12:])


def animation(*frames, alpha):
    """Return an animated WebP whose header declares alpha, or does not."""
    size = (SIDE - 1).to_bytes(3, "little")
    head = chunk(b"VP8X", bytes([2 | alpha << 4, 0, 0, 0]) + size * 2)
    body = b"WEBP" + head + chunk(b"ANIM", bytes([0, 0, 0, 255, 0, 0])) + b"".join(frames)
    return chunk(b"RIFF", body)


@pytest.mark.parametrize("alpha", [False, True])
def test_what_is_cleared_of_an_animation_is_white(alpha):
    """Whether its header declares alpha or not: `gif2webp` writes either."""
    data = animation(frame(SIDE, 90, CLEARED), frame(PART, 90), alpha=alpha)

    first, second = (shown.pixels for shown in open_picture(data).frames())

    wanted = np.full((SIDE, SIDE, 3), 255)
    wanted[:PART, :PART] = 90
    assert (first == 90).all()
    assert (second == wanted).all()


@pytest.mark.parametrize("alpha", [False, True])
def test_what_the_only_frame_of_an_animation_leaves_bare_is_white(alpha):
    """An animation of one frame is composed like any other."""
    (only,) = open_picture(animation(frame(PART, 90), alpha=alpha)).frames()

    wanted = np.full((SIDE, SIDE, 3), 255)
    wanted[:PART, :PART] = 90
    assert (only.pixels == wanted).all()
