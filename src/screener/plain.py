"""Plain: values that go from process to process without their classes, and are checked there."""

from __future__ import annotations

from typing import Any

from screener.errors import MediaError
from screener.result import Reason

_COUNTS = 1 << 63
FAR = 1 << 96
"""Beyond what any time comes to: systems count seconds, and videos count ticks, in 64 bits."""


def plain_trouble(trouble: MediaError | None) -> tuple[str, str] | None:
    """What went wrong, as plain values."""
    return None if trouble is None else (trouble.reason, trouble.detail)


def trouble_of(plain: tuple[str, str] | None) -> MediaError | None:
    """What went wrong, by plain values. TypeError or ValueError where that is no such thing."""
    if plain is None:
        return None
    reason, detail = typed((str, str), plain)
    return MediaError(Reason(reason), detail)


def typed(
    kinds: tuple[Any, ...], values: tuple[Any, ...], *, beyond: int = _COUNTS
) -> tuple[Any, ...]:
    """The values, each of its type. TypeError where one is not, ValueError where a number is none
    that can be told of a file, or there are more or fewer: a whole one is less than `beyond`.
    """
    for value, kind in zip(values, kinds, strict=True):
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError("not of the type that it has to be")
        if isinstance(value, int | float):
            most = FAR if isinstance(value, float) else beyond
            if not -most <= value < most:  # or it is no number
                raise ValueError("no number of a file")
    return values
