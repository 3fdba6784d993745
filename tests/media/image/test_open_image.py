"""Opening pictures: types by content, limits before pixels, cut files, and no state changed."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_bytes import saved
from picture_files import CUT, FILES, animation, drawn, frames_and_error
from PIL import GifImagePlugin, Image, ImageFile
from png_chunks import chunk, png_of

from screener.errors import HashError, MediaError
from screener.media.files.limits import Limits
from screener.media.files.picture import Media
from screener.media.image.open_image import open as open_picture


@pytest.mark.parametrize("mime", FILES)
def test_the_type_is_recognised_by_content(mime: str) -> None:
    """The type of each format comes from its bytes."""
    media = open_picture(FILES[mime]()).media
    size = (1024, 1024) if mime == "image/icns" else (120, 90)  # icons have set sizes
    assert media == Media(mime, *size, 2 if mime in ("image/mpo", "image/apng") else 1)


def test_arrays_and_images() -> None:
    """An array has no type; a Pillow image has that of its file."""
    assert open_picture(np.zeros((4, 6), np.uint8)).media == Media(None, 6, 4, 1)
    assert open_picture(drawn()).media == Media(None, 120, 90, 1)
    image = Image.open(io.BytesIO(animation("GIF", 3)))
    assert open_picture(image).media == Media("image/gif", 120, 90, 1)
    image.seek(1)
    (second,) = open_picture(image).frames()
    assert image.tell() == 1
    assert np.array_equal(second.pixels, np.asarray(image.convert("RGB")))


def test_no_bytes() -> None:
    """An empty file has a reason of its own."""
    with pytest.raises(MediaError) as caught:
        open_picture(b"")
    assert caught.value.reason == "empty"


@pytest.mark.parametrize("mime", FILES)
def test_pixel_limit_comes_before_pixels(mime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pixel too many is `too_large`, before a decoder exists."""
    data = FILES[mime]()
    media = open_picture(data).media
    area = media.width * media.height
    assert frames_and_error(data, pixels=area)[1] is None

    def made(*_: object) -> None:
        raise AssertionError("a decoder was made")

    monkeypatch.setattr(Image, "_getdecoder", made)
    with pytest.raises(MediaError) as caught:
        open_picture(data, limits=Limits(pixels=area - 1))
    assert caught.value.reason == "too_large"


def test_limits_hold_for_arrays_and_images_too() -> None:
    """Decoded pixels have the same limit."""
    for source in (np.zeros((90, 120, 3), np.uint8), drawn()):
        with pytest.raises(MediaError, match="too_large"):
            open_picture(source, limits=Limits(pixels=90 * 120 - 1))
        assert len(list(open_picture(source, limits=Limits(pixels=90 * 120)).frames())) == 1


def test_byte_limit() -> None:
    """The size of the file is a limit of its own."""
    data = FILES["image/png"]()
    assert frames_and_reason(data, bytes=len(data))[1] is None
    frames, reason = frames_and_reason(data, bytes=len(data) - 1)
    assert frames == []
    assert reason == "too_large"


def test_header_bombs_are_never_decoded() -> None:
    """Small files that declare huge pictures cost nothing, inside icons too."""
    ihdr = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 6, 0, 0, 0)
    png = png_of(chunk(b"IHDR", ihdr), chunk(b"IDAT", zlib.compress(bytes(99))))
    ico = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(png), 22) + png
    bmp = struct.pack("<IiiHHIIiiII", 40, 60000, 120000, 1, 32, 0, 0, 0, 0, 0, 0)
    dib = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bmp), 22) + bmp
    icns = b"icns" + struct.pack(">I", len(png) + 16) + b"ic10"
    icns += struct.pack(">I", len(png) + 8) + png
    canvas = (16382).to_bytes(3, "little")
    webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0)
    webp += canvas + canvas
    for data in (png, ico, dib, icns, webp):
        with pytest.raises(MediaError) as caught:
            open_picture(data)
        assert caught.value.reason == "too_large"


@pytest.mark.parametrize(
    "mime", ["image/jpeg", "image/png", "image/gif", "image/tiff", "image/avif", "image/bmp"]
)
@pytest.mark.parametrize("own", [8000, 4000])
def test_only_our_limit_counts(mime: str, own: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's MAX_IMAGE_PIXELS neither warns (an error here) nor stops a picture.

    120 x 90 pixels are over the first of the two limits, and over twice the second.
    """
    data = FILES[mime]()
    (wanted,) = open_picture(data).frames()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", own)
    (found,) = open_picture(data).frames()
    assert np.array_equal(found.pixels, wanted.pixels)


def test_pillows_limit_where_it_cannot_be_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP checks the program's limit inside Pillow: then it is `too_large`, not an exception."""
    data = FILES["image/webp"]()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    _, reason = frames_and_reason(data)
    assert reason is None or reason == "too_large"


@pytest.mark.parametrize("case", CUT)
def test_a_cut_picture_comes_as_far_as_it_decodes(case: str) -> None:
    """Cut at three quarters, the first half of the rows is there; then `truncated` is raised."""
    data = CUT[case]()
    ((whole,), _) = frames_and_reason(data)
    ((part,), reason) = frames_and_reason(data[: len(data) * 3 // 4])
    assert reason == "truncated"
    assert part.pixels.shape == whole.pixels.shape
    rows = slice(45, 90) if case == "bmp grey" else slice(0, 45)  # BMP starts at the bottom
    off = np.abs(part.pixels[rows].astype(int) - whole.pixels[rows])
    assert off.mean() < (4 if case == "jpeg progressive" else 0.01)


@pytest.mark.parametrize("case", CUT)
def test_a_cut_anywhere_is_never_a_whole_picture(case: str) -> None:
    """Wherever a file is cut before its last pixels, an error follows what could be decoded."""
    data = CUT[case]()
    for length in range(1, len(data) * 9 // 10, max(1, len(data) // 23)):
        frames, reason = frames_and_reason(data[:length])
        assert reason in ("truncated", "undecodable", "unsupported"), length
        assert len(frames) <= 1


def test_a_cut_tiff_is_turned_as_far_as_it_decodes() -> None:
    """Its orientation is applied to the rows that are there."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(drawn(), "TIFF", exif=exif)
    ((whole,), _) = frames_and_reason(data)
    ((part,), reason) = frames_and_reason(data[: len(data) * 3 // 4])
    assert reason == "truncated"
    assert whole.pixels.shape == part.pixels.shape == (120, 90, 3)
    assert np.array_equal(part.pixels[:, 45:], whole.pixels[:, 45:])


@pytest.mark.parametrize("left", [1, 300, 4000])
def test_arithmetic_coding_across_the_blocks_of_a_file(material: Path, left: int) -> None:
    """A scan across Pillow's blocks of 64 KiB decodes, and a cut one as far as it goes."""
    data = (material / "robustness" / "libjpeg-turbo" / "testimgari.jpg").read_bytes()
    scan = data.index(b"\xff\xda") + 14  # its header has 12 bytes and the mark
    note = b"\xff\xfe" + struct.pack(">H", 65536 - left - scan - 2)
    long = data[:2] + note + bytes(65536 - left - scan - 4) + data[2:]
    ((whole,), none), ((same,), nothing) = frames_and_reason(data), frames_and_reason(long)
    assert none is nothing is None
    assert np.array_equal(whole.pixels, same.pixels)

    (part,), reason = frames_and_reason(long[:-300])
    assert reason is not None
    assert np.array_equal(part.pixels[:100], whole.pixels[:100])


def test_cut_files_whose_decoder_gives_nothing() -> None:
    """WebP and AVIF return no part of a cut picture; the reason is `truncated` too."""
    for mime in ("image/webp", "image/avif"):
        data = FILES[mime]()
        frames, ended = frames_and_reason(data[: len(data) // 2])
        assert frames == []
        assert ended == "truncated"


def test_a_given_image_that_is_cut() -> None:
    """A lazily opened Pillow image of a cut file returns its rows, then raises `truncated`."""
    data = CUT["png"]()
    image = Image.open(io.BytesIO(data[: len(data) * 3 // 4]))
    frames = []
    with pytest.raises(MediaError, match="truncated"):
        frames.extend(open_picture(image).frames())
    frames = []
    image = Image.open(io.BytesIO(data[: len(data) * 3 // 4]))
    walk = open_picture(image).frames()
    assert next(walk).pixels.shape == (90, 120, 3)
    with pytest.raises(MediaError, match="truncated"):
        next(walk)


def test_an_orientation_told_after_the_pixels() -> None:
    """A PNG may carry EXIF behind its pixels: the first frame is upright and corrects `media`."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(drawn(), "PNG", exif=exif)
    at = data.index(b"eXIf") - 4
    length = struct.unpack_from(">I", data, at)[0] + 12
    end = data.index(b"IEND") - 4
    late = data[:at] + data[at + length : end] + data[at : at + length] + data[end:]
    picture = open_picture(late)
    (frame,) = picture.frames()
    assert frame.pixels.shape == (120, 90, 3)
    assert (picture.media.width, picture.media.height) == (90, 120)


def test_threads_share_nothing() -> None:
    """Many threads on many formats return what one thread does."""
    files = [make() for make in FILES.values()] + [make()[:-40] for make in CUT.values()]

    def prints(data: bytes) -> list[object]:
        frames, reason = frames_and_reason(data)
        return [*(frame.pixels.tobytes() for frame in frames), reason]

    alone = [prints(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(prints, files * 6)) == alone * 6


def test_nothing_of_the_process_is_changed() -> None:
    """Pillow's settings and the warnings' filters stay, in error and success."""

    def state() -> tuple[object, ...]:
        return (
            Image.MAX_IMAGE_PIXELS,
            ImageFile.LOAD_TRUNCATED_IMAGES,
            ImageFile.MAXBLOCK,
            GifImagePlugin.LOADING_STRATEGY,
            Image.WARN_POSSIBLE_FORMATS,
            tuple(warnings.filters),
            warnings.showwarning,
        )

    before = state()
    for data in [make() for make in FILES.values()] + [make()[:-40] for make in CUT.values()]:
        with contextlib.suppress(MediaError):
            for _ in open_picture(data).frames():
                assert state() == before
        assert state() == before


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.floats(0.1, 1),
)
def test_damaged_files_never_raise_anything_else(
    mime: str, damage: list[tuple[float, int]], kept: float
) -> None:
    """Changed and cut files have frames or a MediaError."""
    data = bytearray(FILES[mime]())
    for where, value in damage:
        data[int(where * (len(data) - 1))] = value
    frames, error = frames_and_error(bytes(data[: int(len(data) * kept)]), pixels=200_000)
    assert frames or error
    for frame in frames:
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.ndim in (2, 3)


def test_wrong_arrays_are_the_callers_mistake() -> None:
    """An array that is not pixels raises HashError from `open`, not MediaError."""
    bad: NDArray[np.int64] = np.zeros((4, 4), np.int64)
    with pytest.raises(HashError):
        open_picture(bad)
    with pytest.raises(HashError):
        open_picture(bad[0])
