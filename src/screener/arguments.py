"""Checks of values that come from a caller, a user's file or a shell."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from screener.errors import HashError, ListError

MOST_THREADS = 1024


def integer(number: Any) -> int:
    """Return an integer of any type as an int; TypeError for others, True and False included."""
    if isinstance(number, bool):
        raise TypeError("true and false are not numbers")
    return operator.index(number)


def integer_within(number: Any, least: int, most: float = math.inf) -> int | None:
    """Return an integer from `least` to `most` as an int, or None for anything else."""
    try:
        found = integer(number)
    except TypeError:
        return None
    return found if least <= found <= most else None


def as_float(number: Any) -> float:
    """Return a real number as a float, infinite if it is too large, NaN if it is not a number."""
    if isinstance(number, bool) or not isinstance(number, Real):
        return math.nan
    try:
        return float(cast("float", number))
    except OverflowError:
        return math.inf if cast("float", number) > 0 else -math.inf


def check_threads(threads: Any) -> int:
    """Return a number of threads as an int; HashError if it is out of range."""
    count = integer_within(threads, 1, MOST_THREADS)
    if count is None:
        raise HashError(f"threads must be an integer from 1 to {MOST_THREADS}, not {threads!r}")
    return count


def check_pixels(
    pixels: Any, name: str = "pixels", *, before: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """Return uint8 pixels, grey or RGB; HashError for another type or shape.

    `before` names dimensions that precede height and width, `name` the argument in messages.
    """
    if not is_bytes(pixels):
        raise HashError(f"{name} must be a NumPy array of uint8, not {type_name(pixels)}")
    ndim = pixels.ndim - len(before)
    if ndim != 2 and not (ndim == 3 and pixels.shape[-1] == 3):
        grey = ", ".join((*before, "height", "width"))
        raise HashError(f"{name} must have the shape ({grey}) or ({grey}, 3), not {pixels.shape}")
    return pixels


def is_bytes(array: Any) -> TypeGuard[NDArray[np.uint8]]:
    """Return whether this is a NumPy array of uint8 without a mask."""
    return isinstance(array, np.ndarray) and array.dtype == np.uint8 and not is_masked(array)


def is_masked(array: object) -> bool:
    """Return whether this is a masked array: only the caller knows which values stand behind it."""
    if type(array) is np.ndarray or not isinstance(array, np.ndarray):
        return False
    from numpy.ma import MaskedArray  # slow to import

    return isinstance(array, MaskedArray)


def type_name(value: object) -> str:
    """Return the type of an array's elements, or of any other value, for a message."""
    if is_masked(value):
        return "a masked array"
    return f"{getattr(value, 'dtype', type(value).__name__)}"


def is_line(text: object) -> bool:
    """Return whether this is one line of printable text that is not blank."""
    return isinstance(text, str) and text.strip() != "" and text.isprintable()


def check_line(what: str, text: object) -> None:
    """Raise ListError, which begins with `what`, if the text is not a printable line."""
    if not is_line(text):
        raise ListError(f"{what} must be one line of printable text")


def check_author(by: object, reason: object = None) -> None:
    """Raise ListError if the author or the reason of a change is given and is not a line."""
    for what, text in (("by, the author of the change,", by), ("a reason", reason)):
        if text is not None:
            check_line(what, text)


def check_texts(**texts: object) -> None:
    """Raise ListError if one of the texts is neither None nor text that UTF-8 can encode."""
    for what, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ListError(f"{what} must be text, not {type(text).__name__}")
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise ListError(f"{what} contains half a character, which UTF-8 cannot hold") from None


def check_flags(**flags: object) -> None:
    """Raise ListError if one of the flags is not a bool: the text "no" would count as true."""
    for what, flag in flags.items():
        if not isinstance(flag, bool):
            raise ListError(f"{what} must be true or false")
