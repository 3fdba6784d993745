"""Parts of decoding one frame: the end that a truncated JPEG is given."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from picture_bytes import jpeg
from PIL import Image

from screener.media.image.frame import terminate_jpeg


def test_a_jpeg_cut_in_a_header_segment() -> None:
    """The cut segment is dropped, a complete one stays; the end marker follows."""
    data = jpeg(Image.new("RGB", (60, 44)), progressive=True)
    segment = data.rindex(b"\xff\xc4")
    for length in (segment + 2, segment + 3, segment + 4, segment + 9):
        assert terminate_jpeg(data[:length]) == data[:segment] + b"\xff\xd9"
    assert terminate_jpeg(data[:-2]) == data
    assert terminate_jpeg(data[:-1])[-2:] == b"\xff\xd9"


def test_a_jpeg_cut_behind_a_restart_keeps_its_pixels() -> None:
    """A restart is part of the pixel data and has no length: nothing is removed."""
    noise = np.random.default_rng(1).integers(0, 256, (44, 60), np.uint8)
    data = jpeg(Image.fromarray(noise), restart_marker_blocks=1)
    assert data.count(b"\xff\xd7") > 2
    last = max(data.rindex(bytes((0xFF, 0xD0 + number))) for number in range(8))

    for length in range(last + 2, len(data) - 1):
        assert terminate_jpeg(data[:length]) == data[:length] + b"\xff\xd9"


@given(st.binary(max_size=200))
def test_noise_gets_an_end_marker(noise: bytes) -> None:
    """Nothing raises, whatever the bytes are."""
    assert terminate_jpeg(noise).endswith(b"\xff\xd9")
