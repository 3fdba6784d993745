"""Whole numbers, as callers give them."""

from __future__ import annotations

import operator
from typing import Any


def whole(number: Any) -> int:
    """A whole number of whatever type as Python's own; TypeError for any other, and for what is
    true or false, which Python would take for 1 or 0.
    """
    if isinstance(number, bool):
        raise TypeError("true and false are no numbers")
    return operator.index(number)
