"""Pictures that lack data but end as complete ones do are reported, and no others."""

import itertools
import re
import struct
import zlib

import numpy as np
import pytest
from frames_of_file import frames_and_reason, pixels_and_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_bytes import jpeg, several
from PIL import Image
from png_chunks import chunk, png_of

from screener.media.image import missing_data
from screener.media.image.structure import png as png_file

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
JPEGS = {
    "plain": {},
    "not subsampled": {"subsampling": 0},
    "restarts": {"restart_marker_rows": 1},
    "restarts within rows": {"restart_marker_blocks": 3},
    "turned": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"},
    "coded as RGB": {"keep_rgb": True},
}


def drawn(mode="RGB", size=(233, 187), *, dark=0.0, seed=0):
    """Return coarse noise whose lower part, as a share of the height, is black."""
    width, height = size
    rng = np.random.default_rng(seed)
    shape = (height // 4 + 1, width // 4 + 1)
    if CHANNELS[mode] > 1:
        shape += (CHANNELS[mode],)
    coarse = Image.fromarray(rng.integers(1, 256, shape, np.uint8), mode)
    pixels = np.array(coarse.resize(size))
    pixels[height - round(dark * height) :] = 0
    return Image.fromarray(pixels, mode)


def cut(data, share):
    """Return a JPEG with so much of its pixel data, and an end marker all the same."""
    start = data.rindex(b"\xff\xda") + 14
    return data[: start + int((len(data) - 2 - start) * share)] + b"\xff\xd9"


def png(pixels, *, bits=8, colours=0, interlaced=False, lacking=0):
    """Return a PNG whose compressed data end well, and `lacking` bytes too early.

    Each row of `pixels` is an array of samples, a byte each or, of 16 bits, two.
    """
    height, width = pixels.shape[:2]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
    passes += [(1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for left, top, right, down in passes if interlaced else [(0, 0, 1, 1)]:
        part = pixels[top::down, left::right]
        if part.size:
            for row in part:
                packed = np.packbits(row) if bits == 1 else row
                raw += b"\0" + packed.tobytes()
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, int(interlaced))
    packed = zlib.compress(raw[: len(raw) - lacking])
    half = len(packed) // 2
    chunks = [chunk(b"IHDR", head), chunk(b"IDAT", packed[:half]), chunk(b"IDAT", packed[half:])]
    if colours == 3:
        chunks.insert(1, chunk(b"PLTE", bytes(range(256)) * 3))
    return png_of(*chunks)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("dark", [0.0, 0.3])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_cut_before_its_mark_for_the_end_is_reported(options, dark, share):
    """It is `truncated` behind the rows that are there, even if the missing ones would be dark."""
    whole = jpeg(drawn(dark=dark), **options)
    frames, reason = pixels_and_reason(cut(whole, share))
    assert reason == "truncated"
    assert [frame.shape[:2] for frame in frames] == [pixels_and_reason(whole)[0][0].shape[:2]]
    assert pixels_and_reason(whole)[1] is None


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_cut_grey_and_four_inks_are_reported(mode):
    """It is `truncated` whatever its colours."""
    whole = jpeg(drawn(mode))
    assert pixels_and_reason(cut(whole, 0.6))[1] == "truncated"
    assert pixels_and_reason(whole)[1] is None


def test_a_cut_picture_within_an_mpo_is_reported():
    """For each picture of the file its own data count."""
    whole = several([drawn(), drawn(seed=1), drawn(seed=2)], "MPO")
    assert pixels_and_reason(whole)[1] is None
    starts = [at for at in range(len(whole)) if whole.startswith(b"\xff\xd8\xff", at)]
    assert len(starts) == 3
    for start, end in zip(starts, [*starts[1:], len(whole)], strict=True):
        # As long as before, so that the others stay where they are.
        lost = cut(whole[start:end], 0.5)
        short = whole[:start] + lost.ljust(end - start, b"\0") + whole[end:]
        frames, reason = pixels_and_reason(short)
        assert (len(frames), reason) == (3, "truncated")


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    dark=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    quality=st.integers(5, 95),
    subsampling=st.sampled_from([0, 1, 2]),
    restarts=st.integers(0, 3),
    optimize=st.booleans(),
)
def test_no_whole_jpeg_is_reported(
    width, height, dark, mode, quality, subsampling, restarts, optimize
):
    """Whatever its size, and however dark its end, nothing is missing."""
    whole = jpeg(
        drawn(mode, (width, height), dark=dark),
        quality=quality,
        subsampling=subsampling,
        restart_marker_rows=restarts,
        optimize=optimize,
    )
    assert pixels_and_reason(whole)[1] is None


PROGRESSIVE = {
    "luma only": jpeg(drawn("L"), progressive=True),
    "colours": jpeg(drawn(), progressive=True),
    "colours, turned": jpeg(drawn(), progressive=True, exif=JPEGS["turned"]["exif"]),
    "four inks": jpeg(drawn("CMYK"), progressive=True),
}


@pytest.mark.parametrize("whole", PROGRESSIVE.values(), ids=PROGRESSIVE)
def test_a_progressive_jpeg_that_lacks_a_scan_is_reported(whole):
    """It is `truncated` and coarser. Scans of the next JPEG do not count."""
    heads = [found.start() for found in re.finditer(b"\xff\xda", whole)]
    assert len(heads) > 4
    assert pixels_and_reason(whole)[1] is None
    size = pixels_and_reason(whole)[0][0].shape[:2]
    for place in [heads[0] + 40, *heads[1:], heads[-1] - 20]:
        ended = whole[:place] + b"\xff\xd9"
        frames, reason = pixels_and_reason(ended)
        assert ([frame.shape[:2] for frame in frames], reason) == ([size], "truncated")
        assert missing_data.lacks_jpeg_data(ended + bytes(2) + whole[heads[0] :])


@pytest.mark.parametrize("whole", PROGRESSIVE.values(), ids=PROGRESSIVE)
def test_a_progressive_jpeg_cut_within_a_header_ends_there(whole):
    """At any byte of the tables before a scan or of the scan's head, whatever JPEG stands behind
    it.
    """
    heads = [found.start() for found in re.finditer(b"\xff\xda", whole)]
    for before, head in itertools.pairwise(heads):
        table = whole.find(b"\xff\xc4", before, head)
        for place in range(head if table < 0 else table, head + 10):
            ended = whole[:place] + b"\xff\xd9" + bytes(2)
            assert missing_data.lacks_jpeg_data(ended + whole[heads[0] :]), (head, place)


def test_a_sequential_jpeg_that_lacks_a_component_is_reported():
    """Its data may come component by component; without colours it is another picture."""
    whole = jpeg(drawn(), subsampling=0)
    start = whole.rindex(b"\xff\xda")
    luma = jpeg(drawn("L"))
    first = luma.rindex(b"\xff\xda")
    # The data of a grey picture are those of one component: three times they are three.
    scans = b""
    for component in (1, 2, 3):
        head = luma[first : first + 5] + bytes((component,)) + luma[first + 6 : first + 10]
        scans += head + luma[first + 10 : -2]
        reason = pixels_and_reason(whole[:start] + scans + b"\xff\xd9")[1]
        assert reason == (None if component == 3 else "truncated")


@pytest.mark.parametrize("size", [(8, 8), (3, 40)])
def test_no_narrow_jpeg_is_reported(size):
    """A row of one small block may have any grey."""
    for grey in range(256):
        assert pixels_and_reason(jpeg(Image.new("L", size, grey), quality=95))[1] is None


KINDS = {
    "grey": (8, 0, (), np.uint8),
    "grey with alpha": (8, 4, (2,), np.uint8),
    "colours": (8, 2, (3,), np.uint8),
    "colours with alpha": (8, 6, (4,), np.uint8),
    "palette": (8, 3, (), np.uint8),
    "two values": (1, 0, (), np.bool_),
    "deep grey": (16, 0, (), ">u2"),
    "deep colours": (16, 2, (3,), ">u2"),
}


def samples(kind, size=(61, 47), *, dark=0.0):
    """Return noise for a kind of PNG; the last rows are zeros."""
    _, _, channels, dtype = KINDS[kind]
    width, height = size
    most = 2 if kind == "two values" else 256
    found = np.random.default_rng(0).integers(0, most, (height, width, *channels)).astype(dtype)
    found[height - round(dark * height) :] = 0
    return found


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("dark", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_png_with_too_few_rows_is_reported(kind, dark, interlaced):
    """It is `truncated`, even by one byte; with all bytes it is sound."""
    bits, colours, *_ = KINDS[kind]
    pixels = samples(kind, dark=dark)

    def made(lacking):
        return png(pixels, bits=bits, colours=colours, interlaced=interlaced, lacking=lacking)

    assert pixels_and_reason(made(0))[1] is None
    row = 1 + len(np.packbits(pixels[0]) if bits == 1 else pixels[0].tobytes())
    for lacking in (1, row, 500):
        frames, reason = pixels_and_reason(made(lacking))
        assert (len(frames), reason) == (1, "truncated")


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (4, 4), (8, 8), (5, 3)])
def test_no_small_interlaced_png_is_reported(size):
    """Some of its seven passes have no pixels."""
    assert pixels_and_reason(png(samples("grey", size, dark=0.5), interlaced=True))[1] is None
    assert (
        pixels_and_reason(png(samples("grey", size), interlaced=True, lacking=1))[1] == "truncated"
    )


def test_more_data_than_rows_is_nothing_missing():
    """Some encoders write more than they declare."""
    pixels = samples("grey", dark=0.3)
    more = np.vstack([pixels, pixels])
    short = png(more)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    data = short[:8] + chunk(b"IHDR", head) + short[33:]
    assert pixels_and_reason(data)[1] is None


@settings(deadline=None, max_examples=200)
@given(
    which=st.sampled_from(["luma only", "colours", "four inks", "plain", "png"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    share=st.floats(0, 1),
)
def test_nothing_that_is_looked_through_raises(which, changes, share):
    """Any damage has an answer."""
    whole = {"plain": jpeg(drawn()), "png": png(samples("grey"))} | PROGRESSIVE
    data = bytearray(whole[which])
    for place, value in changes:
        # Half of them in the headers.
        data[int(place * len(data) if value % 2 else place * min(len(data), 700))] = value
    data = bytes(data[: round(share * len(data))])
    assert missing_data.lacks_jpeg_data(data) in (True, False)
    assert png_file.lacks_rows(data, dark=True) in (True, False)


def test_a_head_of_a_scan_that_is_cut_tells_nothing():
    """The heads of scans may be of any length."""
    whole = PROGRESSIVE["colours"]
    first = whole.index(b"\xff\xda")
    for length in range(2, 12):
        head = b"\xff\xda" + length.to_bytes(2, "big") + b"\x03" * (length - 2)
        assert missing_data.lacks_jpeg_data(whole[:first] + head + b"\xff\xd9")


def claimed(format, side, data):
    """Return the file of a picture that claims to be a square, with so many bytes of data."""
    size = struct.pack("<2I", side, side)
    dds = b"DDS " + struct.pack("<2I", 124, 0x1007) + size + bytes(56) + struct.pack("<I", 32)
    if format == "DXT1":
        return dds + struct.pack("<I4s", 4, b"DXT1") + bytes(40) + data
    if format == "BC7":
        head = struct.pack("<I4s", 4, b"DX10") + bytes(40) + struct.pack("<5I", 98, 3, 0, 0, 1)
        return dds + head + data
    if format == "DDS":
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0)
        return dds + struct.pack("<III", 0x40, 0, 24) + masks + bytes(20) + data
    if format == "BLP":
        place = struct.pack("<I60xI60x", 1172, len(data))
        return b"BLP2" + struct.pack("<i4B", 1, 2, 0, 0, 0) + size + place + bytes(1024) + data
    if format == "FTEX":
        return b"FTEX" + struct.pack("<i", 0) + size + struct.pack("<5i", 1, 1, 0, 32, 99) + data
    if format == "BMP":
        head = struct.pack("<2sI4xI", b"BM", 54 + len(data), 54) + struct.pack("<I", 40) + size
        return head + struct.pack("<HHI20x", 1, 24, 0) + data
    if format in ("P2", "P4", "P5"):
        most = b"" if format == "P4" else b" 200"
        return f"{format} {side} {side}".encode() + most + b"\n" + data
    if format == "SGI":
        return (
            struct.pack(">HBBHHHHII", 474, 0, 1, 2, side, side, 1, 0, 255).ljust(512, b"\0") + data
        )
    assert format == "QOI"
    return b"qoif" + struct.pack(">2I", side, side) + b"\3\0" + data


CLAIMED = ("DXT1", "BC7", "DDS", "BLP", "FTEX", "BMP", "P2", "P4", "P5", "SGI", "QOI")


@pytest.mark.parametrize("format", CLAIMED)
def test_a_few_bytes_that_claim_a_large_picture_are_not_decoded(format):
    """Decoding and hashing it would take seconds, for a file of a kilobyte."""
    data = claimed(format, 8_000, b"7 " * 800)
    frames, reason = pixels_and_reason(data)

    assert (frames, reason) == ([], "truncated")


@pytest.mark.parametrize("format", ["DXT1", "DDS", "BMP", "P5", "SGI"])
@pytest.mark.parametrize(("side", "length"), [(2_000, 40_000), (2_100, 600_000)])
def test_what_is_there_of_a_picture_is_decoded_if_that_is_cheap(format, side, length):
    """A small picture with any data, and a large one with a part of them."""
    frames, reason = pixels_and_reason(claimed(format, side, b"\x7f" * length))

    assert (len(frames), reason) == (1, "truncated")


def test_a_picture_behind_a_few_bytes_that_claim_a_large_one_is_found():
    """The hidden picture may be a listed one."""
    frames, reason = frames_and_reason(claimed("BMP", 8_000, b"") + jpeg(drawn()))

    assert [frame.part_kind for frame in frames] == ["appended"]
    assert reason == "truncated"
