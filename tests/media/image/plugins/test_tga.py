"""TGAs, written byte by byte: which of their bits are colour, and which alpha."""

import struct

import numpy as np
import pytest

from screener.media.image.open_image import open as open_picture

WIDTH, HEIGHT = 8, 6


def written(pixels, depth, alpha, *, packed):
    """A TGA of the pixels, (height, width) numbers, whose header tells so many bits of alpha."""
    kind, size = (10, 2)[not packed], (depth + 7) // 8
    data = struct.pack("<3B5x4H2B", 0, 0, kind, 0, 0, WIDTH, HEIGHT, depth, 0x20 | alpha)
    rows = [[int(one).to_bytes(size, "little") for one in row] for row in pixels]
    mark = bytes([WIDTH - 1]) if packed else b""
    return data + b"".join(mark + b"".join(row) for row in rows)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("depth", "told"), [(15, 0), (15, 1), (16, 0), (16, 1)])
def test_what_the_header_does_not_call_alpha_hides_nothing(depth, told, packed):
    """Nor does it keep a file of 15 bits, which begins as a cursor does, and has no bit for alpha,
    from being opened. What it calls so hides pixels where it is set, as GIMP has it.
    """
    pixels = np.random.default_rng(1).integers(0, 1 << 16, (HEIGHT, WIDTH))
    colours = np.dstack([(pixels >> place * 5 & 31) * 255 / 31 for place in (2, 1, 0)])
    if (depth, told) == (16, 1):
        colours[pixels >> 15 == 1] = 255

    (frame,) = open_picture(written(pixels, depth, told, packed=packed)).frames()

    assert np.abs(frame.pixels - colours).max() < 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("told", [0, 8])
def test_the_alpha_of_32_bits_is_laid_on_white(packed, told):
    """As that of any picture, whatever the header says of it: most viewers do so."""
    pixels = np.random.default_rng(1).integers(0, 1 << 32, (HEIGHT, WIDTH))
    blue, green, red, alpha = (pixels >> place & 255 for place in (0, 8, 16, 24))
    wanted = np.dstack([red, green, blue]) * (alpha / 255)[..., None] + 255 - alpha[..., None]

    (frame,) = open_picture(written(pixels, 32, told, packed=packed)).frames()

    assert np.abs(frame.pixels - wanted).max() < 1
