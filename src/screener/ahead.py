"""Ahead: a file that was read before its turn, so that the digests of several are made at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from screener.errors import MediaError
from screener.hashing import digest
from screener.hashing.hash import Hash, HashKind
from screener.media.open_file import OpenFile
from screener.media.sniff import CONTAINERS

# Bytes: of a larger file, the digests are a small part of what is to be done, or it is no picture;
# and of all together, so that what is held stays small beside what one picture takes.
_MOST, _MOST_TOGETHER = 4 << 20, 16 << 20


class Ahead(NamedTuple):
    """A file that holds all of its bytes, and the digests of them that are wanted."""

    file: OpenFile
    digests: tuple[Hash, ...]


def read_ahead(paths: Iterable[str], kinds: Sequence[HashKind], limit: int) -> dict[str, Ahead]:
    """Those of some files that are worth it, by their paths: files of no more than `limit` bytes,
    and no videos, which are not held. What is wrong with any other is found in its turn.
    """
    held: dict[str, OpenFile] = {}
    left = _MOST_TOGETHER
    for path in paths:
        if digest.MD5 in kinds and path not in held:
            with suppress(MediaError, OSError, MemoryError):
                file = OpenFile(path)
                if 0 < file.size <= min(limit, left, _MOST) and file.mime not in CONTAINERS:
                    held[path] = _holding(file)
                    left -= file.size
                else:
                    file.close()
    try:
        digests = digest.compute_batch([file.whole() for file in held.values()], kinds)
    except MemoryError:
        digests = []
    for file in list(held.values())[len(digests) :]:
        file.close()
    return {
        path: Ahead(file, made) for (path, file), made in zip(held.items(), digests, strict=False)
    }


def _holding(file: OpenFile) -> OpenFile:
    """The file, which holds its bytes. Raises what reading it raises, and closes it then."""
    try:
        file.hold()
    except BaseException:
        file.close()
        raise
    return file
