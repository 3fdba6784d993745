"""Whole numbers, and others, as callers give them."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from screener.errors import HashError, ListError


def is_line(text: object) -> bool:
    """Whether it is such a line, and not empty."""
    return isinstance(text, str) and text.strip() != "" and text.isprintable()


def check_line(what: str, text: object) -> None:
    """ListError, which begins with `what` is to be one, where a text is no such line."""
    if not is_line(text):
        raise ListError(f"{what} is one line of printable text")


def check_texts(**said: object) -> None:
    """ListError where one that is said, None aside, is no text, or none that a list could hold."""
    for what, text in said.items():
        if text is not None and not isinstance(text, str):
            raise ListError(f"{what} is a text, and not {type(text).__name__}")
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise ListError(f"{what} holds half a character, which no text in UTF-8 does") from None


def check_flags(**given: object) -> None:
    """ListError where one that is given is no yes or no: the word "no" would be a yes."""
    for what, flag in given.items():
        if not isinstance(flag, bool):
            raise ListError(f"{what} is true or false")


def check_author(by: object, reason: object = None) -> None:
    """ListError where who asks for a change of a list, or why, is said and is no line."""
    for what, text in (("by, who asks for it,", by), ("a reason", reason)):
        if text is not None:
            check_line(what, text)


def check_pixels(
    given: Any, name: str = "pixels", *, before: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """An array of uint8 with the dimensions of grey or RGB, and those `before`; or HashError, which
    calls it by that name.
    """
    if not is_bytes(given):
        raise HashError(f"{name} must be a NumPy array of uint8, not {type_name(given)}")
    ndim = given.ndim - len(before)
    if ndim != 2 and not (ndim == 3 and given.shape[-1] == 3):
        grey = ", ".join((*before, "height", "width"))
        raise HashError(f"{name} must have the shape ({grey}) or ({grey}, 3), not {given.shape}")
    return given


def is_bytes(given: Any) -> TypeGuard[NDArray[np.uint8]]:
    """Whether it is a NumPy array of uint8, all of which counts."""
    return isinstance(given, np.ndarray) and given.dtype == np.uint8 and not is_masked(given)


def is_masked(given: object) -> bool:
    """Return whether `given` is an array with a mask. Only the caller knows what stands in place of
    the values that the mask covers, so they are neither hashed nor found.
    """
    if type(given) is np.ndarray or not isinstance(given, np.ndarray):
        return False
    # Here, as it takes time to load. The import waits for a thread that is loading it already.
    from numpy.ma import MaskedArray

    return isinstance(given, MaskedArray)


def type_name(given: object) -> str:
    """What something else is, for people: the type of its elements, or its own."""
    return (
        "a masked array" if is_masked(given) else f"{getattr(given, 'dtype', type(given).__name__)}"
    )


MOST_THREADS = 1024


def check_threads(threads: Any) -> int:
    """A number of threads; HashError unless it is a whole number from 1 to MOST."""
    count = integer_within(threads, 1, MOST_THREADS)
    if count is None:
        raise HashError(f"threads are a whole number from 1 to {MOST_THREADS}, not {threads!r}")
    return count


def integer(number: Any) -> int:
    """A whole number of whatever type as Python's own; TypeError for any other, and for what is
    true or false, which Python would take for 1 or 0.
    """
    if isinstance(number, bool):
        raise TypeError("true and false are no numbers")
    return operator.index(number)


def integer_within(number: Any, least: int, most: float = math.inf) -> int | None:
    """The same of one from `least` to `most`; None for any other, and for what is no number."""
    try:
        found = integer(number)
    except TypeError:
        return None
    return found if least <= found <= most else None


def as_float(number: Any) -> float:
    """A number of whatever type as Python's own, infinite where that has none so large; `nan` for
    what is none, true and false among it.
    """
    if isinstance(number, bool) or not isinstance(number, Real):
        return math.nan
    try:
        return float(cast("float", number))
    except OverflowError:
        return math.inf if cast("float", number) > 0 else -math.inf
