"""Reading an input once: limits, and what is not a regular file."""

import errno
import io
import os
import types
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from paths import REPOSITORY
from PIL import Image

from screener import Screener
from screener.errors import MediaError
from screener.media import source
from screener.media.name import Name, name_of

FIXTURES = REPOSITORY / "fixtures"


def test_a_file_is_read_whole_and_closed(tmp_path):
    """Its bytes are the content, up to and including the limit."""
    file = tmp_path / "file"
    file.write_bytes(b"12345")

    assert source.read(file, limit=5) == source.Source(b"12345")
    assert source.read(os.fspath(file), limit=5) == source.Source(b"12345")


def test_a_file_beyond_the_limit_is_handed_over_as_a_stream(tmp_path):
    """It is not loaded; the caller reads and closes it."""
    file = tmp_path / "file"
    file.write_bytes(b"123456")

    found = source.read(file, limit=5)

    with found.file as stream:
        assert (found.content, stream.read()) == (None, b"123456")


def test_bytes_in_every_form_are_content():
    """bytes, bytearray, memoryview and file objects."""
    for item in (b"ab", bytearray(b"ab"), memoryview(b"ab"), io.BytesIO(b"ab")):
        assert source.read(item, limit=2).content == b"ab"


def test_a_stream_without_end_is_cut_off_at_the_limit():
    """It is `too_large`, and does not fill the memory."""

    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return b"x" * size

    with pytest.raises(MediaError, match="too_large"):
        source.read(Endless(), limit=3_000_000)


def test_a_file_object_beyond_the_limit_is_handed_over_from_where_it_stood():
    """If it reports an end, it is handed over for its digests, and stays open."""
    lent = io.BytesIO(b"-123456")
    lent.seek(1)

    with source.read(lent, limit=5) as found:
        assert (found.content, found.file.read()) == (None, b"123456")

    assert not lent.closed
    with open("/dev/zero", "rb") as endless, pytest.raises(MediaError, match="too_large"):
        source.read(endless, limit=5)
    with pytest.raises(MediaError, match="too_large"):
        source.read(Giving(b"123", b"456"), limit=5)


def test_a_text_stream_is_named_as_the_mistake():
    """A file opened in text mode cannot be hashed."""
    with pytest.raises(MediaError, match="binary"):
        source.read(io.StringIO("text"), limit=100)
    with pytest.raises(MediaError, match="opened as text; open it as binary"):
        source.read(io.TextIOWrapper(io.BytesIO(b"\xff\xd8"), "utf-8"), limit=100)


def test_a_stream_that_fails_is_unreadable():
    """It does not crash; the message names a closed file object, as of a finished upload."""
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(MediaError, match="unreadable: the file object is closed"):
        source.read(closed, limit=10)


def test_a_file_object_at_its_end_is_not_taken_for_an_empty_one():
    """It was read or written before; one that holds nothing, or reports no place, is empty."""
    written = io.BytesIO()
    written.write(b"ab")
    with pytest.raises(MediaError, match=r"unreadable: .*seek\(0\)"):
        source.read(written, limit=10)

    assert source.read(io.BytesIO(), limit=10).content == b""
    silent = types.SimpleNamespace(read=lambda size: b"")
    assert source.read(silent, limit=10).content == b""


class Giving:
    """A file object that returns these pieces, or raises those that are exceptions.

    It stands at its start and can go back there, but not to its end.
    """

    def __init__(self, *pieces):
        self._pieces, self._at = pieces, 0

    def seekable(self):
        """It says that it can."""
        return True

    def tell(self):
        """Which piece is next."""
        return self._at

    def seek(self, offset, whence=0):
        """From the start only."""
        if whence:
            raise OSError
        self._at = offset

    def read(self, size):
        """The next piece, or none."""
        if self._at == len(self._pieces):
            return b""
        piece = self._pieces[self._at]
        self._at += 1
        if isinstance(piece, Exception):
            raise piece
        return piece


@pytest.mark.parametrize(
    "error", [EOFError(), zlib.error(), zipfile.BadZipFile(), KeyError("x"), OSError()]
)
@pytest.mark.parametrize("begun", [[], [b"ab"]])
def test_whatever_a_file_object_raises_is_unreadable(begun, error):
    """It may unpack a file or ask another machine; that is no mistake of the caller."""
    with pytest.raises(MediaError, match="unreadable"):
        source.read(Giving(*begun, error), limit=10)


@pytest.mark.parametrize("asked", ["seekable", "tell"])
def test_a_file_object_that_cannot_say_where_it_stands_is_read(asked):
    """Whatever `tell` raises; one whose `name` raises has no name."""

    class Elsewhere(io.BytesIO):
        @property
        def name(self):
            """Asked of another machine."""
            raise KeyError

    def fails():
        raise KeyError

    given = Elsewhere(b"ab")
    setattr(given, asked, fails)
    assert source.read(given, limit=4).content == b"ab"
    assert name_of(given) == Name()


def test_a_file_object_that_cannot_go_to_its_end_is_read_from_its_start():
    """No byte is lost by looking at the first ones."""
    assert source.read(Giving(b"ab", b"cd"), limit=4).content == b"abcd"


def test_a_file_object_gives_bytes_in_any_form_and_what_gives_none_is_unreadable():
    """bytearray and memoryview are bytes. Non-blocking and asynchronous objects are reported as
    such.
    """
    assert source.read(Giving(bytearray(b"ab"), memoryview(b"cd")), limit=4).content == b"abcd"
    awaited = types.SimpleNamespace(__await__=None)
    for piece, said in ((None, "non-blocking"), ([1], "list"), (awaited, "await it")):
        with pytest.raises(MediaError, match=f"unreadable.*{said}"):
            source.read(Giving(b"ab", piece), limit=4)


def test_a_video_s_file_object_fails_as_a_file_does():
    """It raises OSError while it is decoded."""
    head = b"\0\0\0\x18ftypisom\0\0\0\0isommp42"

    class Video(Giving):
        def seek(self, offset, whence=0):
            """From the end too."""
            self._at = offset

    file = source.read(Video(head, zlib.error()), limit=100, video_limit=100).file

    with pytest.raises(OSError, match="error"):
        file.read(100)


def test_what_a_file_object_says_of_its_failure_is_not_repeated():
    """Its message may hold an address with a key. System errors have the system's message."""
    head, secret = b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "https://key@bucket.example"

    class Elsewhere(io.BytesIO):
        failing: Exception | None = None

        def seek(self, offset, whence=0):
            """Go there, or fail."""
            if self.failing is not None:
                raise self.failing
            return super().seek(offset, whence)

    given = Elsewhere(head)
    file = source.read(given, limit=100, video_limit=100).file
    for error, said in (
        (OSError(errno.EIO, secret), os.strerror(errno.EIO)),
        (OSError(secret), "OSError"),
        (KeyError(secret), "KeyError"),
    ):
        given.failing = error
        with pytest.raises(OSError, match=said) as caught:
            file.seek(9)
        assert (caught.value.errno, caught.value.strerror) == (errno.EIO, said)


def test_pixels_pass_through():
    """Arrays and Pillow images are content as they are."""
    array = np.zeros((2, 2), np.uint8)
    picture = Image.new("L", (2, 2))

    assert source.read(array, limit=1).content is array
    assert source.read(picture, limit=1).content is picture


@pytest.mark.parametrize(
    "path", ["/no/such/file", "/dev/zero", "/", "", "a\0b", "\ud800", "x" * 5000]
)
def test_what_is_no_regular_file_is_unreadable(path):
    """Missing, a device, a folder, an impossible name."""
    with pytest.raises(MediaError, match="unreadable"):
        source.read(path, limit=10)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_input_is_read_once(kind, tmp_path, make_list):
    """For digests and pixels together; once more only if its sketch came close to a record."""
    screener = Screener(make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}]))
    path = tmp_path / "bridge"
    with Image.open(FIXTURES / "images" / "bridge.jpg") as drawn:
        drawn.convert("RGB").resize((640, 480)).save(path, kind)
    content = path.read_bytes()

    class Counted(io.BytesIO):
        bytes = 0

        def read(self, size=-1):
            found = super().read(size)
            self.bytes += len(found)
            return found

    lent = Counted(content)
    assert screener.screen(lent).verdict == "no_match"
    assert len(content) <= lent.bytes <= len(content) + 4096  # from which its type is recognised

    def given():
        return int(Path("/proc/self/io").read_text().split()[1])  # to this process, by any read

    if os.access("/proc/self/io", os.R_OK):
        screener.screen(path)  # loads what there is to load
        before = given()
        assert screener.screen(path).verdict == "no_match"
        assert given() - before <= len(content) + 16384
