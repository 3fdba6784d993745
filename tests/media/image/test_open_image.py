"""Opening pictures: sniffing, limits before pixels, cut files, frames, and no state touched."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_bytes import saved, several
from PIL import GifImagePlugin, Image, ImageFile
from png_chunks import chunk, png_of

from screener.errors import HashError, MediaError, ShortOfMemory
from screener.media.files.limits import Limits
from screener.media.files.picture import Frame, Media
from screener.media.image import errors, pillow
from screener.media.image import frames as sequence
from screener.media.image.open_image import open as open_picture

REASONS = {"empty", "unsupported", "undecodable", "truncated", "too_large"}


def drawn(number: int = 0, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A smooth picture; another one for each number."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    waves = [np.sin(rows / 9 + number) + np.cos(columns / 7 + k) for k in range(3)]
    return Image.fromarray((np.stack(waves, axis=-1) * 60 + 127).astype(np.uint8))


def animation(format: str, count: int, **options: object) -> bytes:
    """A file of that many different frames."""
    return several([drawn(number) for number in range(count)], format, **options)


def walked(data: bytes, **limits: int) -> tuple[list[Frame], MediaError | None]:
    """All frames that come, and the error that ends them, from `open` or later."""
    frames: list[Frame] = []
    ended: MediaError | None = None
    try:
        for frame in open_picture(data, limits=Limits(**limits)).frames():
            frames.append(frame)
    except MediaError as error:
        ended = error
    assert ended is None or ended.reason in REASONS
    return frames, ended


FILES = {
    "image/jpeg": lambda: saved(drawn(), "JPEG"),
    "image/png": lambda: saved(drawn(), "PNG"),
    "image/gif": lambda: saved(drawn(), "GIF"),
    "image/webp": lambda: saved(drawn(), "WEBP"),
    "image/avif": lambda: saved(drawn(), "AVIF"),
    "image/tiff": lambda: saved(drawn(), "TIFF"),
    "image/bmp": lambda: saved(drawn(), "BMP"),
    "image/x-icon": lambda: saved(drawn(), "ICO", sizes=[(120, 90)]),
    "image/icns": lambda: saved(drawn().convert("RGBA").resize((64, 64)), "ICNS"),
    "image/jp2": lambda: saved(drawn(), "JPEG2000"),
    "image/mpo": lambda: animation("MPO", 2),
    "image/apng": lambda: animation("PNG", 2),
    "image/x-portable-pixmap": lambda: saved(drawn(), "PPM"),
}


@pytest.mark.parametrize("mime", FILES)
def test_the_type_is_told_by_the_content(mime: str) -> None:
    """No name is asked for: the type of each format comes from its bytes."""
    media = open_picture(FILES[mime]()).media
    size = (1024, 1024) if mime == "image/icns" else (120, 90)  # icons have set sizes
    assert media == Media(mime, *size, 2 if mime in ("image/mpo", "image/apng") else 1)


def test_arrays_and_images() -> None:
    """An array has no type; a Pillow image keeps that of the file it came from."""
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


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"PK\3\4" + bytes(60),
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(60),
        b"\x1a\x45\xdf\xa3" + bytes(60),
        b"RIFF\x40\0\0\0AVI LIST" + bytes(60),
        b"\xff\x0a" + bytes(60),
        b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
        b"SIMPLE  =                    T" + bytes(4000),
        b"\x89HDF\r\n\x1a\n" + bytes(60),
        b"GRIB" + bytes(60),
        b"BUFR" + bytes(60),
        b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
        b"\0\0\1\xb3" + bytes(60),
        b"just some text, which is no picture at all",
        b"\x93" * 200,
        b"x",
        b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 6, 8, 16, 3) + bytes(60),  # 16 bits a sample
        b"8BPS" + struct.pack(">H6xHIIHH", 2, 3, 6, 8, 8, 3) + bytes(60),  # a large document
        b"\xff\xd8\xff\xf7\0\x0b\x08\0\x30\0\x40\1\1\x11\0" + bytes(60),  # JPEG-LS
        b"IIU\0" + bytes(60),
        b"DDS " + struct.pack("<7I44x2I4s", 124, 0x1007, 8, 8, 0, 0, 0, 32, 4, b"ATC ") + bytes(60),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_picture_of_ours(data: bytes) -> None:
    """Documents, videos, formats without a decoder and formats that run programs: unsupported."""
    frames, error = walked(data)
    assert frames == []
    assert error is not None
    assert error.reason == "unsupported"


def test_a_png_that_apple_packs_its_own_way_is_not_told_as_broken() -> None:
    """As the tools for the apps of phones make of every PNG: without the head that zlib has."""
    data = saved(drawn(), "PNG")
    at = data.index(b"IDAT") + 4
    length = int.from_bytes(data[at - 8 : at - 4], "big")
    packed = zlib.decompress(data[at : at + length])
    bare = zlib.compressobj(wbits=-15)
    apples = png_of(
        chunk(b"CgBI", b"\x50\0\x20\2"),
        chunk(b"IHDR", data[16:29]),
        chunk(b"IDAT", bare.compress(packed) + bare.flush()),
    )
    _, error = walked(apples)
    assert error is not None
    assert error.reason == "unsupported"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + b"garbage" * 9,
        b"\xff\xd8\xff" + b"\x01" * 90,
        b"GIF89a" + bytes(40),
        b"II*\0\x08\0\0\0" + bytes(40),
        b"8BPS" + struct.pack(">H6xHIIHHII", 1, 1, 6, 8, 8, 1, 0, 40),
        b"8BPS" + struct.pack(">H6xHII", 1, 3, 6, 8),
    ],
    ids=lambda data: repr(data[:6]),
)
def test_a_known_type_that_is_broken(data: bytes) -> None:
    """The signature of a picture with nonsense behind it is broken, not unsupported."""
    frames, error = walked(data)
    assert frames == []
    assert error is not None
    assert error.reason in ("undecodable", "truncated")


@pytest.mark.parametrize("mime", FILES)
def test_pixel_limit_comes_before_pixels(mime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pixel too many is too_large from `open`, and no decoder has been made by then."""
    data = FILES[mime]()
    media = open_picture(data).media
    area = media.width * media.height
    assert walked(data, pixels=area)[1] is None

    def made(*_: object) -> None:
        raise AssertionError("a decoder was made")

    monkeypatch.setattr(Image, "_getdecoder", made)
    with pytest.raises(MediaError) as caught:
        open_picture(data, limits=Limits(pixels=area - 1))
    assert caught.value.reason == "too_large"


def test_limits_hold_for_arrays_and_images_too() -> None:
    """What is already decoded is held to the same pixel limit."""
    for source in (np.zeros((90, 120, 3), np.uint8), drawn()):
        with pytest.raises(MediaError, match="too_large"):
            open_picture(source, limits=Limits(pixels=90 * 120 - 1))
        assert len(list(open_picture(source, limits=Limits(pixels=90 * 120)).frames())) == 1


def test_byte_limit() -> None:
    """The size of the file is a limit of its own."""
    data = FILES["image/png"]()
    assert walked(data, bytes=len(data))[1] is None
    frames, error = walked(data, bytes=len(data) - 1)
    assert frames == []
    assert error is not None
    assert error.reason == "too_large"


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
    """The program's MAX_IMAGE_PIXELS neither warns (an error here) nor stops a picture of ours.

    120 x 90 pixels are over the first of the two limits, and over twice the second.
    """
    data = FILES[mime]()
    (wanted,) = open_picture(data).frames()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", own)
    (found,) = open_picture(data).frames()
    assert np.array_equal(found.pixels, wanted.pixels)


def test_pillows_limit_where_it_cannot_be_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP checks the program's limit inside Pillow: then it is too_large, not an exception."""
    data = FILES["image/webp"]()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    _, error = walked(data)
    assert error is None or error.reason == "too_large"


CUT = {
    "jpeg": lambda: saved(drawn(), "JPEG", quality=95),
    "jpeg progressive": lambda: saved(drawn(), "JPEG", quality=95, progressive=True),
    "jpeg cmyk": lambda: saved(drawn().convert("CMYK"), "JPEG", quality=95),
    "png": lambda: saved(drawn(), "PNG"),
    "png rgba": lambda: saved(drawn().convert("RGBA"), "PNG"),
    "gif": lambda: saved(drawn(), "GIF", interlace=0),
    "bmp grey": lambda: saved(drawn().convert("L"), "BMP"),
    "tiff": lambda: saved(drawn(), "TIFF"),
}


@pytest.mark.parametrize("case", CUT)
def test_a_cut_picture_comes_as_far_as_it_decodes(case: str) -> None:
    """Cut at three quarters, the first half of the rows is there; then `truncated` is raised."""
    data = CUT[case]()
    ((whole,), _) = walked(data)
    ((part,), error) = walked(data[: len(data) * 3 // 4])
    assert error is not None
    assert error.reason == "truncated"
    assert part.pixels.shape == whole.pixels.shape
    rows = slice(45, 90) if case == "bmp grey" else slice(0, 45)  # BMP starts at the bottom
    off = np.abs(part.pixels[rows].astype(int) - whole.pixels[rows])
    assert off.mean() < (4 if case == "jpeg progressive" else 0.01)


@pytest.mark.parametrize("case", CUT)
def test_a_cut_anywhere_is_never_a_whole_picture(case: str) -> None:
    """Wherever a file is cut before its last pixels, an error follows what could be decoded."""
    data = CUT[case]()
    for length in range(1, len(data) * 9 // 10, max(1, len(data) // 23)):
        frames, error = walked(data[:length])
        assert error is not None, length
        assert error.reason in ("truncated", "undecodable", "unsupported"), length
        assert len(frames) <= 1


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_frames_that_tell_no_time_follow_each_other_as_browsers_show_them(form):
    """Ten a second: at one time they were no sequence, by which listed videos are found. Pages of a
    file that does not move are all at 0.
    """
    pictures = [drawn(number) for number in range(4)]
    options = {"save_all": True, "append_images": pictures[1:]}
    frames, error = walked(saved(pictures[0], form, duration=0, **options))
    assert error is None
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    pages, _ = walked(saved(pictures[0], "TIFF", **options))
    assert [page.time for page in pages] == [0.0] * 4


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("at", [0, 24])
def test_a_frame_of_a_webp_whose_name_is_damaged_is_told(lossless: bool, at: int) -> None:
    """Its own, or that of the picture in it: libwebp passes over it and says nothing."""
    first, *rest = (drawn(number) for number in range(3))
    data = saved(first, "WEBP", save_all=True, append_images=rest, lossless=lossless)
    frames, error = walked(data)
    assert (len(frames), error) == (3, None)
    place = data.index(b"ANMF", data.index(b"ANMF") + 1) + at

    frames, error = walked(data[:place] + b"J" + data[place + 1 :])

    assert len(frames) == 2
    assert error is not None
    assert error.reason == "undecodable"


@pytest.mark.parametrize("default", [False, True])
@pytest.mark.parametrize("frames", [1, 2, None])
def test_a_png_that_has_more_frames_than_it_says_is_told(default: bool, frames: int | None) -> None:
    """Viewers and Pillow show as many as it says, and one where that chunk is no more; also where
    the picture of those who know no animations is none of them.
    """
    data = animation("PNG", 3 + default, default_image=default)
    assert walked(data)[1] is None

    found, error = walked(_declaring(frames, data))

    assert len(found) == (frames + default if frames else 1)
    assert error is not None
    assert error.reason == "undecodable"


def test_a_gif_cut_between_two_frames_is_told() -> None:
    """Wherever it is cut: also where a frame has ended and none has begun, which is behind a zero,
    and without the trailer alone.
    """
    first, *rest = (drawn(number, (32, 24)) for number in range(3))  # of several blocks each
    data = saved(first, "GIF", save_all=True, append_images=rest)
    for length in range(len(data) // 4, len(data)):
        if length % 16 and data[length - 1]:
            continue
        _, error = walked(data[:length])
        assert error is not None, length
        assert error.reason == "truncated"


def test_a_broken_picture_of_an_mpo_hides_no_other() -> None:
    """Each is a JPEG of its own: the others come, then the reason."""
    data = bytearray(animation("MPO", 3))
    start = data.index(b"\xff\xd8\xff", data.index(b"\xff\xd9"))
    data[start : start + 40] = bytes(40)
    frames, error = walked(bytes(data))
    assert [frame.part for frame in frames] == [0, 2]
    assert error is not None
    assert error.reason == "undecodable"


@pytest.mark.parametrize("said", [b"nan", b"inf", b"2*3", b"1e300"])
def test_a_header_may_say_anything_for_a_number(said: bytes) -> None:
    """Of frames, or of pixels: a reason, and no exception of Python's."""
    warnings.simplefilter("ignore")  # Pillow will not read IM for ever; pytest restores it
    data = saved(drawn().convert("L"), "IM")
    for field, value in ((b"(no of images): 1", said), (b"(x*y): 120*90", b"120*" + said)):
        at = data.index(field)
        name = field.split(b": ")[0] + b": "
        header = data[:at] + name + value + data[at + len(field) : 511]
        frames, error = walked(header.ljust(511, b"\0")[:511] + data[511:])
        assert error is not None, field
        assert error.reason in ("undecodable", "truncated", "unsupported", "too_large")
        assert len(frames) <= 1


def test_a_cut_tiff_is_turned_as_far_as_it_decodes() -> None:
    """Its orientation is applied to the rows that are there, as it is to a whole file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(drawn(), "TIFF", exif=exif)
    ((whole,), _) = walked(data)
    ((part,), error) = walked(data[: len(data) * 3 // 4])
    assert error is not None
    assert error.reason == "truncated"
    assert whole.pixels.shape == part.pixels.shape == (120, 90, 3)
    assert np.array_equal(part.pixels[:, 45:], whole.pixels[:, 45:])


@pytest.mark.parametrize("left", [1, 300, 4000])
def test_arithmetic_coding_across_the_blocks_of_a_file(material: Path, left: int) -> None:
    """A JPEG whose scan lies across the 64 KiB that Pillow reads at once comes whole, and as far as
    it goes where it is cut.
    """
    data = (material / "robustness" / "libjpeg-turbo" / "testimgari.jpg").read_bytes()
    scan = data.index(b"\xff\xda") + 14  # its header has 12 bytes and the mark
    note = b"\xff\xfe" + struct.pack(">H", 65536 - left - scan - 2)
    long = data[:2] + note + bytes(65536 - left - scan - 4) + data[2:]
    ((whole,), none), ((same,), nothing) = walked(data), walked(long)
    assert none is nothing is None
    assert np.array_equal(whole.pixels, same.pixels)

    (part,), error = walked(long[:-300])
    assert error is not None
    assert np.array_equal(part.pixels[:100], whole.pixels[:100])


def test_cut_files_whose_decoder_gives_nothing() -> None:
    """WebP and AVIF give no part of a cut picture: `truncated` all the same."""
    for mime in ("image/webp", "image/avif"):
        data = FILES[mime]()
        frames, error = walked(data[: len(data) // 2])
        assert frames == []
        assert error is not None
        assert error.reason == "truncated"


def test_a_given_image_that_is_cut() -> None:
    """A lazily opened Pillow image of a cut file gives its rows, then `truncated`."""
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


ANIMATED = {
    "GIF": {"duration": [100, 200, 300]},
    "WEBP": {"duration": [100, 200, 300], "lossless": True},
    "PNG": {"duration": [100, 200, 300]},
    "AVIF": {"duration": [100, 200, 300]},
    "TIFF": {},
    "MPO": {},
}


@pytest.mark.parametrize("format", ANIMATED)
def test_every_frame_comes_with_part_and_time(format: str) -> None:
    """Parts count from 0; times add up the durations before; pages have none."""
    data = animation(format, 3, **ANIMATED[format])
    picture = open_picture(data)
    assert picture.media.frames == 3
    frames = list(picture.frames())
    assert [frame.part for frame in frames] == [0, 1, 2]
    times = [0.0, 0.1, 0.3] if ANIMATED[format] else [0.0] * 3
    assert [frame.time for frame in frames] == pytest.approx(times)
    for number, frame in enumerate(frames):
        wanted = np.asarray(drawn(number), int)
        if frame.pixels.ndim == 2:
            wanted = np.rint(wanted @ [0.299, 0.587, 0.114])
        assert np.abs(frame.pixels - wanted).mean() < 12, "GIF has few colours, MPO is JPEG"


def test_a_text_that_is_named_as_a_duration_is_none() -> None:
    """It may stand behind any frame of a PNG, and is read with it."""
    data = animation("PNG", 3, duration=100)
    text = chunk(b"tEXt", b"duration\0long")
    for before in (b"fcTL", b"IEND"):
        at = data.rindex(before) - 4
        frames, error = walked(data[:at] + text + data[at:])
        assert error is None
        assert [frame.part for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize("format", ANIMATED)
def test_frames_can_be_walked_again(format: str) -> None:
    """A second walk, or one after a walk left half-way, gives the same frames."""
    picture = open_picture(animation(format, 3))
    next(picture.frames())
    first, second = list(picture.frames()), list(picture.frames())
    assert len(first) == len(second) == 3
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize("format", ANIMATED)
def test_frame_limit(format: str) -> None:
    """As many frames as the limit come, then too_large if there is one more, and only then."""
    data = animation(format, 3)
    for limit in (1, 2):
        frames, error = walked(data, frames=limit)
        assert len(frames) == limit
        assert error is not None
        assert error.reason == "too_large"
    frames, error = walked(data, frames=3)
    assert len(frames) == 3
    assert error is None


def test_frames_over_a_limit_are_told_of_a_cut_file_too() -> None:
    """What is there and was not looked at comes before what may be missing."""
    frames, error = walked(animation("GIF", 3)[:-1], frames=2)
    assert len(frames) == 2
    assert error is not None
    assert error.reason == "too_large"


def test_all_frames_together_have_a_limit() -> None:
    """Frames that each pass end in too_large once they exceed four times the pixel limit."""
    area = 120 * 90
    assert walked(animation("GIF", 4), pixels=area)[1] is None
    frames, error = walked(animation("GIF", 5), pixels=area)
    assert len(frames) == 4
    assert error is not None
    assert error.reason == "too_large"


def test_a_larger_page_is_held_to_the_limit() -> None:
    """The limit is checked again for every page, before that page is decoded."""
    data = saved(drawn(), "TIFF", save_all=True, append_images=[drawn(1, size=(240, 90))])
    frames, error = walked(data, pixels=120 * 90)
    assert len(frames) == 1
    assert error is not None
    assert error.reason == "too_large"


def test_pages_of_different_size_and_mode() -> None:
    """Each page of a TIFF or picture of an MPO comes in its own size and colours."""
    pages = [drawn(1, size=(50, 70)).convert("L"), drawn(2, size=(200, 20))]
    for format in ("TIFF", "MPO"):
        frames, error = walked(saved(drawn(), format, save_all=True, append_images=pages))
        assert error is None
        assert [frame.pixels.shape[:2] for frame in frames] == [(90, 120), (70, 50), (20, 200)]


@pytest.mark.parametrize("few", [0, 1 << 20])
def test_equal_frames_are_left_out(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame equal to the one before is skipped; part and time go on counting. Large frames are
    told apart by a digest, small ones by their pixels.
    """
    monkeypatch.setattr(sequence, "_FEW", few)
    at_its_end = drawn()
    at_its_end.putpixel((119, 89), (1, 2, 3))
    still = [drawn(), drawn(), drawn(1), drawn(), at_its_end]
    data = saved(drawn(), "TIFF", save_all=True, append_images=still)
    frames, error = walked(data)
    assert error is None
    assert [frame.part for frame in frames] == [0, 3, 4, 5]


@pytest.mark.parametrize("few", [0, 1 << 20])
def test_frames_of_equal_bytes_and_another_shape_are_others(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a picture that has one grey, lying and standing: each page has a hash of its own."""
    monkeypatch.setattr(sequence, "_FEW", few)
    lying, standing = (Image.new("L", size, 90) for size in ((120, 90), (90, 120)))
    pages = [standing, standing, lying]
    frames, error = walked(saved(lying, "TIFF", save_all=True, append_images=pages))
    assert error is None
    assert [(frame.part, frame.pixels.shape) for frame in frames] == [
        (0, (90, 120)),
        (1, (120, 90)),
        (3, (90, 120)),
    ]


@pytest.mark.parametrize(
    ("failing", "said"), [({1: "a", 3: "b"}, "a"), ({1: "a", 2: None}, None), ({1: None}, None)]
)
def test_of_several_pages_that_fail_the_first_is_told_but_for_want_of_memory(
    failing: dict[int, str | None], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is told whatever else fails: where there is more memory, there is more to be seen."""
    as_it_is = sequence.decoded

    def decode(image: ImageFile.ImageFile, data: bytes, *, part: int, alone: bool) -> object:
        if part not in failing:
            return as_it_is(image, data, part=part, alone=alone)
        detail = failing[part]
        raise ShortOfMemory("") if detail is None else MediaError("undecodable", detail)

    monkeypatch.setattr(sequence, "decoded", decode)
    frames, error = walked(animation("TIFF", 5))
    assert [frame.part for frame in frames] == [part for part in range(5) if part not in failing]
    assert error is not None
    assert isinstance(error, ShortOfMemory) == (said is None)
    assert error.detail == (said or "")


def _photoshop(layers: int) -> bytes:
    """A file of Photoshop's of 8 x 6 grey pixels, with layers that are a packed pixel each."""
    section = struct.pack(">h", layers)
    for _ in range(layers):
        section += struct.pack(">iiiiHhI", 0, 0, 1, 1, 1, 0, 6) + b"8BIMnorm\xff\0\0\0"
        section += struct.pack(">I", 12) + bytes(12)
    for layer in range(layers):
        section += struct.pack(">HHBB", 1, 2, 0, 200 + layer)
    section = struct.pack(">I", len(section)) + section
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 6, 8, 8, 1) + bytes(8)
    return head + struct.pack(">I", len(section)) + section + b"\0\0" + bytes(range(48))


def test_the_layers_of_a_photoshop_file_are_no_frames() -> None:
    """What it shows is their composite, which is one picture."""
    with Image.open(io.BytesIO(_photoshop(3))) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    ((frame,), error) = walked(_photoshop(3))
    assert error is None
    assert frame.pixels.tobytes() == bytes(range(48))
    assert open_picture(_photoshop(3)).media.frames == 1


def test_a_given_photoshop_image_is_the_layer_that_it_stands_at() -> None:
    """As of any Pillow image, its pixels are those of its frame."""
    with Image.open(io.BytesIO(_photoshop(3))) as image:
        image.seek(2)
        (frame,) = open_picture(image).frames()
    assert frame.pixels[0, 0] == 201


def _photoshop_that_says(number: int, said: bytes, packing: int = 0) -> bytes:
    """A file of Photoshop's of 8 x 6 grey pixels with that resource, packed by that number."""
    resource = b"8BIM" + struct.pack(">HxxI", number, len(said)) + said + bytes(len(said) % 2)
    head = b"8BPS" + struct.pack(">H6xHIIHHI", 1, 1, 6, 8, 8, 1, 0)
    head += struct.pack(">I", len(resource)) + resource + bytes(4)
    return head + struct.pack(">H", packing) + bytes(range(48))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_photoshop_that_says(1057, b"\0\0\0\1\1"), None),
        (_photoshop_that_says(1057, b"\0\0\0\1\0"), "unsupported"),
        (_photoshop_that_says(1058, b"\0\0\0\1\0"), None),
        (_photoshop_that_says(1057, b"\0\0\0\1\1", packing=2), "unsupported"),
        (_photoshop_that_says(1057, b"\0\0\0\1\1")[:-9], "truncated"),
    ],
    ids=["composite", "none", "another resource", "zipped", "cut"],
)
def test_a_photoshop_file_that_does_not_show_its_layers_is_told(
    data: bytes, reason: str | None
) -> None:
    """One that was saved without their composite has a white page in its place, which clears
    nothing; one whose composite cannot be unpacked is not cut.
    """
    _, error = walked(data)
    assert (error and error.reason) == reason


def _declaring(count: int | None, data: bytes) -> bytes:
    """An animated PNG that says that it has so many frames, or that it is a picture like others."""
    at = data.index(b"acTL") - 4
    said = b"" if count is None else chunk(b"acTL", struct.pack(">II", count, 0))
    return data[:at] + said + data[at + 20 :]


def test_a_lying_frame_count() -> None:
    """Declared frames that are not there end in `truncated`, at once, after those that are."""
    frames, error = walked(_declaring(2**31 - 1, animation("PNG", 3)))
    assert [frame.part for frame in frames] == [0, 1, 2]
    assert error is not None
    assert error.reason == "truncated"


def test_pages_that_go_round_in_a_circle() -> None:
    """A TIFF whose last page points to the first ends after its pages."""
    data = bytearray(animation("TIFF", 2))
    first = struct.unpack_from("<I", data, 4)[0]
    following = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, following)[0]
    end = second + 2 + 12 * struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, end, first)
    frames, error = walked(bytes(data))
    assert len(frames) == 2
    assert error is None


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


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[BaseException]:
    """A plugin of another package, whose pictures raise what is put into the list."""
    raised: list[BaseException] = []

    class FakeFile(ImageFile.ImageFile):
        format = "FAKE"
        n_frames = 1

        def _open(self) -> None:
            self._mode, self._size = "L", (8, 8)

        def seek(self, frame: int) -> None:
            if frame:
                raise EOFError("no more")

        def load(self) -> None:  # type: ignore[override]
            if raised:
                raise raised[0]
            self.im = Image.new("L", (8, 8), 77).im

    Image.preinit()
    Image.init()
    accept = lambda prefix: prefix.startswith(b"FAKE")  # noqa: E731
    monkeypatch.setattr(Image, "ID", [*Image.ID, "FAKE"])
    monkeypatch.setattr(FakeFile, "n_frames", getattr(request, "param", 1))
    monkeypatch.setitem(Image.OPEN, "FAKE", (FakeFile, accept))
    return raised


def test_plugins_of_other_packages_are_used(fake: list[BaseException]) -> None:
    """A format that the program has registered with Pillow, HEIF say, is decoded."""
    assert fake == []
    picture = open_picture(b"FAKE and more")
    (frame,) = picture.frames()
    assert picture.media.type == "image/x-fake"
    assert (frame.pixels == 77).all()


@pytest.mark.parametrize("fake", [0, -1], indirect=True)
def test_a_file_that_declares_no_frame_has_one(fake: list[BaseException]) -> None:
    """A decoder that counts none has opened a picture all the same."""
    picture = open_picture(b"FAKE")
    assert [frame.part for frame in picture.frames()] == [0]
    assert picture.media.frames == 1


@pytest.mark.parametrize("fake", [3], indirect=True)
def test_declared_frames_that_are_missing(fake: list[BaseException]) -> None:
    """A file that ends in good order before the frames it declares is cut short."""
    frames, error = walked(b"FAKE")
    assert len(frames) == 1
    assert error is not None
    assert error.reason == "truncated"
    assert "1 of 3" in error.detail


@pytest.mark.parametrize(
    ("layers", "info", "grey"),
    [
        ([(1, 2, 2, 0), (2, 1, 1, 1), (3, 1, 1, 1)], {"jfif": 257}, True),
        ([(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)], {"adobe_transform": 1}, True),
        ([(0, 2, 1, 0), (1, 1, 1, 1), (2, 1, 1, 1)], {}, True),
        ([(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)], {"adobe_transform": 0}, False),
        ([(82, 1, 1, 0), (71, 1, 1, 0), (66, 1, 1, 0)], {}, False),
        ([(1, 1, 2, 0), (2, 2, 1, 1), (3, 1, 1, 1)], {"jfif": 257}, False),
        ([(1, 1, 1, 0)], {"jfif": 257}, False),
        ([(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1), (4, 1, 1, 1)], {}, False),
    ],
)
def test_which_jpegs_are_decoded_to_grey(
    layers: list[tuple[int, int, int, int]], info: dict[str, object], grey: bool
) -> None:
    """Only YCbCr of three components, by libjpeg's own rules, with its luma at full size."""
    opened = pillow.open_image(FILES["image/jpeg"]())
    opened.layer, opened.info = layers, info  # type: ignore[attr-defined]
    assert pillow.luma_only(opened) is grey


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("secret"), "undecodable"),
        (SyntaxError("secret"), "undecodable"),
        (struct.error("secret"), "truncated"),
        (OverflowError("secret"), "undecodable"),
        (IndexError("secret"), "truncated"),
        (KeyError("secret"), "undecodable"),
        (TypeError("secret"), "undecodable"),
        (AttributeError("secret"), "undecodable"),
        (AssertionError("secret"), "undecodable"),
        (zlib.error("secret"), "undecodable"),
        (RuntimeError("secret"), "undecodable"),
        (RecursionError("secret"), "undecodable"),
        (EOFError("secret"), "truncated"),
        (ZeroDivisionError("secret"), "undecodable"),
        (OSError("secret"), "undecodable"),
        (OSError("image file is truncated"), "truncated"),
        (UserWarning("secret"), "undecodable"),
        (UserWarning("Truncated File Read"), "undecodable"),
        (MemoryError("secret"), "too_large"),
        (Image.DecompressionBombError("secret"), "too_large"),
        (Image.DecompressionBombWarning("secret"), "too_large"),
    ],
    ids=repr,
)
def test_every_exception_of_a_plugin_becomes_a_reason(
    fake: list[BaseException], error: Exception, reason: str
) -> None:
    """Whatever a plugin throws is a MediaError; what it said, which may quote the file, is not."""
    fake.append(error)
    frames, caught = walked(b"FAKE")
    assert frames == []
    assert caught is not None
    assert caught.reason == reason
    assert "secret" not in str(caught)


def test_interrupts_pass(fake: list[BaseException]) -> None:
    """Ctrl-C while decoding is not a property of the file."""
    fake.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        list(open_picture(b"FAKE").frames())


def test_a_webp_that_lacks_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP's decoder says one thing for every trouble: too_large where its canvas has no room."""
    said, data = OSError("could not create decoder object"), FILES["image/webp"]()
    assert errors.failure(said, data, "").reason == "undecodable"

    def full(size: int) -> bytearray:
        assert size >= 120 * 90 * 8
        raise MemoryError

    monkeypatch.setattr(errors, "bytearray", full, raising=False)
    assert errors.failure(said, data, "").reason == "too_large"
    assert errors.failure(said, data[:-9], "").reason == "truncated"


def test_threads_share_nothing() -> None:
    """Many threads on many formats at once give what one thread gives."""
    files = [make() for make in FILES.values()] + [make()[:-40] for make in CUT.values()]

    def prints(data: bytes) -> list[object]:
        frames, error = walked(data)
        return [*(frame.pixels.tobytes() for frame in frames), error and error.reason]

    alone = [prints(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(prints, files * 6)) == alone * 6


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize(
    ("bits", "channels", "level", "reason"),
    [
        (16, 3, 255, "unsupported"), (16, 3, 250, None), (16, 4, 250, "unsupported"),
        (16, 1, 255, None), (8, 3, 255, None), (8, 4, 250, None),
    ],
)  # fmt: skip
def test_a_jpeg_2000_whose_white_may_have_become_black_is_told(
    boxed: bool, bits: int, channels: int, level: int, reason: str | None
) -> None:
    """Pillow makes 0 of the whitest samples of deep colours, and clear of what is opaque: such a
    picture comes, and clears nothing. Where there is no 0, none has become one.
    """
    stored = np.asarray(drawn(), np.uint16).clip(10, 200)
    stored[:40] = level
    stored = np.dstack([stored, np.full_like(stored[..., :1], 255)])[..., :channels]
    deep = stored * 257 if bits == 16 else stored.astype(np.uint8)
    data = cv2.imencode(".jp2", deep)[1].tobytes()

    frames, error = walked(data if boxed else data[data.index(b"\xff\x4f\xff\x51") :])

    assert len(frames) == 1
    assert (error.reason if error else None) == reason


def test_a_second_picture_of_a_jpeg_2000_is_told() -> None:
    """Pillow gives the first, which is compared."""
    first, second = (saved(drawn(number), "JPEG2000") for number in range(2))

    frames, error = walked(first + second[second.index(b"jp2c") - 4 :])

    assert [frame.part for frame in frames] == [0]
    assert error is not None
    assert error.reason == "unsupported"


def test_nothing_of_the_process_is_changed() -> None:
    """Pillow's switches and the warnings' filters are as they were, in error and success."""

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
    """Bytes changed anywhere and the end cut off: frames or a MediaError, nothing else."""
    data = bytearray(FILES[mime]())
    for where, value in damage:
        data[int(where * (len(data) - 1))] = value
    frames, error = walked(bytes(data[: int(len(data) * kept)]), pixels=200_000)
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


def test_memory_that_lacks_for_what_is_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut picture of which the rest does not fit is `too_large`, not one of which nothing is
    left: where there is more memory, there is a picture to be compared.
    """
    cut = saved(drawn(), "BMP")[:-200]
    frames, error = walked(cut)
    assert len(frames) == 1
    assert error is not None
    assert error.reason == "truncated"

    def short(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("screener.media.image.pillow.remains", short)
    frames, error = walked(cut)

    assert not frames
    assert error is not None
    assert error.reason == "too_large"
