"""Files that are not opened or decoded have a reason, whatever a plugin raises."""

from __future__ import annotations

import struct
import warnings
import zlib

import pytest
from frames_of_file import frames_and_reason
from picture_bytes import saved
from picture_files import FILES, drawn, frames_and_error
from PIL import Image, ImageFile
from png_chunks import chunk, png_of

from screener.media.image import errors
from screener.media.image.open_image import open as open_picture


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
    frames, reason = frames_and_reason(data)
    assert frames == []
    assert reason == "unsupported"


def test_a_png_that_apple_packs_its_own_way_is_not_reported_as_broken() -> None:
    """Apple's tools for apps write every PNG so: without the header of zlib."""
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
    _, reason = frames_and_reason(apples)
    assert reason == "unsupported"


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
    """Nonsense behind the signature of a picture is broken, not unsupported."""
    frames, reason = frames_and_reason(data)
    assert frames == []
    assert reason in ("undecodable", "truncated")


@pytest.mark.parametrize("said", [b"nan", b"inf", b"2*3", b"1e300"])
def test_a_header_may_say_anything_for_a_number(said: bytes) -> None:
    """Whatever it says of frames or pixels, there is a reason and no other exception."""
    warnings.simplefilter("ignore")  # Pillow will not read IM for ever; pytest restores it
    data = saved(drawn().convert("L"), "IM")
    for field, value in ((b"(no of images): 1", said), (b"(x*y): 120*90", b"120*" + said)):
        at = data.index(field)
        name = field.split(b": ")[0] + b": "
        header = data[:at] + name + value + data[at + len(field) : 511]
        frames, ended = frames_and_reason(header.ljust(511, b"\0")[:511] + data[511:])
        assert ended in ("undecodable", "truncated", "unsupported", "too_large")
        assert len(frames) <= 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[BaseException]:
    """Return a list; a plugin of another package raises what is put into it."""
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
    """A format that the program has registered with Pillow is decoded."""
    assert fake == []
    picture = open_picture(b"FAKE and more")
    (frame,) = picture.frames()
    assert picture.media.type == "image/x-fake"
    assert (frame.pixels == 77).all()


@pytest.mark.parametrize("fake", [0, -1], indirect=True)
def test_a_file_that_declares_no_frame_has_one(fake: list[BaseException]) -> None:
    """Its decoder has opened a picture all the same."""
    picture = open_picture(b"FAKE")
    assert [frame.part for frame in picture.frames()] == [0]
    assert picture.media.frames == 1


@pytest.mark.parametrize("fake", [3], indirect=True)
def test_declared_frames_that_are_missing(fake: list[BaseException]) -> None:
    """A file that ends properly before the frames it declares is cut short."""
    frames, error = frames_and_error(b"FAKE")
    assert len(frames) == 1
    assert error is not None
    assert error.reason == "truncated"
    assert "1 of 3" in error.detail


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
    """The MediaError does not repeat the plugin's message, which may quote the file."""
    fake.append(error)
    frames, caught = frames_and_error(b"FAKE")
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
    """WebP's decoder has one message for every trouble: `too_large` if its canvas does not fit."""
    said, data = OSError("could not create decoder object"), FILES["image/webp"]()
    assert errors.as_media_error(said, data, "").reason == "undecodable"

    def full(size: int) -> bytearray:
        assert size >= 120 * 90 * 8
        raise MemoryError

    monkeypatch.setattr(errors, "bytearray", full, raising=False)
    assert errors.as_media_error(said, data, "").reason == "too_large"
    assert errors.as_media_error(said, data[:-9], "").reason == "truncated"


def test_memory_that_lacks_for_what_is_left_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the rest of a cut picture does not fit into memory, the reason is `too_large`."""
    cut = saved(drawn(), "BMP")[:-200]
    frames, ended = frames_and_reason(cut)
    assert len(frames) == 1
    assert ended == "truncated"

    def short(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("screener.media.image.pillow.salvage", short)
    frames, ended = frames_and_reason(cut)

    assert not frames
    assert ended == "too_large"
