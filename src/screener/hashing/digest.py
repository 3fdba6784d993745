"""MD5, SHA-1 and SHA-256 of a file's bytes, all in one pass; of several files at once."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import screener._core as _core
from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash, HashKind, checked_kinds


class Readable(Protocol):
    """A binary file object, of a library's own kind too: a member of an archive, say."""

    def read(self, size: int, /) -> bytes | None:
        """So many bytes, fewer if it pleases, none at its end."""


Source = bytes | bytearray | memoryview | Readable

CHUNK = 1 << 20
"""Bytes that are read, and passed to all digests, at a time."""

MD5 = KINDS["md5"]
_LEAST_TOGETHER = 2  # files: of one alone, hashlib's MD5 is as fast
_ALL = (MD5, KINDS["sha1"], KINDS["sha256"])


def compute(source: Source) -> tuple[Hash, Hash, Hash]:
    """The MD5, SHA-1 and SHA-256 of some bytes, or of a binary file from where it stands.

    The bytes are read once and in pieces, so a file of any size takes one mebibyte. A memoryview
    must be contiguous. Raises what reading the file raises, BlockingIOError where it has no bytes
    yet, and HashError for anything else, such as a path or a file opened as text.
    """
    md5, sha1, sha256 = compute_kinds(source, _ALL)
    return md5, sha1, sha256


def compute_kinds(source: Source, kinds: Iterable[HashKind]) -> tuple[Hash, ...]:
    """As `compute`, of the kinds of digests given, in their order."""
    return _compute(source, _checked(kinds))


def _compute(source: Source, kinds: tuple[HashKind, ...]) -> tuple[Hash, ...]:
    """Those digests of one file."""
    if not (isinstance(source, bytes | bytearray | memoryview) or hasattr(source, "read")):
        raise HashError(f"digests are of bytes or a binary file, not of {type(source).__name__}")
    # They identify files and protect nothing, which a system that forbids MD5 allows.
    digests = [hashlib.new(kind.name, usedforsecurity=False) for kind in kinds]
    if isinstance(source, bytes | bytearray | memoryview):
        whole = memoryview(source)
        if not whole.c_contiguous:
            raise HashError("digests are of bytes one behind the other: bytes(view) has them so")
        whole = whole.cast("B")
        for start in range(0, len(whole), CHUNK):
            for digest in digests:
                digest.update(whole[start : start + CHUNK])
    else:
        while chunk := _chunk(source):
            for digest in digests:
                digest.update(chunk)
    return tuple(Hash(kind, one.digest()) for kind, one in zip(kinds, digests, strict=True))


def _chunk(source: Readable) -> bytes:
    """The next bytes of a file, none at its end alone."""
    try:
        chunk: Any = source.read(CHUNK)
    except UnicodeDecodeError:
        chunk = ""
    if chunk is None:  # which is no end
        raise BlockingIOError(errno.EAGAIN, "a file object that does not wait for its bytes")
    if isinstance(chunk, str):
        raise HashError("digests are of a binary file, not of one opened as text")
    found: bytes = chunk
    return found


def compute_batch(
    contents: Sequence[bytes], kinds: Iterable[HashKind] = _ALL
) -> list[tuple[Hash, ...]]:
    """The digests of several files, each held as bytes: of each the kinds given, in their order.

    MD5, which no instruction of a processor computes, is made of up to sixteen files at once: of
    several it takes a fraction of what one by one does. The others are made one by one. HashError
    for contents that are not all bytes, and for kinds that are no digests.
    """
    if not isinstance(contents, Sequence) or isinstance(contents, bytes | str):
        raise HashError(f"contents are a list of bytes, not {type(contents).__name__}")
    for number, one in enumerate(contents):
        if not isinstance(one, bytes):
            raise HashError(f"content {number} is to be bytes, not {type(one).__name__}")
    wanted = _checked(kinds)
    if MD5 not in wanted or len(contents) < _LEAST_TOGETHER:
        return [_compute(one, wanted) for one in contents]
    md5s = [Hash(MD5, value) for value in _core.md5_batch(contents)]
    if len(wanted) == 1:
        return [(md5,) for md5 in md5s]
    others = tuple(kind for kind in wanted if kind != MD5)
    made = []
    for content, md5 in zip(contents, md5s, strict=True):
        rest = iter(_compute(content, others))
        made.append(tuple(md5 if kind == MD5 else next(rest) for kind in wanted))
    return made


def _checked(kinds: Iterable[HashKind]) -> tuple[HashKind, ...]:
    """Kinds of digests; HashError where they are anything else."""
    wanted = checked_kinds(kinds)
    for kind in wanted:
        if not kind.digest:
            raise HashError(
                f"{kind.name} is no kind of digest: KINDS['md5'], 'sha1' and 'sha256' are"
            )
    return wanted
