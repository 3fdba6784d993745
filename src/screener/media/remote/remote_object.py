"""An object in a store, and what each kind of store can do."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from screener.media.name import Name

PIECE_BYTES = 16 << 20
"""The bytes that one request reads."""

LIST_SECONDS = 600.0
"""For one page of a listing, with all attempts."""


@dataclass(frozen=True)
class RemoteObject:
    """An object: its key in its store, and its name in results with the size and time it had.

    A name without size or time gets them when the object is read. `version` is the ETag or the
    generation, if the store has any.
    """

    store: Store
    key: str
    name: Name
    version: str | None = None


Page = list[RemoteObject]
Pieces = AsyncIterator[bytes | Name]


class Store(Protocol):
    """The place that a URL names: an object, or a folder of objects."""

    async def find(self) -> RemoteObject | None:
        """Return the object of this very name, or None if there may be objects below it."""

    def list_below(self) -> AsyncIterator[Page]:
        """Yield the objects below it, in an order that is always the same."""

    async def refresh(self, found: RemoteObject) -> RemoteObject:
        """Return the present state of an object. Raises OSError if it is gone."""

    def read(self, found: RemoteObject) -> Pieces:
        """Yield an object in pieces, and its name if reading tells size and time.

        Raises ObjectChanged if it is not the object that was found.
        """

    def open(self, found: RemoteObject) -> Any:
        """Open an object for reading at any place, by threads other than the event loop's."""


def as_nanoseconds(time: object) -> int | None:
    """Return a time of a store in nanoseconds since 1970, or None if it is none."""
    try:
        if isinstance(time, str):
            is_iso = time[:4].isdecimal()
            time = datetime.datetime.fromisoformat(time) if is_iso else parsedate_to_datetime(time)
        if isinstance(time, datetime.datetime):
            aware = time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
            since = aware - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
            return since // datetime.timedelta(microseconds=1) * 1000
        return round(time * 1e9) if isinstance(time, int | float) else None
    except (ValueError, OverflowError, TypeError):
        return None
