"""The wire format between processes: types that msgspec checks while it decodes a message.

A file may have taken over the process that sends. So a message makes no object but those declared
here and in the structs that use these types, and every number and length in it is bounded.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from screener.errors import MediaError
from screener.screening.result import Reason
from screener.system.installation import EXTRAS

_FAR = float(1 << 96)  # systems count seconds, and videos count ticks, in 64 bits

Count = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Size = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Seconds = Annotated[float, Meta(ge=-_FAR, lt=_FAR)]

Detail = Annotated[str, Meta(max_length=1000)]

TroubleWire = tuple[str, Detail, str | None]
"""A MediaError's reason, detail and extra."""


def trouble_to_wire(trouble: MediaError | None) -> TroubleWire | None:
    """Return an error in its wire format."""
    return None if trouble is None else (trouble.reason, trouble.detail, trouble.extra)


def trouble_from_wire(wire: TroubleWire | None) -> MediaError | None:
    """Return the error. Raise ValueError if its reason or extra does not exist, or if its detail,
    which stands in result lines, cannot be printed.
    """
    if wire is None:
        return None
    reason, detail, extra = wire
    if not detail.isprintable() or extra not in (None, *EXTRAS):
        raise ValueError("not an error of an input")
    return MediaError(Reason(reason), detail, extra)
