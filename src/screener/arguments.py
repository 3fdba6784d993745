"""Checks of values that come from a caller, a user's file or a shell."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from screener.errors import HashError, ListError

MAX_THREADS = 1024


def integer(number: Any) -> int:
    """Return an integer of any type as an int.

    Raises TypeError for other values, including True and False.
    """
    if isinstance(number, bool):
        raise TypeError("true and false are not numbers")
    return operator.index(number)


def integer_within(number: Any, least: int, most: float = math.inf) -> int | None:
    """Return an integer within bounds as an int, or None for any other value."""
    try:
        value = integer(number)
    except TypeError:
        return None
    return value if least <= value <= most else None


def as_float(number: Any) -> float:
    """Return a real number as a float.

    A number that is too large becomes infinite; another value becomes NaN.
    """
    if isinstance(number, bool) or not isinstance(number, Real):
        return math.nan
    try:
        return float(cast("float", number))
    except OverflowError:
        return math.inf if cast("float", number) > 0 else -math.inf


def check_threads(threads: Any) -> int:
    """Return a number of threads as an int.

    Raises HashError if it is out of range.
    """
    count = integer_within(threads, 1, MAX_THREADS)
    if count is None:
        raise HashError(f"threads must be an integer from 1 to {MAX_THREADS}, not {threads!r}")
    return count


def check_pixels(
    pixels: Any, name: str = "pixels", *, before: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """Return grey or RGB pixels of uint8.

    Parameters:
        pixels: The array.
        name: The argument's name in messages.
        before: The names of dimensions before height and width.

    Raises:
        HashError: If the array has another type or shape.
    """
    if not is_bytes(pixels):
        raise HashError(f"{name} must be a NumPy array of uint8, not {type_name(pixels)}")
    ndim = pixels.ndim - len(before)
    if ndim != 2 and not (ndim == 3 and pixels.shape[-1] == 3):
        grey = ", ".join((*before, "height", "width"))
        raise HashError(f"{name} must have the shape ({grey}) or ({grey}, 3), not {pixels.shape}")
    return pixels


def is_bytes(array: Any) -> TypeGuard[NDArray[np.uint8]]:
    """Return whether a value is a NumPy array of uint8 without a mask."""
    return isinstance(array, np.ndarray) and array.dtype == np.uint8 and not is_masked(array)


def is_masked(array: object) -> bool:
    """Return whether an array is masked; only the caller knows the values under the mask."""
    if type(array) is np.ndarray or not isinstance(array, np.ndarray):
        return False
    from numpy.ma import MaskedArray  # slow to import

    return isinstance(array, MaskedArray)


def type_name(value: object) -> str:
    """Return the type of an array's elements or of another value, for a message."""
    if is_masked(value):
        return "a masked array"
    return f"{getattr(value, 'dtype', type(value).__name__)}"


def is_line(text: object) -> bool:
    """Return whether a text is one printable line that is not blank."""
    return isinstance(text, str) and text.strip() != "" and text.isprintable()


def check_line(name: str, text: object) -> None:
    """Raise ListError, with this name, if a text is not a printable line."""
    if not is_line(text):
        raise ListError(f"{name} must be one line of printable text")


def check_author(by: object, reason: object = None) -> None:
    """Raise ListError if an author or reason is neither None nor a line."""
    for name, text in (("by, the author of the change,", by), ("a reason", reason)):
        if text is not None:
            check_line(name, text)


def check_texts(**texts: object) -> None:
    """Raise ListError if a value is neither None nor text that UTF-8 can encode."""
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ListError(f"{name} must be text, not {type(text).__name__}")
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise ListError(f"{name} contains half a character, which UTF-8 cannot hold") from None


def check_flags(**flags: object) -> None:
    """Raise ListError if a flag is not a bool: the text "no" would count as true."""
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise ListError(f"{name} must be true or false")
