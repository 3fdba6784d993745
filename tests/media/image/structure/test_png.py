"""PNGs whose texts, profiles or checksums make Pillow fail."""

import struct
import zlib

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from picture_bytes import saved
from PIL import Image
from png_chunks import chunk, png_of

from screener.media.image.open_image import open as open_picture
from screener.media.image.structure import png


def put(data: bytes, *chunks: bytes, before: bytes = b"IDAT") -> bytes:
    """Return a PNG with chunks before the first of a name."""
    at = data.index(before) - 4
    return data[:at] + b"".join(chunks) + data[at:]


REFUSED = {
    "a name of Pillow's": chunk(b"tEXt", b"interlace\0hello"),
    "a place": chunk(b"tEXt", b"bbox\0(0, 0, 4, 4)"),
    "a long text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20))),
    "a long profile": chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2 << 20))),
    "another checksum": chunk(b"tEXt", b"Comment\0hello", sound=False),
    "a profile of no kind": chunk(b"iCCP", b"x\0\7" + zlib.compress(b"x")),
    "less than a gamma": chunk(b"gAMA", b"\0"),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_a_chunk_that_pillow_refuses_hides_no_picture(scene, what, before, mode):
    """Every viewer ignores it: the picture is complete, and turned as the file says."""
    picture = scene(3, (90, 60)).convert(mode)
    exif = Image.Exif()
    exif[0x112] = 6
    plain = saved(picture, "PNG", exif=exif)
    (expected,) = open_picture(plain).frames()
    (found,) = open_picture(put(plain, REFUSED[what], before=before)).frames()

    assert np.array_equal(found.pixels, expected.pixels)


def test_what_is_clear_stays_clear(scene):
    """Palettes with alpha and single transparent colours survive."""
    picture = scene(3, (90, 60)).quantize(16)
    plain = saved(picture, "PNG", transparency=bytes(range(0, 256, 17)))
    (expected,) = open_picture(plain).frames()
    (found,) = open_picture(put(plain, REFUSED["a place"])).frames()

    assert np.array_equal(found.pixels, expected.pixels)


@pytest.mark.parametrize("name", ["blend", "disposal", "bbox", "transparency", "default_image"])
def test_a_text_changes_no_frame_of_an_animation(scene, name):
    """Frames are composed by their own chunks only."""
    first, second = scene(3, (90, 60)), scene(4, (90, 60))
    second.paste(first.crop((0, 0, 90, 40)), (0, 0))  # so that a part of a frame is stored
    plain = saved(first, "PNG", save_all=True, append_images=[second], duration=100)
    text = chunk(b"tEXt", name.encode() + b"\0" + b"1")
    expected = [frame.pixels for frame in open_picture(plain).frames()]
    for before in (b"acTL", b"IDAT", b"fdAT"):
        found = [frame.pixels for frame in open_picture(put(plain, text, before=before)).frames()]
        assert len(found) == len(expected) == 2
        assert all(map(np.array_equal, found, expected)), before


@pytest.mark.parametrize("clear", [0, 1, -1])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_one_clear_grey_of_few_bits_is_clear(bits, clear):
    """It is stored in the bits of a sample, while Pillow reads samples as 8 bits."""
    samples = np.arange(16, dtype=np.uint8).reshape(2, 8) % (1 << bits)
    clear %= 1 << bits
    each = np.unpackbits(samples[..., None], axis=2)[..., -bits:].reshape(2, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(each, axis=1))
    head = chunk(b"IHDR", struct.pack(">2I5B", 8, 2, bits, 0, 0, 0, 0))
    clear_chunk = chunk(b"tRNS", struct.pack(">H", clear))

    (frame,) = open_picture(png_of(head, clear_chunk, chunk(b"IDAT", zlib.compress(rows)))).frames()

    wanted = np.where(samples == clear, 255, samples * (255 // ((1 << bits) - 1)))
    assert np.array_equal(frame.pixels, wanted)


def test_a_broken_picture_is_as_broken_as_before(scene):
    """Broken pixels are reported, and returned as far as they decode."""
    plain = saved(scene(3, (90, 60)), "PNG")
    cut = put(plain, REFUSED["a name of Pillow's"])[:-500]
    frames, reason = [], None
    try:
        for frame in open_picture(cut).frames():
            frames.append(frame.pixels)
    except Exception as error:
        reason = error.reason
    assert reason == "truncated"
    (whole,) = open_picture(plain).frames()
    assert np.array_equal(frames[0][:20], whole.pixels[:20])


def test_what_has_nothing_else_is_left_alone(scene):
    """A PNG of pixels alone is not copied."""
    assert png.strip(saved(scene(3, (9, 6)), "PNG")) is None
    assert png.strip(b"GIF89a") is None


def count_and_reason(data: bytes) -> tuple[int, str | None]:
    """Return how many frames a file has, and the reason that follows them."""
    frames, reason = frames_and_reason(data)
    return len(frames), reason


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
def test_an_end_that_was_never_written_is_reported(share):
    """A decoder takes zeros in the last data for rows, so a partly written file looks complete."""
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
        whole = saved(Image.fromarray(noise).resize((240, 180)), "PNG")
        written = whole[: round(share * len(whole))]
        assert count_and_reason(whole) == (1, None)
        assert count_and_reason(written.ljust(len(whole), b"\0")) == (1, "undecodable")


def test_a_frame_with_another_checksum_is_reported(scene):
    """It comes behind all frames, none of which is lost; the checksum of a text does not matter."""
    more = {"save_all": True, "append_images": [scene(4, (90, 60))]}
    whole = saved(scene(3, (90, 60)), "PNG", **more)
    for name in (b"IDAT", b"fdAT"):
        start = whole.index(name) - 4
        end = start + 12 + int.from_bytes(whole[start : start + 4], "big")
        assert count_and_reason(whole[: end - 1] + bytes([whole[end - 1] ^ 1]) + whole[end:]) == (
            2,
            "undecodable",
        )
    assert count_and_reason(put(whole, chunk(b"tEXt", b"Comment\0hello", sound=False))) == (
        2,
        None,
    )


def test_an_interlaced_animation_has_all_its_frames(scene):
    """Each is decoded as the first is."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]

    def packed(picture: Image.Image) -> bytes:
        shown = np.asarray(picture)
        parts = [shown[y::down, x::right] for x, y, right, down in [*passes, (0, 1, 1, 2)]]
        return zlib.compress(b"".join(b"\0" + row.tobytes() for part in parts for row in part))

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">5I2H2B", number, 90, 60, 0, 0, 1, 10, 0, 0))

    pictures = [scene(seed, (90, 60)).convert("RGB") for seed in (3, 4, 5)]
    first, second, third = map(packed, pictures)
    data = chunk(b"IHDR", struct.pack(">2I5B", 90, 60, 8, 2, 0, 0, 1))
    data += chunk(b"acTL", struct.pack(">2I", 3, 0)) + control(0) + chunk(b"IDAT", first)
    data += control(1) + chunk(b"fdAT", struct.pack(">I", 2) + second)
    data += control(3) + chunk(b"fdAT", struct.pack(">I", 4) + third)

    found = [frame.pixels for frame in open_picture(png_of(data)).frames()]
    assert len(found) == 3
    for pixels, picture in zip(found, pictures, strict=True):
        assert np.array_equal(pixels, np.asarray(picture))
