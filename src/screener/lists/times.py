"""Times as sources write them: told apart by their length where they are digits only."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_AHEAD = 86_400.0  # seconds that a source's clock, or its zone, may be before ours
# Digits only, by how many: a date, a date and time, or a number of so many in a second.
_WRITTEN = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_COUNTED = {10: 1, 13: 1_000}


def moment(text: str) -> float | None:
    """Seconds since 1970 of a time as sources write it: ISO 8601, a date of 8 digits, a date and
    time of 14, seconds of 10, milliseconds of 13. None for anything else, which compares with no
    time, and for what is more than a day ahead.

    A time without an offset is taken for UTC: it compares with others of the same source.
    """
    try:
        found = _read(text.strip())
    except (ValueError, OverflowError):
        return None
    return None if found is None or found > time.time() + _AHEAD else found


def _read(text: str) -> float | None:
    if text.isdecimal():
        if not text.isascii():
            return None
        if len(text) in _COUNTED:
            return int(text) / _COUNTED[len(text)]
        if len(text) not in _WRITTEN:
            return None
        found = datetime.strptime(text, _WRITTEN[len(text)])
    else:
        found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def later(first: str | None, second: str | None) -> str | None:
    """The later of two texts as moments; one that is none gives way to one that is. Whichever is
    asked first, the answer is the same.
    """
    return max((text for text in (first, second) if text is not None), key=_rank, default=None)


def _rank(text: str) -> tuple[bool, float, str]:
    found = moment(text)
    return found is not None, found or 0.0, text
