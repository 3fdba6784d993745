"""What headers declare, read without decoding: against files of Pillow and against noise."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from screener.media import headers


def saved(format: str, **options: object) -> bytes:
    """A file of a 60 x 44 picture."""
    image = Image.fromarray((np.indices((44, 60)).sum(0) * 2).astype(np.uint8)).convert("RGBA")
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        saved("WEBP", lossless=True),
        saved("WEBP", quality=50),
        saved("WEBP", save_all=True, append_images=[Image.new("RGBA", (60, 44))]),
        saved("ICO", sizes=[(16, 16), (60, 44)]),
        saved("ICO", sizes=[(16, 16), (60, 44)], bitmap_format="bmp"),
    ],
)
def test_size_of_what_is_decoded_on_opening(data: bytes) -> None:
    """The largest picture inside is found in every variant of WebP and ICO."""
    assert headers.largest(data) == (60, 44)


def test_size_inside_icns() -> None:
    """The largest inner picture of an ICNS is found, whatever its place."""
    assert headers.largest(saved("ICNS")) == (1024, 1024)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF", "BMP"])
def test_other_formats_declare_nothing(format: str) -> None:
    """Pillow opens every other format without decoding: nothing to know beforehand."""
    assert headers.largest(saved(format)) == (0, 0)


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "JPEG2000"])
def test_a_container_that_is_cut(format: str) -> None:
    """Any missing byte at the end is noticed; a whole file, or one with a tail, is not cut."""
    data = saved(format)
    assert not headers.cut_short(data)
    for length in (len(data) - 1, len(data) // 2, 40):
        assert headers.cut_short(data[:length])


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("local", [False, True], ids=["one palette", "own palettes"])
def test_gif_frames(count: int, local: bool) -> None:
    """Frames are counted as Pillow counts them, and no further than asked."""
    frames = [
        Image.fromarray(np.full((20, 30, 3), (40 * k if local else 200, k * 30, 9), np.uint8))
        for k in range(count)
    ]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], comment=b"x" * 600)
    data = out.getvalue()
    assert headers.gif_frames(data, stop=100) == count
    assert headers.gif_frames(data, stop=2) == min(count, 2)


def test_a_jpeg_cut_in_a_header_segment() -> None:
    """A segment that is cut in the middle is dropped, a whole one stays; the end marker follows."""
    out = io.BytesIO()
    Image.new("RGB", (60, 44)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    segment = data.rindex(b"\xff\xc4")
    for length in (segment + 2, segment + 3, segment + 4, segment + 9):
        assert headers.ended_jpeg(data[:length]) == data[:segment] + b"\xff\xd9"
    assert headers.ended_jpeg(data[:-2]) == data
    assert headers.ended_jpeg(data[:-1])[-2:] == b"\xff\xd9"


@given(
    st.sampled_from(
        [b"", b"RIFF\0\0\0\0WEBPVP8X", b"\0\0\1\0", b"icns", b"GIF89a", b"\0\0\0\x18ftyp"]
    ),
    st.binary(max_size=200),
)
def test_noise_is_read_without_a_stumble(start: bytes, noise: bytes) -> None:
    """Nothing raises and nothing runs on for ever, whatever follows a signature."""
    data = start + noise
    width, height = headers.largest(data)
    assert width >= 0
    assert height >= 0
    assert 1 <= headers.gif_frames(data, stop=9) <= 9
    assert headers.cut_short(data) in (True, False)
    assert headers.ended_jpeg(data).endswith(b"\xff\xd9")


def test_the_end_of_a_jpeg_is_its_first_mark_behind_a_place():
    """Or the end of the data, where there is none."""
    assert headers.after_end_mark(b"\xff\xd9..\xff\xff\xd9..", 1) == 7
    assert headers.after_end_mark(b"\xff\xd9..", 1) == 4
    assert headers.after_end_mark(b"", 0) == 0


def test_a_gif_ends_with_its_trailer():
    """Cut anywhere before it, it has not ended; what stands behind it changes nothing."""
    data = saved("GIF", save_all=True, append_images=[Image.new("RGBA", (60, 44), "red")])
    assert headers.ended_gif(data)
    assert headers.ended_gif(data + b"more")
    assert not headers.ended_gif(data[:-1])


def test_a_jpeg_ends_where_the_next_begins():
    """The mark of the next is not its own; within a header segment one may stand."""
    out = io.BytesIO()
    Image.effect_noise((60, 44), 50).save(out, "JPEG", comment=b"\xff\xd8\xff\xe0..")
    data = out.getvalue()
    assert headers.end(data + data, 0) == len(data)
    assert headers.end(data[:-9] + data, 0) == len(data) - 9


def test_where_a_file_may_stand_behind_a_png():
    """Behind its end; behind the beginning of its last chunk, where it is cut."""
    data = saved("PNG")
    assert headers.behind(data + b"more", 0) == headers.end(data, 0) == len(data)
    last = data.rindex(b"IDAT") - 4
    assert headers.behind(data[:-30] + data, 0) == last
    assert headers.end(data[:-30], 0) == len(data) - 30
