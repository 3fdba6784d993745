"""The wire format between processes: types that msgspec checks while it decodes a message.

A hostile file may have taken over the sending process. So a message makes only objects of the types
that are declared in this module and in the structs that use them, and every number and length in it
is bounded.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from screener.errors import MediaError
from screener.screening.result import Reason
from screener.system.installation import EXTRAS

_MAX_SECONDS = float(1 << 96)  # systems count seconds, and videos count ticks, in 64 bits

Count = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Size = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Seconds = Annotated[float, Meta(ge=-_MAX_SECONDS, lt=_MAX_SECONDS)]

_Coordinate = Annotated[int, Meta(ge=0, lt=1 << 31)]
BoxWire = tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate]

Detail = Annotated[str, Meta(max_length=1000)]

ErrorWire = tuple[str, Detail, str | None]
"""A MediaError's reason, detail and extra."""


def error_to_wire(error: MediaError | None) -> ErrorWire | None:
    """Return an error in its wire format."""
    return None if error is None else (error.reason, error.detail, error.extra)


def error_from_wire(wire: ErrorWire | None) -> MediaError | None:
    """Return an error from its wire format.

    Raises ValueError if its reason or extra does not exist, or if its detail, which result lines
    contain, is not printable.
    """
    if wire is None:
        return None
    reason, detail, extra = wire
    if not detail.isprintable() or extra not in (None, *EXTRAS):
        raise ValueError("not an error of an input")
    return MediaError(Reason(reason), detail, extra)
