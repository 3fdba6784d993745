"""Whole numbers, and others, as callers give them."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, cast


def whole(number: Any) -> int:
    """A whole number of whatever type as Python's own; TypeError for any other, and for what is
    true or false, which Python would take for 1 or 0.
    """
    if isinstance(number, bool):
        raise TypeError("true and false are no numbers")
    return operator.index(number)


def within(number: Any, least: int, most: float = math.inf) -> int | None:
    """The same of one from `least` to `most`; None for any other, and for what is no number."""
    try:
        found = whole(number)
    except TypeError:
        return None
    return found if least <= found <= most else None


def real(number: Any) -> float:
    """A number of whatever type as Python's own, infinite where that has none so large; `nan` for
    what is none, true and false among it.
    """
    if isinstance(number, bool) or not isinstance(number, Real):
        return math.nan
    try:
        return float(cast("float", number))
    except OverflowError:
        return math.inf if cast("float", number) > 0 else -math.inf
