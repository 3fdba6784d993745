"""Acknowledgement: what a partner says of a notice, in a JSON file that it puts into its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from screener.hotline.partners import NAME

SCHEMA = "screener-acknowledgement/1"
Event = Literal["acknowledged", "removed", "refused"]
EVENTS: tuple[Event, ...] = get_args(Event)
LONGEST = 64 << 10  # bytes of a file
_LONGEST_NAME, _LONGEST_NOTE = 200, 2000  # characters
# Clocks of two organisations differ a little.
_AHEAD = timedelta(minutes=5)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)

Reason = Literal[
    "not_a_file", "too_large", "unreadable", "not_json", "wrong_form", "unknown_notice",
    "wrong_time", "too_many",
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


class UnreadError(Exception):
    """Why one file is no acknowledgement; it stays inside `acknowledgements`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


def parse(
    data: bytes, file: str, *, sent: Mapping[str, datetime], now: datetime
) -> Acknowledgement:
    """Read the bytes of a file; UnreadError says what is wrong with them, without repeating them.

    `sent` are the notices that this partner was sent, with the times at which they were written:
    it cannot speak of others, nor have acted before it was asked, nor in the future.
    """
    found = _object(data)
    if found.get("schema") != SCHEMA:
        raise UnreadError("wrong_form", f"schema is not {SCHEMA}")
    notice, event = _text(found, "notice", 64), _text(found, "event", 20)
    if event not in EVENTS:
        raise UnreadError("wrong_form", f"event is one of {', '.join(EVENTS)}")
    at = _time(_text(found, "at", 40))
    by = _text(found, "by", _LONGEST_NAME)
    note = _text(found, "note", _LONGEST_NOTE) if "note" in found else ""
    if not NAME.fullmatch(notice) or notice not in sent:
        raise UnreadError("unknown_notice", "this partner was sent no notice of that id")
    # Its clock may be a little behind ours as well.
    if not sent[notice] - _AHEAD <= at <= now + _AHEAD:
        raise UnreadError("wrong_time", "at lies before the notice was written, or in the future")
    return Acknowledgement(notice, event, min(max(at, sent[notice]), now), by, note, file)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > LONGEST:
        raise UnreadError("too_large", f"more than {LONGEST} bytes")
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise UnreadError("not_json", "the file is no JSON, or names a field twice") from None
    if not isinstance(found, dict):
        raise UnreadError("wrong_form", "the file holds no JSON object")
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
        raise UnreadError("wrong_form", f"{name} is a text of at most {longest} characters")
    if not value.isprintable():
        raise UnreadError("wrong_form", f"{name} is one line of characters that can be printed")
    return value.strip()


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise UnreadError("wrong_form", "at is a time such as 2026-11-25T09:30:00Z, with its zone")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadError("wrong_form", "at is no time that there is") from None


def example(notice: str, at: datetime) -> list[str]:
    """The lines of a file that says that what a notice asked for was removed."""
    said = {
        "schema": SCHEMA, "notice": notice, "event": "removed",
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "by": "…",
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False, indent=1).split("\n")
