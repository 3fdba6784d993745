"""Parse, compare and format the times that sources write."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

_ONE_DAY = timedelta(days=1)
_MAX_CLOCK_SKEW_S = 86_400.0  # a source's clock or time zone may be ahead
# No list is older than this: tools write 0001-01-01 or 1970 if they do not know the time.
_MIN_TIME_S = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
# Times written in digits alone, by their length: a date, or a date and time.
_FORMAT_BY_LENGTH = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_UNITS_PER_SECOND = {10: 1, 13: 1_000}  # counts of seconds and milliseconds, by their length


def parse_past_time(text: str) -> float | None:
    """Return a source's time as seconds since 1970, or None if it is not usable.

    It may be ISO 8601, a date of 8 digits, a date and time of 14, seconds of 10 or milliseconds of
    13 digits. A time without an offset counts as UTC, since it is only compared with others of the
    same source. Times before 1990 or more than a day in the future are not usable.
    """
    time_s = parse_time(text)
    return None if time_s is None or time_s > time.time() + _MAX_CLOCK_SKEW_S else time_s


def parse_time(text: str) -> float | None:
    """Return the time as `parse_past_time` does, but accept any time in the future."""
    try:
        time_s = _read_time(text.strip())
    except (ValueError, OverflowError):
        return None
    return None if time_s is None or time_s < _MIN_TIME_S else time_s


def format_time(seconds: float) -> str:
    """Format seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def find_last_day(text: str) -> date | None:
    """Return the last whole UTC day before a time of expiry, or None for another text.

    For a date without an hour it is that date.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        time_s = _read_time(text.strip())
        # Add a second, so that a day until 23:59:59 counts as whole.
        return None if time_s is None else datetime.fromtimestamp(time_s + 1, UTC).date() - _ONE_DAY
    except (ValueError, OverflowError, OSError):
        return None


def _read_time(text: str) -> float | None:
    if text.isdecimal():
        if not text.isascii():
            return None
        if len(text) in _UNITS_PER_SECOND:
            return int(text) / _UNITS_PER_SECOND[len(text)]
        if len(text) not in _FORMAT_BY_LENGTH:
            return None
        parsed = datetime.strptime(text, _FORMAT_BY_LENGTH[len(text)])
    else:
        parsed = datetime.fromisoformat(text.upper())  # RFC 3339 allows a lower-case `z`
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def compare_times(first: str | None, second: str | None) -> int | None:
    """Return -1, 0 or 1 if the first time is earlier, equal or later.

    Returns None if either text is not a time.
    """
    first_s, second_s = (
        None if text is None else parse_past_time(text) for text in (first, second)
    )
    return (
        None if first_s is None or second_s is None else (first_s > second_s) - (first_s < second_s)
    )


def is_untimed(text: str | None) -> bool:
    """Return whether a text is missing or is not a time."""
    return text is None or parse_past_time(text) is None


def is_same_time(first: str | None, second: str | None) -> bool:
    """Return whether two times are the same moment, or neither is a time."""
    if first == second:
        return True
    first_s, second_s = (
        None if text is None else parse_past_time(text) for text in (first, second)
    )
    return first_s == second_s


def find_later(first: str | None, second: str | None) -> str | None:
    """Return the later of two times; other texts count as earlier than any time."""
    return max((text for text in (first, second) if text is not None), key=_rank_text, default=None)


def _rank_text(text: str) -> tuple[bool, float, str]:
    time_s = parse_past_time(text)
    return time_s is not None, time_s or 0.0, text
