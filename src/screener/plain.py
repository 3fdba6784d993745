"""Plain: values that go from process to process without their classes, and are checked there."""

from __future__ import annotations

from typing import Any

from screener.errors import MediaError
from screener.result import Reason

_BEYOND = 1 << 63


def plain_trouble(trouble: MediaError | None) -> tuple[str, str] | None:
    """What went wrong, as plain values."""
    return None if trouble is None else (trouble.reason, trouble.detail)


def trouble_of(plain: tuple[str, str] | None) -> MediaError | None:
    """What went wrong, by plain values. TypeError or ValueError where that is no such thing."""
    if plain is None:
        return None
    reason, detail = typed((str, str), plain)
    return MediaError(Reason(reason), detail)


def typed(kinds: tuple[Any, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, each of its type. TypeError where one is not, ValueError where a number is none
    that can be told of a file, or there are more or fewer.
    """
    for value, kind in zip(values, kinds, strict=True):
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError("not of the type that it has to be")
        if isinstance(value, int | float) and not -_BEYOND <= value < _BEYOND:  # or no number
            raise ValueError("no number of a file")
    return values
