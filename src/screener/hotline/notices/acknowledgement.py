"""Acknowledgement: what a partner says of a notice, in a JSON file that it puts into its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from screener.errors import HotlineError
from screener.hotline.language.sentence import marked
from screener.hotline.language.translator import one_line
from screener.hotline.partners import NAME

SCHEMA = "screener-acknowledgement/1"
Event = Literal["acknowledged", "removed", "refused"]
EVENTS: tuple[Event, ...] = get_args(Event)
LONGEST = 64 << 10  # bytes of a file
_LONGEST_NAME, _LONGEST_NOTE = 200, 2000  # characters
# Clocks of two organisations differ a little.
_AHEAD = timedelta(minutes=5)
# What the example in a notice has in place of what only the partner knows.
_NO_TIME, _NOBODY = "YYYY-MM-DDThh:mm:ssZ", "…"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)

Reason = Literal[
    "not_a_file", "too_large", "unreadable", "not_json", "wrong_form", "unknown_notice",
    "wrong_time", "not_filled_in", "too_many",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A partner's word on one notice: what it did, when by its own clock (UTC), and who says so.

    `file` is the name of the file in the partner's folder.
    """

    notice: str
    event: Event
    at: datetime
    by: str
    note: str
    file: str


class UnreadError(HotlineError):
    """Why one file is no acknowledgement; it stays inside `acknowledgements`."""

    def __init__(self, reason: Reason, message: str, /, **values: object) -> None:
        super().__init__(message, **values)
        self.reason: Reason = reason


def parse(
    data: bytes, file: str, *, sent: Mapping[str, datetime], now: datetime
) -> Acknowledgement:
    """Read the bytes of a file; UnreadError says what is wrong with them, without repeating them.

    `sent` are the notices that this partner was sent, with the times at which they were written:
    it cannot speak of others, nor have acted before it was asked, nor in the future.
    """
    found = _object(data)
    if found.get("schema") != SCHEMA:
        raise UnreadError("wrong_form", marked("schema is not {schema}"), schema=SCHEMA)
    notice, event = _text(found, "notice", 64), _text(found, "event", 20)
    if event not in EVENTS:
        raise UnreadError("wrong_form", marked("event is one of {known}"), known=", ".join(EVENTS))
    at = _time(_own(found, "at", 40, _NO_TIME))
    by = _own(found, "by", _LONGEST_NAME, _NOBODY)
    note = _text(found, "note", _LONGEST_NOTE) if "note" in found else ""
    if not NAME.fullmatch(notice) or notice not in sent:
        raise UnreadError("unknown_notice", marked("this partner was sent no notice of that id"))
    # Its clock may be a little behind ours as well.
    if not sent[notice] - _AHEAD <= at <= now + _AHEAD:
        raise UnreadError(
            "wrong_time", marked("at lies before the notice was written, or in the future")
        )
    # Its own time stays: what the partner says next lies behind it by the same clock.
    return Acknowledgement(notice, event, at, by, note, file)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > LONGEST:
        raise UnreadError("too_large", marked("it is larger than {most} bytes"), most=LONGEST)
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise UnreadError("not_json", marked("it is no JSON, or names a field twice")) from None
    if not isinstance(found, dict):
        raise UnreadError("wrong_form", marked("it holds no JSON object"))
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ValueError where it names a field twice, since nobody knows which counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _text(found: Mapping[str, Any], name: str, longest: int) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise UnreadError(
            "wrong_form",
            marked("{field} is a text of at most {most} characters"),
            field=name,
            most=longest,
        )
    if not (said := one_line(value)).isprintable() or not said:
        raise UnreadError(
            "wrong_form",
            marked("{field} is one line of characters that can be printed"),
            field=name,
        )
    return said


def _own(found: Mapping[str, Any], name: str, longest: int, example: str) -> str:
    """A text that the partner has written, instead of what stands in the example."""
    text = _text(found, name, longest)
    if text == example:
        message = marked("{field} is still that of the example: fill it in")
        raise UnreadError("not_filled_in", message, field=name)
    return text


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise UnreadError(
            "wrong_form",
            marked("at is a time with its zone, such as {example}"),
            example="2026-11-25T09:30:00Z",
        )
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadError("wrong_form", marked("at is no time that there is")) from None


def example(notice: str) -> list[str]:
    """The lines of a file that says that what a notice asked for was removed; when, and by whom,
    is left to fill in: it is refused as it stands.
    """
    said = {
        "schema": SCHEMA, "notice": notice, "event": "removed",
        "at": _NO_TIME, "by": _NOBODY,
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False, indent=1).split("\n")
