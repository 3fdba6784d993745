"""MD5, SHA-1 and SHA-256 of bytes and files, in one pass."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.errors import HashError
from screener.hashing import digest
from screener.hashing.digest import CHUNK
from screener.hashing.hash import KINDS

EMPTY = (
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)
ABC = (
    "900150983cd24fb0d6963f7d28e17f72",
    "a9993e364706816aba3e25717850c26c9cd0d89d",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
)


class Pieces(io.RawIOBase):
    """A file that gives at most seven bytes at a time, and remembers how much it was asked for."""

    def __init__(self, content: bytes) -> None:
        """Holds the content and no place to go back to."""
        self.content = io.BytesIO(content)
        self.asked: list[int] = []

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next few bytes."""
        self.asked.append(size)
        return self.content.read(min(size, 7))


def texts(source: bytes | memoryview | io.IOBase) -> tuple[str, ...]:
    """The digests of a source as text."""
    return tuple(found.text for found in digest.compute(source))  # type: ignore[arg-type]


@pytest.mark.parametrize(("content", "expected"), [(b"", EMPTY), (b"abc", ABC)])
def test_published_values(content: bytes, expected: tuple[str, ...]) -> None:
    """The values that the standards print, from bytes, a view and a file."""
    assert texts(content) == expected
    assert texts(memoryview(content)) == expected
    assert texts(io.BytesIO(content)) == expected


def test_kinds_in_their_order() -> None:
    """MD5, then SHA-1, then SHA-256; no quality and no version of a pixel pipeline."""
    found = digest.compute(b"abc")
    assert [one.kind.name for one in found] == ["md5", "sha1", "sha256"]
    assert {(one.quality, one.pixels) for one in found} == {(None, None)}


@given(st.binary(max_size=200))
def test_equals_hashlib(content: bytes) -> None:
    """All three are hashlib's, whatever the source and however small its pieces."""
    expected = tuple(hashlib.new(name, content).hexdigest() for name in ("md5", "sha1", "sha256"))
    assert texts(content) == texts(memoryview(content)) == texts(io.BytesIO(content)) == expected
    assert texts(Pieces(content)) == expected


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_sizes_around_a_chunk(size: int, tmp_path: Path) -> None:
    """A file as long as a chunk, one byte less or more, or several, is read whole."""
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "file").write_bytes(content)
    expected = tuple(hashlib.new(name, content).hexdigest() for name in ("md5", "sha1", "sha256"))
    with (tmp_path / "file").open("rb") as stream:
        assert texts(stream) == expected
    assert texts(content) == expected


def test_reads_once_and_in_pieces() -> None:
    """A file is asked for a chunk at a time, and never again from its start."""
    source = Pieces(b"a" * 50)
    texts(source)
    assert set(source.asked) == {CHUNK}
    assert len(source.asked) == 50 // 7 + 2


def test_starts_where_the_file_stands() -> None:
    """What was read before is not part of it."""
    stream = io.BytesIO(b"xyzabc")
    stream.seek(3)
    assert texts(stream) == ABC


def test_a_view_of_other_elements_is_its_bytes() -> None:
    """A contiguous view counts as its bytes, whatever its elements."""
    assert texts(memoryview(b"abcd1234").cast("I")) == texts(b"abcd1234")


def test_a_failing_read_is_the_callers() -> None:
    """What reading raises is raised, not turned into a digest of a part."""

    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        texts(Broken())


def test_a_file_without_bytes_yet_is_not_at_its_end() -> None:
    """A file that does not wait returns None; the digest of the bytes before it is of no file."""

    class Slow(io.RawIOBase):
        pieces: ClassVar[list[bytes | None]] = [b"abc", None, b"def", b""]

        def read(self, size: int = -1, /) -> bytes | None:
            return self.pieces.pop(0)

    with pytest.raises(BlockingIOError, match="does not wait"):
        texts(Slow())


def test_what_has_no_bytes_in_a_row_is_refused() -> None:
    """A file that was opened as text, and a view with steps."""
    with pytest.raises(HashError, match="opened as text"):
        digest.compute(io.StringIO("abc"))  # type: ignore[arg-type]
    with pytest.raises(HashError, match="opened as text"):
        digest.compute(io.TextIOWrapper(io.BytesIO(b"\xff\xd8"), "utf-8"))  # type: ignore[arg-type]
    with pytest.raises(HashError, match="contiguous memoryview"):
        digest.compute(memoryview(b"abcdef")[::2])


def as_hashlib(contents: list[bytes], names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What hashlib makes of each."""
    return [tuple(hashlib.new(name, one).hexdigest() for name in names) for one in contents]


def batch(contents: list[bytes], names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The digests of several files as text."""
    found = digest.compute_batch(contents, [KINDS[name] for name in names])
    assert {tuple(one.kind.name for one in each) for each in found} <= {names}
    return [tuple(one.text for one in each) for each in found]


@given(
    st.lists(st.binary(max_size=300), max_size=40),
    st.sampled_from([("md5",), ("sha256", "md5"), ("md5", "sha1", "sha256"), ("sha1",)]),
)
def test_a_batch_equals_hashlib(contents: list[bytes], names: tuple[str, ...]) -> None:
    """Each file's digests are hashlib's and in its place, whatever is beside it."""
    assert batch(contents, names) == as_hashlib(contents, names)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100])
def test_batches_of_any_number_and_lengths(count: int) -> None:
    """Lanes that are left over, that end early and that are filled again; each length that a last
    block may have, of one block and of many.
    """
    noise = bytes((7 * i + i // 251) % 256 for i in range(70_000))
    for least in (0, 40, 64 * 9, 65_500):
        contents = [noise[i : 2 * i + least] for i in range(count)]
        assert batch(contents, ("md5",)) == as_hashlib(contents, ("md5",))
        contents.reverse()
        assert batch(contents, ("md5",)) == as_hashlib(contents, ("md5",))


@pytest.mark.thorough
def test_a_long_file_beside_short_ones() -> None:
    """Its length is counted in more than 32 bits of bits."""
    contents = [b"a", bytes(520 << 20), b"", b"b" * 64]
    assert batch(contents, ("md5",)) == as_hashlib(contents, ("md5",))


def test_a_batch_of_all_kinds_by_default() -> None:
    """As of one file."""
    assert digest.compute_batch([b"abc", b""]) == [digest.compute(b"abc"), digest.compute(b"")]
    assert digest.compute_batch([b"abc"]) == [digest.compute(b"abc")]
    assert digest.compute_batch([]) == []


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("wrong", ["photo.jpg", bytearray(b"abc"), io.BytesIO(b"abc"), None])
def test_a_batch_is_of_bytes(count: int, wrong: object) -> None:
    """The error names the wrong content and its type, for one content as for several."""
    contents = [b"abc"] * (count - 1) + [wrong]
    with pytest.raises(
        HashError, match=f"content {count - 1} must be bytes, not {type(wrong).__name__}"
    ):
        digest.compute_batch(contents)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [b"abc", "abc", None, iter([b"abc"])])
def test_a_batch_is_a_list(wrong: object) -> None:
    """Bytes alone are none: their numbers would be contents."""
    with pytest.raises(HashError, match="contents must be a list of bytes"):
        digest.compute_batch(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["md5", KINDS["pdq"], None])
def test_other_kinds_are_refused(wrong: object) -> None:
    """What is no digest is not made of a file's bytes."""
    for asked in ([wrong], [KINDS["md5"], wrong]):
        with pytest.raises(HashError, match=r"KINDS\['(md5|pdq)'\]"):
            digest.compute_batch([b"a", b"b"], asked)  # type: ignore[arg-type]
        with pytest.raises(HashError, match=r"KINDS\['(md5|pdq)'\]"):
            digest.compute_kinds(b"a", asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["md5", KINDS["md5"], None, 5])
def test_kinds_are_several(wrong: object) -> None:
    """A single kind, or anything else, is refused as `hash_item` refuses it."""
    for count in (1, 2):
        with pytest.raises(HashError, match="kinds must be a list"):
            digest.compute_batch([b"a"] * count, wrong)  # type: ignore[arg-type]
    with pytest.raises(HashError, match="kinds must be a list"):
        digest.compute_kinds(b"a", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [("md5",), ("sha1", "md5"), ("sha256",)])
@pytest.mark.parametrize("count", [1, 2])
def test_kinds_that_come_one_by_one_are_all_made(count: int, names: tuple[str, ...]) -> None:
    """An iterator of kinds, which can be read once, loses none."""
    contents = [b"abc"] * count
    kinds = (KINDS[name] for name in names)
    made = [tuple(one.text for one in each) for each in digest.compute_batch(contents, kinds)]
    assert made == as_hashlib(contents, names)

    alone = digest.compute_kinds(b"abc", (KINDS[name] for name in names))
    assert [one.kind.name for one in alone] == list(names)


@pytest.mark.parametrize("wrong", ["photo.jpg", Path("photo.jpg"), None])
def test_a_path_is_not_content(wrong: object) -> None:
    """A path is refused, and the error names the types that are accepted."""
    with pytest.raises(HashError, match="bytes or a binary file, not"):
        digest.compute(wrong)  # type: ignore[arg-type]
