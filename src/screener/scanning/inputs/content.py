"""Inputs that are no files: a worker opens a copy of them."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from screener.errors import MediaError
from screener.media.files.limits import Limits
from screener.media.name import Name
from screener.media.remote.attempts import repeat
from screener.media.remote.copying import MAX_MEMORY_BYTES, RemoteCopy, copy_object, stamp
from screener.media.remote.remote_object import RemoteObject
from screener.scanning.inputs.bell import Bell

_IDENTIFY_SECONDS = 60.0


class Content(Protocol):
    """An input that is copied before a worker gets it.

    `memory` and `disk` are the bytes that a copy of it takes, as far as is known.
    """

    memory: int
    disk: int

    def identify(self) -> Name:
        """Return its name with its present size and time, by which a scan is resumed."""

    def start(self, bell: Bell, limits: Limits, seconds: float) -> None:
        """Begin to copy it; ring when that is done. It may take so many seconds."""

    @property
    def ready(self) -> bool:
        """Whether `take` returns at once."""

    def take(self) -> tuple[Name, str | MediaError]:
        """Return its name, and the path of its copy or the error why there is none."""

    def close(self) -> None:
        """Free its copy, or do not make it."""


class UnreadableContent:
    """An input that cannot be read, or a place that cannot be listed."""

    memory = disk = 0
    ready = True

    def __init__(self, name: Name, error: MediaError) -> None:
        self._name = name
        self._error = error

    def identify(self) -> Name:
        """Return its name."""
        return self._name

    def start(self, bell: Bell, limits: Limits, seconds: float) -> None:
        """Do nothing."""

    def take(self) -> tuple[Name, str | MediaError]:
        """Return its name and the error."""
        return self._name, self._error

    def close(self) -> None:
        """Do nothing."""


class RemoteContent:
    """An object in a store, which is copied on the thread of fsspec's event loop."""

    def __init__(self, found: RemoteObject, loop: Any) -> None:
        self._found = found
        self._loop = loop
        self._copying: Future[RemoteCopy] | None = None
        size = MAX_MEMORY_BYTES if found.name.size is None else found.name.size
        self.memory = size if size <= MAX_MEMORY_BYTES else 0
        self.disk = size - self.memory

    def identify(self) -> Name:
        """Return its name, after a request if the store was not asked before."""
        found = self._found
        if found.name.has_no_state:
            request = repeat(lambda: found.store.refresh(found), seconds=_IDENTIFY_SECONDS)
            with suppress(MediaError):
                found = asyncio.run_coroutine_threadsafe(request, self._loop).result()
        return stamp(found.name)

    def open(self) -> Any:
        """Open the object itself, for reading at any place."""
        return self._found.store.open(self._found)

    def start(self, bell: Bell, limits: Limits, seconds: float) -> None:
        """Begin to copy it."""
        copying = copy_object(self._found, limits=limits, seconds=seconds)
        self._copying = asyncio.run_coroutine_threadsafe(copying, self._loop)
        self._copying.add_done_callback(lambda _: bell.ring())

    @property
    def ready(self) -> bool:
        """Whether the copy is made, or failed."""
        return self._copying is not None and self._copying.done()

    def take(self) -> tuple[Name, str | MediaError]:
        """Return its name and the path of its copy.

        The name of an object that could not be read has no size and time, so that it takes no
        earlier result back, and is read again when the scan is resumed.
        """
        if self._copying is None:
            raise RuntimeError("the copy was not begun")
        try:
            copy = self._copying.result()
        except MediaError as error:
            name = stamp(self._found.name)
            if error.reason != "too_large":
                name = replace(name, size=None, mtime_ns=None)
            return name, error.alone()
        return copy.name, copy.content.path

    def close(self) -> None:
        """End copying, or free the copy."""
        copying, self._copying = self._copying, None
        if copying is not None and not copying.cancel() and copying.exception() is None:
            copying.result().content.close()
