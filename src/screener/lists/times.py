"""Times as sources write them, told apart by their length where they are digits only; and as people
are shown them.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

_DAY = timedelta(days=1)
_AHEAD = 86_400.0  # seconds that a source's clock, or its zone, may be before ours
# No list is of a time before: it is what tools write where they know none, 0001-01-01 or 1970.
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
# Digits only, by how many: a date, a date and time, or a number of so many in a second.
_WRITTEN = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_COUNTED = {10: 1, 13: 1_000}


def moment(text: str) -> float | None:
    """Seconds since 1970 of a time as sources write it: ISO 8601, a date of 8 digits, a date and
    time of 14, seconds of 10, milliseconds of 13. None for anything else, which compares with no
    time, and for what is more than a day ahead or before 1990.

    A time without an offset is taken for UTC: it compares with others of the same source.
    """
    found = seconds(text)
    return None if found is None or found > time.time() + _AHEAD else found


def seconds(text: str) -> float | None:
    """As `moment`, also of a time that is ahead."""
    try:
        found = _read(text.strip())
    except (ValueError, OverflowError):
        return None
    return None if found is None or found < _EARLIEST else found


def shown(seconds: float) -> str:
    """Seconds since 1970 as people are shown them: ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def last_day(text: str) -> date | None:
    """The last whole day, in UTC, before something ends: the day itself where no hour is said. None
    for what is no time as sources write it.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        found = _read(text.strip())
        # The second before midnight ends its day.
        return None if found is None else datetime.fromtimestamp(found + 1, UTC).date() - _DAY
    except (ValueError, OverflowError, OSError):
        return None


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
        found = datetime.fromisoformat(text.upper())  # RFC 3339 has `z` too
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def order(first: str | None, second: str | None) -> int | None:
    """-1 where the first of two times is the earlier, 1 where it is the later, 0 where they are the
    same; None where one of them is none.
    """
    one, other = (None if text is None else moment(text) for text in (first, second))
    return None if one is None or other is None else (one > other) - (one < other)


def timeless(said: str | None) -> bool:
    """Whether a text is no time, or there is none."""
    return said is None or moment(said) is None


def same(first: str | None, second: str | None) -> bool:
    """Whether two times are one moment, or both are none."""
    if first == second:
        return True
    one, other = (None if text is None else moment(text) for text in (first, second))
    return one == other


def later(first: str | None, second: str | None) -> str | None:
    """The later of two texts as moments; one that is none gives way to one that is. Whichever is
    asked first, the answer is the same.
    """
    return max((text for text in (first, second) if text is not None), key=_rank, default=None)


def _rank(text: str) -> tuple[bool, float, str]:
    found = moment(text)
    return found is not None, found or 0.0, text
