"""Parse, compare and format the times that sources write."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

_DAY = timedelta(days=1)
_CLOCK_SKEW = 86_400.0  # seconds that a source's clock or time zone may be ahead of ours
# No list is older: tools write 0001-01-01 or 1970 if they do not know the time.
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
# Formats of digits only, by length: a date, a date and time; seconds, milliseconds.
_WRITTEN = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_COUNTED = {10: 1, 13: 1_000}


def parse_past_time(text: str) -> float | None:
    """Return a source's time as seconds since 1970, or None if it is not a usable time.

    Accepts ISO 8601, a date of 8 digits, a date and time of 14, seconds of 10 and milliseconds of
    13. A time without an offset counts as UTC, since it is compared with others of the same source.
    Times before 1990 or more than a day ahead are not usable.
    """
    moment_s = parse_time(text)
    return None if moment_s is None or moment_s > time.time() + _CLOCK_SKEW else moment_s


def parse_time(text: str) -> float | None:
    """Return what `moment` does, but accept a time in the future."""
    try:
        moment_s = _read(text.strip())
    except (ValueError, OverflowError):
        return None
    return None if moment_s is None or moment_s < _EARLIEST else moment_s


def format_time(seconds: float) -> str:
    """Format seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def find_last_day(text: str) -> date | None:
    """Return the last whole UTC day before a time of expiry, or None if it is not a time.

    A date without an hour is that day itself.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        moment_s = _read(text.strip())
        # One second more, so that 23:59:59 still counts the whole day.
        return None if moment_s is None else datetime.fromtimestamp(moment_s + 1, UTC).date() - _DAY
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
        moment_s = datetime.strptime(text, _WRITTEN[len(text)])
    else:
        moment_s = datetime.fromisoformat(text.upper())  # RFC 3339 allows a lower-case `z`
    return (moment_s if moment_s.tzinfo else moment_s.replace(tzinfo=UTC)).timestamp()


def compare_times(first: str | None, second: str | None) -> int | None:
    """Return -1, 0 or 1 if the first time is earlier, equal or later; None if either is no time."""
    one, other = (None if text is None else parse_past_time(text) for text in (first, second))
    return None if one is None or other is None else (one > other) - (one < other)


def is_untimed(text: str | None) -> bool:
    """Return whether a text is missing or is not a time."""
    return text is None or parse_past_time(text) is None


def is_same_time(first: str | None, second: str | None) -> bool:
    """Return whether two times are the same moment, or neither is a time."""
    if first == second:
        return True
    one, other = (None if text is None else parse_past_time(text) for text in (first, second))
    return one == other


def find_later(first: str | None, second: str | None) -> str | None:
    """Return the later of two texts, in either order; one that is not a time counts as earlier."""
    return max((text for text in (first, second) if text is not None), key=_rank, default=None)


def _rank(text: str) -> tuple[bool, float, str]:
    moment_s = parse_past_time(text)
    return moment_s is not None, moment_s or 0.0, text
