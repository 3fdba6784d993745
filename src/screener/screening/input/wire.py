"""Plain: values that go from process to process without their classes, and are checked there."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from screener.errors import MediaError
from screener.screening.result import Reason
from screener.system.installation import EXTRAS

NONE = type(None)

_LONGEST = 1000  # characters of a detail

_COUNTS = 1 << 63
FAR = 1 << 96
"""Beyond what any time comes to: systems count seconds, and videos count ticks, in 64 bits."""


Trouble = tuple[str, str, str | None]
"""A MediaError's reason, detail and extra."""


def plain_trouble(trouble: MediaError | None) -> Trouble | None:
    """What went wrong, as plain values."""
    return None if trouble is None else (trouble.reason, trouble.detail, trouble.extra)


def trouble_of(plain: Trouble | None) -> MediaError | None:
    """Return what went wrong, by plain values. Raises TypeError or ValueError if these are none of
    ours: the detail of a process that a file has taken over would stand in lines of results.
    """
    if plain is None:
        return None
    reason, detail, extra = typed((str, str, (str, NONE)), plain)
    if len(detail) > _LONGEST or not detail.isprintable():
        raise ValueError("no sentence")
    if extra not in (None, *EXTRAS):
        raise ValueError("no extra of this package")
    return MediaError(Reason(reason), detail, extra)


def typed(
    kinds: tuple[Any, ...], values: tuple[Any, ...], *, beyond: int = _COUNTS
) -> tuple[Any, ...]:
    """The values, each of its type or one of its types. TypeError where one is not, ValueError
    where a number is none that can be told of a file, or there are more or fewer: a whole one is
    less than `beyond`.
    """
    for place in _numbers(kinds, tuple(map(type, values))):
        value = values[place]
        most = FAR if isinstance(value, float) else beyond
        if not -most <= value < most:  # or it is no number
            raise ValueError("no number of a file")
    return values


@lru_cache(maxsize=1024)
def _numbers(kinds: tuple[Any, ...], found: tuple[type, ...]) -> tuple[int, ...]:
    """Where the numbers are among values of the types that were found; raises as `typed` does. Of
    few forms, a scan is told some thousand a second.
    """
    for one, kind in zip(found, kinds, strict=True):
        if not issubclass(one, kind) or (one is bool and kind is not bool):
            raise TypeError("not of the type that it has to be")
    return tuple(place for place, one in enumerate(found) if issubclass(one, int | float))
