"""Copy one object, with further attempts, within limits of size and time."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from screener.errors import MediaError
from screener.media.files.limits import Limits
from screener.media.name import Name
from screener.media.remote.attempts import ObjectChanged, repeat
from screener.media.remote.remote_object import Pieces, RemoteObject
from screener.media.remote.store import open_store
from screener.system.private_copy import PrivateCopy

MAX_MEMORY_BYTES = 16 << 20
"""The copy of a larger object lies on the disk."""


@dataclass(frozen=True)
class RemoteCopy:
    """A copy of an object, and its name with size and time."""

    name: Name
    content: PrivateCopy


async def copy_object(found: RemoteObject, *, limits: Limits, seconds: float) -> RemoteCopy:
    """Copy an object. Raises MediaError, whose detail has neither URL nor credentials.

    Its reason is `too_large` for an object over the limit of videos, `timeout` after so many
    seconds of wall time, and `unreadable` if all attempts fail.
    """
    limit = max(limits.bytes, limits.video_bytes)
    current, has_changed = found, False

    async def copy() -> RemoteCopy:
        nonlocal current, has_changed
        if has_changed:
            current = await current.store.refresh(current)
        try:
            return await _copy_once(current, limit)
        except (ObjectChanged, EOFError):  # perhaps it is shorter now
            has_changed = True
            raise

    return await repeat(copy, seconds=seconds)


async def _copy_once(found: RemoteObject, limit: int) -> RemoteCopy:
    name, total = found.name, 0
    _check_size(name.size or 0, limit)
    copy = _Copy(on_disk=(name.size or 0) > MAX_MEMORY_BYTES)
    try:
        async with aclosing(cast("Any", found.store.read(found))) as pieces:
            async for piece in cast("Pieces", pieces):
                if isinstance(piece, Name):
                    name = piece
                    continue
                total += len(piece)
                _check_size(total, limit)
                copy.write(piece, total)
        if name.size is None:
            name = replace(name, size=total)
        if total != name.size:
            raise EOFError
        copy.content.seal()
        return RemoteCopy(stamp(name), copy.content)
    except BaseException:
        copy.content.close()
        raise


def stamp(name: Name) -> Name:
    """Return a name with the present time if its store tells none, unless it has no size either.

    The object may have changed although it has the same size, so no earlier result stays valid.
    """
    if name.size is None or name.mtime_ns is not None:
        return name
    return replace(name, mtime_ns=time.time_ns())


class _Copy:
    """A copy that moves to the disk when it becomes too large for memory.

    Raises MediaError if there is no room.
    """

    def __init__(self, *, on_disk: bool) -> None:
        self.content = _create(on_disk=on_disk)
        self._on_disk = on_disk

    def write(self, piece: bytes, total: int) -> None:
        try:
            if total > MAX_MEMORY_BYTES and not self._on_disk:
                self._move()
            self.content.write(piece)
        except OSError as error:
            raise _no_room(error) from None

    def _move(self) -> None:
        moved = _create(on_disk=True)
        with open(self.content.path, "rb") as written:
            while piece := written.read(1 << 20):
                moved.write(piece)
        self.content.close()
        self.content, self._on_disk = moved, True


def _create(*, on_disk: bool) -> PrivateCopy:
    try:
        return PrivateCopy(on_disk=on_disk)
    except OSError as error:
        raise _no_room(error) from None


def _no_room(error: OSError) -> MediaError:
    return MediaError("unreadable", f"no room for a copy of it: {error.strerror}")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise MediaError("too_large", f"more than {limit} bytes")


def copy_url(url: str, *, limits: Limits, seconds: float) -> RemoteCopy:
    """Copy the object that a URL names, and wait for it. Raises MediaError as `copy_object`."""
    store, loop = open_store(url)

    async def copy() -> RemoteCopy:
        found = await repeat(store.find, seconds=seconds)
        if found is None:
            raise MediaError("unreadable", "there is no object of this very name")
        return await copy_object(found, limits=limits, seconds=seconds)

    return asyncio.run_coroutine_threadsafe(copy(), loop).result()
