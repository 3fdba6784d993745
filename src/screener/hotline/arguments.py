"""Asked: what a program gives a Desk or a report, looked at before anything is done.

The commands give nothing else than they take, so that these are a program's mistakes: told in
English, to whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from os import PathLike
from typing import TypeVar

T = TypeVar("T")


def check(what: str, given: object, kind: type) -> None:
    """TypeError for what is of another type."""
    if not isinstance(given, kind):
        raise TypeError(f"{what} is a {kind.__name__}, and not {type(given).__name__}")


def check_one_of(what: str, given: object, choices: tuple[str, ...]) -> None:
    """ValueError for what is none of these."""
    if not isinstance(given, str) or given not in choices:
        raise ValueError(f"{what} is one of {', '.join(choices)}, and not {given!r}")


def several(what: str, given: Iterable[T]) -> tuple[T, ...]:
    """Them all; TypeError for one alone, whose letters would be taken for them."""
    alone = isinstance(given, str | bytes | bytearray | memoryview | PathLike)
    if alone or not isinstance(given, Iterable):
        raise TypeError(f"{what} are a list of them, and not one {type(given).__name__}")
    return tuple(given)


def check_day(given: object) -> None:
    """TypeError for what is no day: a time would tell more than that."""
    if not isinstance(given, date) or isinstance(given, datetime):
        raise TypeError(f"a day is a date, and not {type(given).__name__}")
