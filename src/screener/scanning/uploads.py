"""Items of a Pool as paths that its workers can open, with nothing of them on a disk."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media import source
from screener.media.name import Name, name_of, name_of_label
from screener.media.source import Item
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.system.private_copy import PrivateCopy, has_memory_files, path_of

_PIECE_BYTES = 1 << 20
_MAX_QUICK_BYTES = 1 << 20  # copied in a quarter of a millisecond


class Upload:
    """An item that a worker opens by its path.

    Attributes:
        path: The path, of a file in memory if the item is not a file itself.
        name: The item's name.
        is_file: The item is a file itself, of which the worker reads size and time.
    """

    def __init__(
        self,
        path: str,
        name: Name,
        *,
        descriptor: int = -1,
        copy: PrivateCopy | None = None,
        is_file: bool = False,
    ) -> None:
        self.path = path
        self.name = name
        self.is_file = is_file
        self._descriptor = descriptor
        self._copy = copy

    def close(self) -> None:
        """Free the memory of the item; do nothing if it is a file itself."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        if self._copy is not None:
            self._copy.close()

    def __del__(self) -> None:
        self.close()


def check_upload(item: object) -> None:
    """Raise TypeError if a Pool cannot screen an item, HashError if an array has no pixels.

    An image that Pillow opened from a file is refused, since Pillow decodes it later, in this
    process.
    """
    source.check_item(item)
    if isinstance(item, ImageFile.ImageFile):
        raise TypeError(
            f"a Pool does not screen an image that Pillow opened ({type(item).__name__}), since"
            " that decodes the file in this process: pass the file or its bytes"
        )


def is_quick(item: Item) -> bool:
    """Return whether `open_upload` takes so little time that an event loop may wait for it."""
    return (
        isinstance(item, bytes | bytearray | memoryview)
        and memoryview(item).nbytes <= _MAX_QUICK_BYTES
    )


def open_upload(item: Item, hasher: Hasher) -> Upload | HashedInput:
    """Return an item for a worker, or its hashes if none of its bytes need to be decoded.

    Those are the pixels of arrays and Pillow images, hashed here, and inputs that are unreadable or
    over the limit. The item was checked by `check_upload`. Raises OSError if the system gives no
    memory for a copy.
    """
    if isinstance(item, Image.Image | np.ndarray):
        return hasher.exact().hash(item)
    if isinstance(item, str | PathLike):
        return Upload(_absolute(os.fsdecode(item)), name_of_label(item), is_file=True)
    name = name_of(item)
    descriptor = _reopen(item)
    if descriptor is not None:
        return Upload(path_of(descriptor), name, descriptor=descriptor)
    limits = hasher.policy.limits
    try:
        with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
            if isinstance(read.content, bytes):
                return _store([read.content], name)
            if read.content is None and read.file is not None:
                return hasher.exact().hash(read.file)  # over the limit, so it is not decoded
            return _store(_read_pieces(read.file), name)
    except MediaError as error:
        return HashedInput(name, error=error.alone())
    except MemoryError:
        return HashedInput(name, error=ShortOfMemory("not enough memory to read it"))


def _absolute(path: str) -> str:
    """Return a path that does not depend on the working folder, which workers do not follow."""
    if not path or os.path.isabs(path):
        return path
    try:
        return os.path.join(os.getcwd(), path)
    except OSError:  # a folder that is gone
        return path


def _reopen(item: Any) -> int | None:
    """Return a new descriptor of a file object that is at the start of a regular file, or None.

    A worker reads that file without a copy. Objects of other classes may unpack what they read,
    or have a descriptor of something else.
    """
    if not has_memory_files():
        return None
    if isinstance(item, tempfile.SpooledTemporaryFile):
        item = getattr(item, "_file", None)  # `fileno` would write it to a disk
    raw = item.raw if type(item) in (io.BufferedReader, io.BufferedRandom) else item
    try:
        if type(raw) is not io.FileIO or not item.readable() or item.tell() != 0:
            return None
        if item.writable():
            item.flush()
        if not stat.S_ISREG(os.fstat(item.fileno()).st_mode):
            return None
        # Not `dup`: whether a worker may open the file must be known here.
        return os.open(f"/proc/self/fd/{item.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):  # also a closed one; reading it will report the error
        return None


def _read_pieces(file: BinaryIO | None) -> Iterator[bytes]:
    """Yield a video in pieces. Raises MediaError for any error of the caller's file object."""
    try:
        while file is not None and (piece := file.read(_PIECE_BYTES)):
            yield piece
    except OSError as error:
        raise MediaError("unreadable", error.strerror or "cannot be read") from None


def _store(pieces: Iterable[bytes], name: Name) -> Upload:
    """Copy an item to a file in memory, or if the system has none, to one that only we can read."""
    copy = PrivateCopy()
    try:
        for piece in pieces:
            copy.write(piece)
        copy.seal()
    except BaseException:
        copy.close()
        raise
    return Upload(copy.path, name, copy=copy)
