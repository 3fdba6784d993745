"""What headers declare, compared with files of Pillow and with noise."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_bytes import jpeg, saved, several
from PIL import Image

from screener.media.image.structure import file_end, headers, tiff


def small(format: str, **options: object) -> bytes:
    """Return a file of a 60 x 44 picture."""
    image = Image.fromarray((np.indices((44, 60)).sum(0) * 2).astype(np.uint8)).convert("RGBA")
    return saved(image, format, **options)


@pytest.mark.parametrize(
    "data",
    [
        small("WEBP", lossless=True),
        small("WEBP", quality=50),
        small("WEBP", save_all=True, append_images=[Image.new("RGBA", (60, 44))]),
        small("ICO", sizes=[(16, 16), (60, 44)]),
        small("ICO", sizes=[(16, 16), (60, 44)], bitmap_format="bmp"),
    ],
)
def test_size_of_what_is_decoded_on_opening(data: bytes) -> None:
    """The largest picture inside is found in every variant of WebP and ICO."""
    assert headers.find_largest_size(data) == (60, 44)


def test_size_inside_icns() -> None:
    """The largest inner picture of an ICNS is found, whatever its place."""
    assert headers.find_largest_size(small("ICNS")) == (1024, 1024)


@pytest.mark.parametrize("length", [256, 512])
def test_an_iso_file_is_no_icon(length: int) -> None:
    """A HEIC or AVIF whose first box has 256 or 512 bytes begins like an icon or a cursor."""
    box = struct.pack(">I", length) + b"ftypheic" + bytes(4) + b"mif1" * (length // 4 - 4)
    assert headers.find_largest_size(box + bytes(2048)) == (0, 0)


def icon(*pictures: bytes) -> bytes:
    """Return an ICO of these pictures."""
    at, entries = 6 + 16 * len(pictures), b""
    for one in pictures:
        entries += struct.pack("<8xII", len(one), at)
        at += len(one)
    return struct.pack("<3H", 0, 1, len(pictures)) + entries + b"".join(pictures)


def bitmap(width: int, height: int) -> bytes:
    """Return the header of a bitmap in an ICO, whose height includes its mask."""
    return struct.pack("<IiiHH", 40, width, 2 * height, 1, 32) + bytes(24)


def extended(width: int, height: int) -> bytes:
    """Return a WebP that declares a canvas, each side less one in three bytes."""
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def lossy(width: int, height: int) -> bytes:
    """Return a WebP of one frame, whose sides have 14 bits below two for a scale."""
    chunk = b"VP8 " + struct.pack("<I", 10) + bytes(3) + b"\x9d\x01\x2a"
    chunk += struct.pack("<HH", width | 1 << 14, height | 3 << 14)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def lossless(width: int, height: int) -> bytes:
    """Return a lossless WebP: each side less one in 14 bits, and an alpha flag above them."""
    sides = (width - 1) | (height - 1) << 14 | 1 << 28
    chunk = b"VP8L" + struct.pack("<IBI", 5, 0x2F, sides)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (lossy(16_383, 5), (16_383, 5)),
        (lossy(5, 16_383), (5, 16_383)),
        (lossless(1 << 14, 5), (1 << 14, 5)),
        (lossless(5, 1 << 14), (5, 1 << 14)),
        (extended(70_000, 5), (70_000, 5)),
        (extended(5, 1 << 24), (5, 1 << 24)),
        (icon(bitmap(3, 3), bitmap(900, 700)), (900, 700)),
        (icon(bitmap(900, -700), bitmap(3, 3)), (900, 700)),
        (icon(), (0, 0)),
    ],
)
def test_sizes_that_a_file_only_declares(data: bytes, size: tuple[int, int]) -> None:
    """WebPs of the greatest size, canvases wider than 65,535, and icons by any entry."""
    assert headers.find_largest_size(data) == size


@pytest.mark.parametrize("no_jp2", [False, True])
def test_size_of_a_jpeg_2000_inside_icns(no_jp2: bool) -> None:
    """As a file and as a bare stream, behind a smaller picture."""
    wide = saved(Image.new("RGB", (900, 700)), "JPEG2000", no_jp2=no_jp2)
    parts = [b"icp4" + struct.pack(">I", 8 + len(one)) + one for one in (small("PNG"), wide)]
    data = b"icns" + struct.pack(">I", 8 + sum(map(len, parts))) + b"".join(parts)

    assert headers.find_largest_size(data) == (900, 700)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF", "BMP"])
def test_other_formats_declare_nothing(format: str) -> None:
    """Pillow opens every other format without decoding."""
    assert headers.find_largest_size(small(format)) == (0, 0)


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "JPEG2000"])
def test_a_container_that_is_cut(format: str) -> None:
    """Any byte missing at the end is noticed; a complete file, or one with a tail, is not cut."""
    data = small(format)
    assert not headers.is_cut_short(data)
    for length in (len(data) - 1, len(data) // 2, 40):
        assert headers.is_cut_short(data[:length])


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_whose_directory_is_behind_its_end_is_cut(order: str) -> None:
    """It lacks the two bytes at its start, or the four for the place of the next."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    data = start + struct.pack(f"{order}I", 20) + bytes(18)

    cut = {length: headers.is_cut_short(data[:length]) for length in range(20, 27)}
    assert cut == dict.fromkeys(range(20, 26), True) | {26: False}


@pytest.mark.parametrize("long", [False, True])
def test_a_box_that_ends_behind_the_file_is_cut(long: bool) -> None:
    """With either kind of length, wherever the data end; a box without a length is not cut."""
    first = struct.pack(">I", 12) + b"ftypisom"
    body = bytes(20)
    head = struct.pack(">I4sQ", 1, b"mdat", 36) if long else struct.pack(">I4s", 28, b"mdat")
    data = first + head + body

    assert not headers.is_cut_short(data)
    assert not headers.is_cut_short(data + first)
    for length in range(len(first) + len(head), len(data)):
        assert headers.is_cut_short(data[:length])
    assert not headers.is_cut_short(first + struct.pack(">I4s", 0, b"mdat") + body[:5])


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("local", [False, True], ids=["one palette", "own palettes"])
def test_gif_frames(count: int, local: bool) -> None:
    """Frames are counted as Pillow counts them, and no further than asked."""
    frames = [
        Image.fromarray(np.full((20, 30, 3), (40 * k if local else 200, k * 30, 9), np.uint8))
        for k in range(count)
    ]
    data = several(frames, "GIF", comment=b"x" * 600)
    assert headers.count_gif_frames(data, stop=100) == count
    assert headers.count_gif_frames(data, stop=2) == min(count, 2)


@pytest.mark.parametrize("padding", [b"\xff", b"\xff\xff\xff", b"\xff\x01", b"\xff\x01\xff"])
def test_the_end_of_a_jpeg_is_found_whatever_stands_between_its_segments(padding: bytes) -> None:
    """Padding and markers without a length do not hide it; a marker inside a segment is not the
    end.
    """
    data = small("PNG")
    padded = jpeg(Image.new("RGB", (60, 44)), comment=b"\xff\xd9" * 99)
    padded = padded[:2] + padding + padded[2:]

    assert file_end.find_end(padded + data, 0) == len(padded)


def test_boxes_with_long_lengths_and_without_any() -> None:
    """The body begins behind the length; a box without one ends with the file; a short one ends the
    walk.
    """
    first = struct.pack(">I", 12) + b"ftypisom"
    data = first + struct.pack(">I4sQ", 1, b"mpvd", 19) + b"abc"
    rest = struct.pack(">I4s", 0, b"mdat") + b"de"

    assert list(headers.read_file_boxes(data + rest, 0)) == [
        (b"ftyp", 8, 12),
        (b"mpvd", 28, 31),
        (b"mdat", 39, 41),
    ]
    for length in (2, 7):
        broken = struct.pack(">I4s", length, b"mdat") + b"abcdefgh" + first
        assert [name for name, *_ in headers.read_file_boxes(first + broken, 0)] == [b"ftyp"]
    assert list(headers.read_file_boxes(rest, 0)) == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_second_directory_tells_the_first_value_of_its_tags(order: str) -> None:
    """A single short stands in the first two bytes; a value that does not fit stands elsewhere."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    first = struct.pack(f"{order}HHHIII", 1, 256, 4, 1, 7, 26)
    entries = [
        struct.pack(f"{order}HHIHH", 513, 3, 1, 300, 9),
        struct.pack(f"{order}HHII", 514, 4, 1, 70_000),
        struct.pack(f"{order}HHII", 273, 3, 5, 99_000),
    ]
    block = start + struct.pack(f"{order}I", 8) + first
    block += struct.pack(f"{order}H", 3) + b"".join(entries) + bytes(4)

    assert tiff.read_second_directory(block) == (26, {513: 300, 514: 70_000, 273: 99_000})


@given(
    st.sampled_from(
        [b"", b"RIFF\0\0\0\0WEBPVP8X", b"\0\0\1\0", b"icns", b"GIF89a", b"\0\0\0\x18ftyp"]
    ),
    st.binary(max_size=200),
)
def test_noise_is_read_without_a_stumble(start: bytes, noise: bytes) -> None:
    """Nothing raises and nothing loops, whatever follows a signature."""
    data = start + noise
    width, height = headers.find_largest_size(data)
    assert width >= 0
    assert height >= 0
    assert 1 <= headers.count_gif_frames(data, stop=9) <= 9
    assert headers.is_cut_short(data) in (True, False)


def test_the_end_of_a_jpeg_is_its_first_mark_behind_a_place():
    """It is the end of the data if there is none."""
    assert file_end.find_after_end_marker(b"\xff\xd9..\xff\xff\xd9..", 1) == 7
    assert file_end.find_after_end_marker(b"\xff\xd9..", 1) == 4
    assert file_end.find_after_end_marker(b"", 0) == 0


def test_a_gif_ends_with_its_trailer():
    """Cut before it, a GIF has not ended; data behind it change nothing."""
    data = small("GIF", save_all=True, append_images=[Image.new("RGBA", (60, 44), "red")])
    assert headers.is_gif_complete(data)
    assert headers.is_gif_complete(data + b"more")
    assert not headers.is_gif_complete(data[:-1])


def test_a_jpeg_ends_where_the_next_begins():
    """The end marker of the next is not its own; a header segment may contain one."""
    data = jpeg(Image.effect_noise((60, 44), 50), comment=b"\xff\xd8\xff\xe0..")
    assert file_end.find_end(data + data, 0) == len(data)
    assert file_end.find_end(data[:-9] + data, 0) == len(data) - 9


def test_where_a_file_may_stand_behind_a_png():
    """Behind its end; if it is cut, behind the beginning of its last chunk."""
    data = small("PNG")
    assert (
        file_end.find_trailing_start(data + b"more", 0) == file_end.find_end(data, 0) == len(data)
    )
    last = data.rindex(b"IDAT") - 4
    assert file_end.find_trailing_start(data[:-30] + data, 0) == last
    assert file_end.find_end(data[:-30], 0) == len(data) - 30
