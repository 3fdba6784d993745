"""Names: those that come on a stream, one after the other, and are not waited for."""

from __future__ import annotations

import codecs
import os
import select
from collections.abc import Iterator
from os import PathLike
from typing import BinaryIO, NamedTuple

from screener.errors import PolicyError

# No system opens a longer name, in bytes: names that are ended by NULs have one before that.
_LONGEST_NAME = 4096
_CHUNK = 1 << 16
# Bytes without an end of a name, that are none.
_ENDLESS = 1 << 20
# After so many seconds without more behind a line end, names are taken to be ended by those: who
# ends them by NULs does not stop so long amid the first.
_PAUSE_S = 0.25

# Inputs under way have their results, and their limits of time, also while others are looked for.
A_WHILE_S = 0.05


class Awaited(NamedTuple):
    """In place of an input that is not there yet. It has to come from a descriptor that has nothing
    for now; with None it is being looked for, and there is to be time for others in between.
    """

    descriptor: int | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for it, no longer than so many seconds; whether something came, or the end."""
        if self.descriptor is None:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class Names(PathLike[str]):
    """The names on a stream, as `find … -print0` or `find …` writes them: separated by NULs where
    there is one among the first 4,096 bytes, or in what comes before a pause behind a line end;
    else by line ends. Names that are not UTF-8 stay so; PolicyError where they begin as UTF-16
    does, of which each letter would be a name, and where one has no end. As a path, `-`.
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
        """What is there to read, piece by piece; Awaited while there is nothing."""
        read1 = getattr(self._stream, "read1", self._stream.read)
        awaited = self._awaited()
        while True:
            while awaited is not None and not awaited.wait(0):
                yield awaited
            if not (piece := read1(_CHUNK)):
                return
            yield piece

    def _awaited(self) -> Awaited | None:
        """None where reading has to wait, as the system cannot say whether it would."""
        try:
            return Awaited(self._stream.fileno()) if hasattr(select, "poll") else None
        except (AttributeError, OSError, ValueError):
            return None


def _check_end(name: bytes) -> None:
    if len(name) > _ENDLESS:
        raise PolicyError(
            f"a name to be screened goes on for {_ENDLESS:,} bytes: end each by line ends or NULs,"
            " and all in the same way"
        )


def _check_encoding(names: bytes) -> None:
    mark, letter = names[:2], names[2:4]
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in letter:
        raise PolicyError("the names to be screened are in UTF-16: give them in UTF-8")
