"""Acknowledgements: what partners answer to notices, in JSON files in their folders.

Partners write these files, so anything may be in them.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from screener.errors import HotlineError, printable
from screener.hotline.language.sentence import describe_os_error, mark
from screener.hotline.language.translator import join_lines
from screener.hotline.notices.delivery import ACKNOWLEDGEMENTS
from screener.hotline.partners import ID_PATTERN, Partner

SCHEMA = "screener-acknowledgement/1"
Event = Literal["acknowledged", "removed", "refused"]
EVENTS: tuple[Event, ...] = get_args(Event)
EVENT_NAMES: Mapping[Event, str] = MappingProxyType(
    {
        "acknowledged": mark("acknowledged"),
        "removed": mark("removed"),
        "refused": mark("refused"),
    }
)
MAX_FILE_BYTES = 64 << 10  # bytes of a file
MAX_FILES = 10_000  # files of one partner that are read at once, the newest
_MAX_NAME_LENGTH, _MAX_NOTE_LENGTH = 200, 2000  # characters
_MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # that two organisations may have
_EXAMPLE_TIME, _EXAMPLE_NAME = "YYYY-MM-DDThh:mm:ssZ", "…"  # for the partner to replace
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)

Reason = Literal[
    "not_a_file", "too_large", "unreadable", "not_json", "wrong_form", "unknown_notice",
    "wrong_time", "not_filled_in", "too_many",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A partner's answer to one notice, with its own time (UTC) and the person who answered.

    `file` is the name of the file in the partner's folder.
    """

    notice: str
    event: Event
    at: datetime
    by: str
    note: str
    file: str


class UnreadError(HotlineError):
    """Why one file is no acknowledgement; it never leaves this module's results."""

    def __init__(self, reason: Reason, message: str, /, **values: object) -> None:
        super().__init__(message, **values)
        self.reason: Reason = reason


def parse(
    data: bytes, file: str, *, sent: Mapping[str, datetime], now: datetime
) -> Acknowledgement:
    """Read an answer. Raises UnreadError, which does not repeat the file's contents.

    `sent` are this partner's notices with the times at which they were written. An answer to
    another notice, or with a time before the notice or in the future, is refused.
    """
    fields = _object(data)
    if fields.get("schema") != SCHEMA:
        raise UnreadError("wrong_form", mark("schema is not {schema}"), schema=SCHEMA)
    notice, event = _text(fields, "notice", 64), _text(fields, "event", 20)
    if event not in EVENTS:
        raise UnreadError("wrong_form", mark("event is one of {known}"), known=", ".join(EVENTS))
    at = _time(_filled_in(fields, "at", 40, _EXAMPLE_TIME))
    by = _filled_in(fields, "by", _MAX_NAME_LENGTH, _EXAMPLE_NAME)
    note = _text(fields, "note", _MAX_NOTE_LENGTH) if "note" in fields else ""
    if not ID_PATTERN.fullmatch(notice) or notice not in sent:
        raise UnreadError("unknown_notice", mark("this partner was sent no notice with that id"))
    if not sent[notice] - _MAX_CLOCK_DIFFERENCE <= at <= now + _MAX_CLOCK_DIFFERENCE:
        raise UnreadError(
            "wrong_time", mark("at lies before the notice was written, or in the future")
        )
    # The partner's own time is stored, since its next answer has a later one by the same clock.
    return Acknowledgement(notice, event, at, by, note, file)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FILE_BYTES:
        raise UnreadError("too_large", mark("it is larger than {most} bytes"), most=MAX_FILE_BYTES)
    try:
        fields = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise UnreadError("not_json", mark("it is not JSON, or names a field twice")) from None
    if not isinstance(fields, dict):
        raise UnreadError("wrong_form", mark("it holds no JSON object"))
    return fields


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _text(fields: Mapping[str, Any], name: str, longest: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise UnreadError(
            "wrong_form",
            mark("{field} is a text of at most {most} characters"),
            field=name,
            most=longest,
        )
    if not (line := join_lines(value)).isprintable() or not line:
        raise UnreadError(
            "wrong_form",
            mark("{field} is one line of characters that can be printed"),
            field=name,
        )
    return line


def _filled_in(fields: Mapping[str, Any], name: str, longest: int, example: str) -> str:
    """Return a text that differs from the example's."""
    text = _text(fields, name, longest)
    if text == example:
        message = mark("{field} is still the example: fill it in")
        raise UnreadError("not_filled_in", message, field=name)
    return text


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise UnreadError(
            "wrong_form",
            mark("at is a time with its zone, such as {example}"),
            example="2026-11-25T09:30:00Z",
        )
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadError("wrong_form", mark("at is not a valid time")) from None


def example(notice: str) -> list[str]:
    """Return the lines of an example answer. It is refused until time and name are filled in."""
    fields = {
        "schema": SCHEMA, "notice": notice, "event": "removed",
        "at": _EXAMPLE_TIME, "by": _EXAMPLE_NAME,
    }  # fmt: skip
    return json.dumps(fields, ensure_ascii=False, indent=1).split("\n")


_UNREADABLE = mark("it cannot be opened: {why}")


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that is no acknowledgement: its printable name, and why."""

    file: str
    error: UnreadError


def read_folder(
    partner: Partner, *, sent: Mapping[str, datetime], now: datetime
) -> tuple[list[Acknowledgement], list[UnreadFile]]:
    """Return the answers in a partner's folder by time, and the unreadable files.

    `sent` are the partner's notices with the times at which they were written. Files stay, so the
    caller records each event once. Of more than `MOST` files, the newest count. A folder that
    cannot be read counts as one file; a missing one is empty if nothing was sent.
    """
    folder = partner.folder / ACKNOWLEDGEMENTS
    try:
        names, more = _newest(folder)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not sent:
            return [], []
        trouble = UnreadError("unreadable", _UNREADABLE, why=describe_os_error(error))
        return [], [UnreadFile(ACKNOWLEDGEMENTS, trouble)]
    answers: list[Acknowledgement] = []
    unread: list[UnreadFile] = []
    for name in names:
        try:
            answers.append(parse(_bytes(folder / name), printable(name), sent=sent, now=now))
        except UnreadError as error:
            unread.append(UnreadFile(printable(name), error))
    if more:
        message = mark(
            "only the newest {most} files were read, not the {more} oldest: move old ones away"
        )
        unread.append(UnreadFile("", UnreadError("too_many", message, more=more, most=MAX_FILES)))
    answers.sort(key=lambda one: (one.at, one.file))
    return answers, unread


def _newest(folder: Path) -> tuple[list[str], int]:
    count = 0

    def arrivals() -> Iterator[tuple[int, str]]:
        nonlocal count
        with os.scandir(folder) as entries:
            for one in entries:
                if one.name.endswith(".json") and (arrival := _arrival(one)) is not None:
                    count += 1
                    yield arrival, one.name

    names = sorted(name for _, name in heapq.nlargest(MAX_FILES, arrivals()))
    return names, count - len(names)


def _arrival(entry: os.DirEntry[str]) -> int | None:
    """Return a file's time of change, or None if it is gone.

    The partner can set the time of writing, but not this one.
    """
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:
        return None


def _bytes(path: Path) -> bytes:
    """Return the bytes of a regular file; no link, pipe or device is opened."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        reason: Reason = "not_a_file" if path.is_symlink() else "unreadable"
        raise UnreadError(reason, _UNREADABLE, why=describe_os_error(error)) from None
    try:
        # Reading a pipe could block for ever, and a device has no end.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadError("not_a_file", mark("it is a folder, a pipe or a device"))
        return _read(descriptor)
    except OSError as error:
        raise UnreadError("unreadable", _UNREADABLE, why=describe_os_error(error)) from None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    pieces = bytearray()
    while len(pieces) <= MAX_FILE_BYTES and (
        piece := os.read(descriptor, MAX_FILE_BYTES + 1 - len(pieces))
    ):
        pieces += piece
    return bytes(pieces)
