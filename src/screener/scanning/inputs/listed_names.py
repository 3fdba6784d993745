"""Names of inputs on a stream, read without waiting for the next one."""

from __future__ import annotations

import codecs
import os
import select
from collections.abc import Iterator
from os import PathLike
from typing import BinaryIO, NamedTuple

from screener.errors import PolicyError

# Bytes. No system opens a longer name, so a stream of names that end with NULs has one before that.
_MAX_NAME_BYTES = 4096
_CHUNK_BYTES = 1 << 16
# Bytes without an end, after which the stream is refused.
_MAX_UNENDED_BYTES = 1 << 20
# If nothing follows a line end for this time, line ends separate the names: a program that writes
# NULs does not pause so long within its first name.
_PAUSE_SECONDS = 0.25

POLL_SECONDS = 0.05
"""How often results and time limits are checked while inputs are looked for."""


class Awaited(NamedTuple):
    """A placeholder for the next input, which must still come from one of some descriptors.

    Without any, the input is being looked for, and the caller should do other work first.
    """

    descriptors: tuple[int, ...] = ()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait up to `seconds`; return whether data or the end has come."""
        if not self.descriptors:
            return True
        poll = select.poll()
        for descriptor in self.descriptors:
            poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class NameStream(PathLike[str]):
    """The names on a stream, as `find … -print0` or `find …` writes them; as a path, `-`.

    NULs separate the names if there is one among the first 4,096 bytes, or before a pause after a
    line end; otherwise line ends do. Names that are not UTF-8 stay as they are. Iteration raises
    PolicyError if the names are in UTF-16 or a name has no end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __fspath__(self) -> str:
        return "-"

    def __iter__(self) -> Iterator[str | Awaited]:
        separator, unread = b"", b""
        for chunk in self._chunks():
            if not isinstance(chunk, Awaited):
                unread += chunk
                if not separator:
                    _check_encoding(unread)
                if not separator and b"\0" in unread[:_MAX_NAME_BYTES]:
                    separator = b"\0"
                elif not separator and len(unread) >= _MAX_NAME_BYTES:
                    separator = b"\n"
            elif not separator and unread.endswith(b"\n") and not chunk.wait(_PAUSE_SECONDS):
                separator = b"\n"
            if separator:
                *names, unread = unread.split(separator)
                yield from (os.fsdecode(name) for name in names if name)
                _check_length(unread)
            if isinstance(chunk, Awaited):
                yield chunk
        yield from (os.fsdecode(name) for name in unread.split(separator or b"\n") if name)

    def _chunks(self) -> Iterator[bytes | Awaited]:
        """Yield the stream in chunks, and Awaited while there is nothing to read."""
        read1 = getattr(self._stream, "read1", self._stream.read)
        awaited = self._awaited()
        while True:
            while awaited is not None and not awaited.wait(0):
                yield awaited
            if not (chunk := read1(_CHUNK_BYTES)):
                return
            yield chunk

    def _awaited(self) -> Awaited | None:
        """Return an Awaited for the stream, or None if the stream has no descriptor."""
        try:
            return Awaited((self._stream.fileno(),))
        except (AttributeError, OSError, ValueError):
            return None


def _check_length(name: bytes) -> None:
    if len(name) > _MAX_UNENDED_BYTES:
        raise PolicyError(
            f"a name on standard input has over {_MAX_UNENDED_BYTES:,} bytes: end all names with"
            " line ends, or all with NULs"
        )


def _check_encoding(names: bytes) -> None:
    mark, letter = names[:2], names[2:4]
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in letter:
        raise PolicyError("the names on standard input are in UTF-16: write them in UTF-8")
