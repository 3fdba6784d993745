"""Acknowledgements: the partners' answers to notices, in JSON files in their folders.

Partners write these files, so their content is untrusted.
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
from screener.hotline.notices.delivery import ACKNOWLEDGEMENTS_FOLDER_NAME
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
MAX_FILE_BYTES = 64 << 10
MAX_FILES = 10_000  # per partner and reading; the newest are read
_MAX_NAME_LENGTH, _MAX_NOTE_LENGTH = 200, 2000  # characters
_MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # between two organisations
_TIME_PLACEHOLDER, _NAME_PLACEHOLDER = "YYYY-MM-DDThh:mm:ssZ", "…"  # the partner replaces them
_TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)

Reason = Literal[
    "not_a_file", "too_large", "unreadable", "not_json", "wrong_form", "unknown_notice",
    "wrong_time", "not_filled_in", "too_many",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A partner's answer to one notice, with time (UTC) and person.

    `file` is the name of the file in the partner's folder.
    """

    notice: str
    event: Event
    at: datetime
    by: str
    note: str
    file: str


class UnreadError(HotlineError):
    """The reason why a file is no acknowledgement. It is returned, not raised, by `read_folder`."""

    def __init__(self, reason: Reason, message: str, /, **values: object) -> None:
        super().__init__(message, **values)
        self.reason: Reason = reason


def parse(
    data: bytes, file: str, *, sent: Mapping[str, datetime], now: datetime
) -> Acknowledgement:
    """Parse an answer of a partner.

    `sent` maps the partner's notices to their times of writing. Raises UnreadError, without the
    file's content, if the answer is malformed or to another notice, or if its time is before the
    notice or in the future.
    """
    fields = _parse_object(data)
    if fields.get("schema") != SCHEMA:
        raise UnreadError("wrong_form", mark("schema is not {schema}"), schema=SCHEMA)
    notice, event = _get_line(fields, "notice", 64), _get_line(fields, "event", 20)
    if event not in EVENTS:
        raise UnreadError("wrong_form", mark("event is one of {known}"), known=", ".join(EVENTS))
    at = _parse_time(_get_filled_in(fields, "at", 40, _TIME_PLACEHOLDER))
    by = _get_filled_in(fields, "by", _MAX_NAME_LENGTH, _NAME_PLACEHOLDER)
    note = _get_line(fields, "note", _MAX_NOTE_LENGTH) if "note" in fields else ""
    if not ID_PATTERN.fullmatch(notice) or notice not in sent:
        raise UnreadError("unknown_notice", mark("this partner was sent no notice with that id"))
    if not sent[notice] - _MAX_CLOCK_DIFFERENCE <= at <= now + _MAX_CLOCK_DIFFERENCE:
        raise UnreadError(
            "wrong_time", mark("at lies before the notice was written, or in the future")
        )
    # Store the partner's own time, to compare it with that of its next answer by the same clock.
    return Acknowledgement(notice, event, at, by, note, file)


def _parse_object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FILE_BYTES:
        raise UnreadError("too_large", mark("it is larger than {most} bytes"), most=MAX_FILE_BYTES)
    try:
        fields = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_reject_duplicates)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise UnreadError("not_json", mark("it is not JSON, or names a field twice")) from None
    if not isinstance(fields, dict):
        raise UnreadError("wrong_form", mark("it holds no JSON object"))
    return fields


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _get_line(fields: Mapping[str, Any], name: str, max_length: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > max_length:
        raise UnreadError(
            "wrong_form",
            mark("{field} is a text of at most {most} characters"),
            field=name,
            most=max_length,
        )
    if not (line := join_lines(value)).isprintable() or not line:
        raise UnreadError(
            "wrong_form",
            mark("{field} is one line of characters that can be printed"),
            field=name,
        )
    return line


def _get_filled_in(fields: Mapping[str, Any], name: str, max_length: int, example: str) -> str:
    """Return a line. Raises UnreadError if it is still the placeholder."""
    text = _get_line(fields, name, max_length)
    if text == example:
        message = mark("{field} is still the example: fill it in")
        raise UnreadError("not_filled_in", message, field=name)
    return text


def _parse_time(text: str) -> datetime:
    if not _TIME_PATTERN.fullmatch(text):
        raise UnreadError(
            "wrong_form",
            mark("at is a time with its zone, such as {example}"),
            example="2026-11-25T09:30:00Z",
        )
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadError("wrong_form", mark("at is not a valid time")) from None


def format_example(notice: str) -> list[str]:
    """Return the lines of an example answer, in which time and name are missing."""
    fields = {
        "schema": SCHEMA, "notice": notice, "event": "removed",
        "at": _TIME_PLACEHOLDER, "by": _NAME_PLACEHOLDER,
    }  # fmt: skip
    return json.dumps(fields, ensure_ascii=False, indent=1).split("\n")


_CANNOT_OPEN = mark("it cannot be opened: {why}")


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that is no acknowledgement: its printable name, and the error."""

    file: str
    error: UnreadError


def read_folder(
    partner: Partner, *, sent: Mapping[str, datetime], now: datetime
) -> tuple[list[Acknowledgement], list[UnreadFile]]:
    """Return the answers in a partner's folder, ordered by time, and the unreadable files.

    `sent` maps the partner's notices to their times of writing. Files are not removed, so the
    caller must record each event once. Only the newest `MAX_FILES` files are read. An unreadable
    folder counts as an unreadable file; a missing one is empty if nothing was sent.
    """
    folder = partner.folder / ACKNOWLEDGEMENTS_FOLDER_NAME
    try:
        names, skipped = _find_newest(folder)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not sent:
            return [], []
        folder_error = UnreadError("unreadable", _CANNOT_OPEN, why=describe_os_error(error))
        return [], [UnreadFile(ACKNOWLEDGEMENTS_FOLDER_NAME, folder_error)]
    answers: list[Acknowledgement] = []
    unread: list[UnreadFile] = []
    for name in names:
        try:
            answers.append(
                parse(_read_regular_file(folder / name), printable(name), sent=sent, now=now)
            )
        except UnreadError as error:
            unread.append(UnreadFile(printable(name), error))
    if skipped:
        message = mark(
            "only the newest {most} files were read, not the {more} oldest: move old ones away"
        )
        unread.append(
            UnreadFile("", UnreadError("too_many", message, more=skipped, most=MAX_FILES))
        )
    answers.sort(key=lambda answer: (answer.at, answer.file))
    return answers, unread


def _find_newest(folder: Path) -> tuple[list[str], int]:
    count = 0

    def list_changes() -> Iterator[tuple[int, str]]:
        nonlocal count
        with os.scandir(folder) as entries:
            for entry in entries:
                if (
                    entry.name.endswith(".json")
                    and (changed := _get_change_time(entry)) is not None
                ):
                    count += 1
                    yield changed, entry.name

    names = sorted(name for _, name in heapq.nlargest(MAX_FILES, list_changes()))
    return names, count - len(names)


def _get_change_time(entry: os.DirEntry[str]) -> int | None:
    """Return a file's ctime, which the partner cannot set, or None without the file."""
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:
        return None


def _read_regular_file(path: Path) -> bytes:
    """Return the content of a regular file; never open a link, pipe or device."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        reason: Reason = "not_a_file" if path.is_symlink() else "unreadable"
        raise UnreadError(reason, _CANNOT_OPEN, why=describe_os_error(error)) from None
    try:
        # Reading a pipe could block for ever, and a device has no end.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadError("not_a_file", mark("it is a folder, a pipe or a device"))
        return _read_up_to_limit(descriptor)
    except OSError as error:
        raise UnreadError("unreadable", _CANNOT_OPEN, why=describe_os_error(error)) from None
    finally:
        os.close(descriptor)


def _read_up_to_limit(descriptor: int) -> bytes:
    content = bytearray()
    while len(content) <= MAX_FILE_BYTES and (
        chunk := os.read(descriptor, MAX_FILE_BYTES + 1 - len(content))
    ):
        content += chunk
    return bytes(content)
