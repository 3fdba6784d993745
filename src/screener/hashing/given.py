"""What is given as pixels, codes or digests: whether it is an array of bytes, and what if not;
whether it is a picture.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from screener.errors import HashError


def pixels(given: Any, name: str = "pixels", *, before: tuple[str, ...] = ()) -> NDArray[np.uint8]:
    """An array of uint8 with the dimensions of grey or RGB, and those `before`; or HashError, which
    calls it by that name.
    """
    if not is_bytes(given):
        raise HashError(f"{name} must be a NumPy array of uint8, not {named(given)}")
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


def named(given: object) -> str:
    """What something else is, for people: the type of its elements, or its own."""
    return (
        "a masked array" if is_masked(given) else f"{getattr(given, 'dtype', type(given).__name__)}"
    )
