"""Acknowledgements: the files that a partner has put into its folder, read with care: whoever
writes there may write anything.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.acknowledgement import (
    LONGEST,
    Acknowledgement,
    Reason,
    UnreadError,
    parse,
)
from screener.hotline.delivery import ACKNOWLEDGEMENTS
from screener.hotline.language import plain
from screener.hotline.partners import Partner

MOST = 10_000  # files of one partner that are read at once

__all__ = ["MOST", "Acknowledgement", "Unread", "read"]


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that is no acknowledgement, and why; its name as one line that can be printed."""

    file: str
    reason: Reason
    detail: str


def read(
    partner: Partner, *, sent: Mapping[str, datetime], now: datetime
) -> tuple[list[Acknowledgement], list[Unread]]:
    """All that the folder `acknowledgements` in a partner's folder says, in the order of the times
    said, and the files in it that could not be read.

    `sent` are the notices that the partner was sent, with the times at which they were written.
    Files stay where they are, and are read again the next time: whoever records them takes each
    event of a notice once. Only files whose names end in `.json` are looked at. HotlineError
    where the folder itself cannot be read; one that is not there has nothing to say.
    """
    folder = partner.folder / ACKNOWLEDGEMENTS
    try:
        with os.scandir(folder) as entries:
            names = sorted(one.name for one in entries if one.name.endswith(".json"))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise HotlineError(f"cannot read {folder}: {error.strerror}") from error
    found: list[Acknowledgement] = []
    unread: list[Unread] = []
    for name in names[:MOST]:
        try:
            found.append(parse(_bytes(folder / name), plain(name), sent=sent, now=now))
        except UnreadError as error:
            unread.append(Unread(plain(name), error.reason, error.detail))
    if len(names) > MOST:
        unread.append(Unread("", "too_many", f"{len(names) - MOST} files beyond {MOST} not read"))
    found.sort(key=lambda one: (one.at, one.file))
    return found, unread


def _bytes(path: Path) -> bytes:
    """The bytes of a plain file, and of nothing that a link or a pipe would have read instead."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        reason: Reason = "not_a_file" if path.is_symlink() else "unreadable"
        raise UnreadError(reason, error.strerror or "cannot be opened") from None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadError("not_a_file", "a folder, a pipe or a device")
        try:
            return stream.read(LONGEST + 1)
        except OSError as error:
            raise UnreadError("unreadable", error.strerror or "cannot be read") from None
