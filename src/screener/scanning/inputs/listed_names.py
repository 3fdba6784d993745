"""Names that come on a stream one after the other, without waiting for them."""

from __future__ import annotations

import codecs
import os
import select
from collections.abc import Iterator
from os import PathLike
from typing import BinaryIO, NamedTuple

from screener.errors import PolicyError

# Bytes: no system opens a longer name, so names that end with NULs have one before that.
_LONGEST_NAME = 4096
_CHUNK = 1 << 16
# Bytes without an end that are not a name.
_ENDLESS = 1 << 20
# After so many seconds without more behind a line end, line ends separate names: a program that
# writes NULs does not pause so long in the first name.
_PAUSE_S = 0.25

# Results and time limits of inputs under way are checked so often while others are looked for.
A_WHILE_S = 0.05


class Awaited(NamedTuple):
    """A stand-in for an input that is not there yet: it must come from a descriptor; with None it
    is being looked for, and the scan does other work meanwhile.
    """

    descriptor: int | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait, at most so many seconds; return whether anything, or the end, has come."""
        if self.descriptor is None:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class Names(PathLike[str]):
    """The names on a stream, as `find … -print0` or `find …` writes them; as a path, `-`. NULs
    separate them if there is one among the first 4,096 bytes, or before a pause behind a line end;
    otherwise line ends do. Names that are not UTF-8 stay as they are. Raises PolicyError for
    UTF-16, whose every letter would be a name, and for a name without end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __fspath__(self) -> str:
        return "-"

    def __iter__(self) -> Iterator[str | Awaited]:
        end, rest = b"", b""
        for piece in self._pieces():
            if not isinstance(piece, Awaited):
                rest += piece
                if not end:
                    _check_encoding(rest)
                if not end and b"\0" in rest[:_LONGEST_NAME]:
                    end = b"\0"
                elif not end and len(rest) >= _LONGEST_NAME:
                    end = b"\n"
            elif not end and rest.endswith(b"\n") and not piece.wait(_PAUSE_S):
                end = b"\n"
            if end:
                *whole, rest = rest.split(end)
                yield from (os.fsdecode(name) for name in whole if name)
                _check_end(rest)
            if isinstance(piece, Awaited):
                yield piece
        yield from (os.fsdecode(name) for name in rest.split(end or b"\n") if name)

    def _pieces(self) -> Iterator[bytes | Awaited]:
        """Yield the stream piece by piece; Awaited while there is nothing to read."""
        read1 = getattr(self._stream, "read1", self._stream.read)
        awaited = self._awaited()
        while True:
            while awaited is not None and not awaited.wait(0):
                yield awaited
            if not (piece := read1(_CHUNK)):
                return
            yield piece

    def _awaited(self) -> Awaited | None:
        """Return None if the system cannot tell whether reading would wait."""
        try:
            return Awaited(self._stream.fileno()) if hasattr(select, "poll") else None
        except (AttributeError, OSError, ValueError):
            return None


def _check_end(name: bytes) -> None:
    if len(name) > _ENDLESS:
        raise PolicyError(
            f"a name on standard input has over {_ENDLESS:,} bytes: end all names with line ends,"
            " or all with NULs"
        )


def _check_encoding(names: bytes) -> None:
    mark, letter = names[:2], names[2:4]
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in letter:
        raise PolicyError("the names on standard input are in UTF-16: write them in UTF-8")
