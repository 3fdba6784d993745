"""Acknowledgements: the files that a partner has put into its folder, read with care: whoever
writes there may write anything.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screener.errors import printable
from screener.hotline.language.sentence import marked, why
from screener.hotline.notices.acknowledgement import (
    LONGEST,
    Acknowledgement,
    Reason,
    UnreadError,
    parse,
)
from screener.hotline.notices.delivery import ACKNOWLEDGEMENTS
from screener.hotline.partners import Partner

MOST = 10_000  # files of one partner that are read at once: those that came last
_UNREADABLE = marked("it cannot be opened: {why}")


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that is no acknowledgement, its name as one line that can be printed; and why, as a
    Translator tells it in its language.
    """

    file: str
    error: UnreadError


def read_folder(
    partner: Partner, *, sent: Mapping[str, datetime], now: datetime
) -> tuple[list[Acknowledgement], list[UnreadFile]]:
    """All that the folder `acknowledgements` in a partner's folder says, in the order of the times
    said, and the files in it that could not be read.

    `sent` are the notices that the partner was sent, with the times at which they were written.
    Files stay where they are, and are read again the next time: whoever records them takes each
    event of a notice once. Only files whose names end in `.json` are looked at, and of more than
    `MOST` those that came last, so that what was answered long ago keeps nobody from being heard.
    A folder that itself cannot be read is one such file: what a partner makes of it keeps no other
    from being heard. One that is not there has nothing to say, if the partner was sent nothing.
    """
    folder = partner.folder / ACKNOWLEDGEMENTS
    try:
        names, more = _newest(folder)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not sent:
            return [], []
        out = UnreadError("unreadable", _UNREADABLE, why=why(error))
        return [], [UnreadFile(ACKNOWLEDGEMENTS, out)]
    found: list[Acknowledgement] = []
    unread: list[UnreadFile] = []
    for name in names:
        try:
            found.append(parse(_bytes(folder / name), printable(name), sent=sent, now=now))
        except UnreadError as error:
            unread.append(UnreadFile(printable(name), error))
    if more:
        message = marked(
            "the {more} oldest files have not been read, but the newest {most}: move old ones away"
        )
        unread.append(UnreadFile("", UnreadError("too_many", message, more=more, most=MOST)))
    found.sort(key=lambda one: (one.at, one.file))
    return found, unread


def _newest(folder: Path) -> tuple[list[str], int]:
    """The names of the files that came last, in order, and how many more there are."""
    count = 0

    def arrivals() -> Iterator[tuple[int, str]]:
        nonlocal count
        with os.scandir(folder) as entries:
            for one in entries:
                if one.name.endswith(".json") and (came := _came(one)) is not None:
                    count += 1
                    yield came, one.name

    names = sorted(name for _, name in heapq.nlargest(MOST, arrivals()))
    return names, count - len(names)


def _came(entry: os.DirEntry[str]) -> int | None:
    """When a file came to be as it is here; None where it has just gone. Its time of change, which
    whoever sends it cannot set: its time of writing is the partner's own.
    """
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:
        return None


def _bytes(path: Path) -> bytes:
    """The bytes of a plain file, and of nothing that a link or a pipe would have read instead."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        reason: Reason = "not_a_file" if path.is_symlink() else "unreadable"
        raise UnreadError(reason, _UNREADABLE, why=why(error)) from None
    try:
        # A pipe that nobody writes to would be waited for, and a device has no end.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadError("not_a_file", marked("it is a folder, a pipe or a device"))
        return _whole(descriptor)
    except OSError as error:
        raise UnreadError("unreadable", _UNREADABLE, why=why(error)) from None
    finally:
        os.close(descriptor)


def _whole(descriptor: int) -> bytes:
    """All of a file up to a byte beyond the limit."""
    pieces = bytearray()
    while len(pieces) <= LONGEST and (piece := os.read(descriptor, LONGEST + 1 - len(pieces))):
        pieces += piece
    return bytes(pieces)
