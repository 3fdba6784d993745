"""Reading an input, whatever it is, once: its name, its bytes or pixels, and its limits."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screener.errors import MediaError
from screener.media.files.open_file import HEAD, OpenFile, unreadable
from screener.media.files.sniff import CONTAINERS, sniff
from screener.media.image import pixels


class Readable(Protocol):
    """A binary file object, of a library's own kind too: an upload, or a member of an archive."""

    def read(self, size: int, /) -> bytes | None:
        """So many bytes, fewer if it pleases, none at its end."""


_AS_TEXT = "a file object opened as text; open it as binary"

Content = bytes | Image.Image | NDArray[Any]
Item = str | PathLike[str] | PathLike[bytes] | bytes | bytearray | memoryview | Readable | Content


@dataclass(frozen=True)
class Name:
    """What an input is called, and the facts of its file where it is one.

    A member of an archive is called `outer!inner!member`. Its `archives` are the lengths, in bytes,
    of what of that names the archives that it is in, the outermost first: `outer`, `outer!inner`.
    They tell it from a file that is called so. `same`: at each of these levels, how many members
    of the same name came before.
    """

    text: str | None = None
    raw: bytes | None = None
    size: int | None = None
    mtime_ns: int | None = None
    archives: tuple[int, ...] = ()
    same: tuple[int, ...] = ()

    @property
    def has_no_state(self) -> bool:
        """Whether there is neither a size nor a time, as of what is not there."""
        return self.size is None and self.mtime_ns is None

    @property
    def as_bytes(self) -> bytes:
        """The name as the system has it."""
        return self.raw or (self.text or "").encode("utf-8", "replace")


@dataclass(frozen=True)
class Source:
    """An input that was read. `content` is its bytes or its pixels; for a video, which is not held,
    its `file`, which is open and to be closed.

    A regular file beyond the limit has no content but is an open `file`, so that its digests can
    still be made without holding it; so has a file object that can be read again.
    """

    content: Content | BinaryIO | None
    file: BinaryIO | None = None

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def item_list(items: Iterable[Item]) -> list[Item]:
    """The items as a list. TypeError for one item alone, of which the letters, lines or rows would
    be screened, and for what is none.
    """
    alone = not isinstance(items, Iterable) or isinstance(
        items, str | PathLike | bytes | bytearray | memoryview
    )
    if isinstance(items, np.ndarray):
        alone = items.ndim < 3 or (items.ndim == 3 and items.shape[2] in pixels.CHANNELS)
    if alone or hasattr(items, "read"):
        found = type(items).__name__
        raise TypeError(f"several items are a list of them, and not one {found}: [item] is one")
    return list(items)


def check_item(item: object) -> None:
    """Raise TypeError if an item is nothing to screen, HashError if it is an array without pixels.
    Nothing of it is read.
    """
    if isinstance(item, np.ndarray):
        pixels.check_array(item)
        return
    try:
        if isinstance(item, PathLike):
            os.fspath(item)
        elif isinstance(item, memoryview):
            memoryview(item)
    except Exception as error:  # a path of another library's, say, or a released memoryview
        raise TypeError(
            f"not something to screen: {type(item).__name__}, which raises {type(error).__name__}"
        ) from None
    if not (
        isinstance(item, str | PathLike | bytes | bytearray | memoryview | OpenFile | Image.Image)
        or hasattr(item, "read")
    ):
        raise TypeError(
            f"not something to screen: {type(item).__name__}; give a path, bytes, a binary file"
            " object, a Pillow image, or an array of NumPy, which numpy.asarray makes of those of"
            " others"
        )


def name_of(item: Item) -> Name:
    """The name of an input, without touching it; for a file also its size and time, if any."""
    if isinstance(item, OpenFile):
        return name_of_bytes(item.raw, item.size, item.mtime_ns)
    if isinstance(item, str | PathLike):
        raw = _encoded(os.fspath(item))
        size: int | None = None
        mtime_ns: int | None = None
        with contextlib.suppress(OSError, ValueError):
            facts = os.stat(raw)
            mtime_ns = facts.st_mtime_ns
            size = facts.st_size if stat.S_ISREG(facts.st_mode) else None
        return name_of_bytes(raw, size, mtime_ns)
    if isinstance(item, bytes | bytearray | memoryview):
        return Name(size=memoryview(item).nbytes)
    try:
        return name_of_label(getattr(item, "name", None))
    except Exception:  # whatever it raises: it may ask another machine, and no name is needed
        return Name()


def name_of_label(name: object) -> Name:
    """The Name of what somebody calls so and is no file here; one without a text for no name."""
    if isinstance(name, PathLike):
        name = os.fspath(name)
    return name_of_bytes(_encoded(name)) if isinstance(name, str | bytes) else Name()


def _encoded(name: str | bytes) -> bytes:
    """A name as the system has it, also one that it cannot have, of half a character, say."""
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:
        return cast("str", name).encode("utf-8", "surrogatepass")


def name_of_bytes(raw: bytes, size: int | None = None, mtime_ns: int | None = None) -> Name:
    """The name of a file, as the system has it; bytes only where it is not UTF-8."""
    try:
        return Name(raw.decode("utf-8"), None, size, mtime_ns)
    except UnicodeDecodeError:
        return Name(raw.decode("utf-8", "replace"), raw, size, mtime_ns)


def read(item: Item, *, limit: int, video_limit: int = 0) -> Source:
    """Read an input once, holding at most `limit` bytes of it.

    A video's file may have `video_limit` bytes, where that is more, and is not held.

    Raises MediaError: `unreadable` (missing, forbidden, not a regular file, a file object at its
    end), `too_large` for a stream beyond the limit that cannot be read again. An array or Pillow
    image is passed on as it is. Raises what `check` raises.
    """
    check_item(item)
    if isinstance(item, OpenFile):
        with item:
            return _read_file(item, limit, video_limit)
    if isinstance(item, str | PathLike):
        return read(OpenFile(item), limit=limit, video_limit=video_limit)
    if isinstance(item, bytes | bytearray | memoryview):
        data = bytes(item)
        most = max(limit, video_limit) if _is_video(data[:HEAD]) else limit
        return Source(data) if len(data) <= most else Source(None, io.BytesIO(data))
    if hasattr(item, "read"):
        stream = cast("BinaryIO", item)
        lent, begun = _lent(stream, max(limit, video_limit))
        if lent is not None:
            return Source(lent, lent)
        start = None if begun else _stands_at(stream)
        whole = _read_stream(stream, limit, begun)
        return Source(None, _again(stream, start, limit)) if whole is None else Source(whole)
    return Source(item)


def _is_video(head: bytes) -> bool:
    return sniff(head) in CONTAINERS


def _read_file(file: OpenFile, limit: int, video_limit: int) -> Source:
    try:
        if video_limit and file.mime in CONTAINERS and file.size <= max(limit, video_limit):
            stream = file.stream()
            return Source(stream, stream)
        return Source(None, file.stream()) if file.size > limit else Source(file.read_all())
    except (OSError, ValueError) as error:
        raise unreadable(error) from None


class _Lent(io.RawIOBase):
    """A file object of the caller's, which is not closed with this one."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, and say which it is. Raises OSError, whatever the object raises. Its text
        is the system's: that of the object may hold an address with a key.
        """
        try:
            self._stream.seek(offset, whence)
            return self._stream.tell()
        except MemoryError:
            raise
        except Exception as error:
            number = error.errno if isinstance(error, OSError) else None
            told = os.strerror(number) if number else type(error).__name__
            raise OSError(number or errno.EIO, told) from None

    def readinto(self, buffer: Any, /) -> int:
        """Read what fits, and say how much it was. Raises OSError, whatever the object raises."""
        try:
            data = _piece(self._stream, len(buffer))
        except MediaError as error:
            raise OSError(errno.EIO, error.detail) from None
        buffer[: len(data)] = data
        return len(data)


def _lent(stream: BinaryIO, most: int) -> tuple[BinaryIO | None, bytes]:
    """A file object that stands at its start and holds a video, as a file that may be closed: a
    video is not held in memory. Of any other None, and what was read of it and cannot be again.
    """
    try:
        if not stream.seekable() or stream.tell() != 0:
            return None, b""
    except Exception:  # whatever it raises
        return None, b""  # it is read to its end, or says there what is wrong
    head = _piece(stream, HEAD)
    file = _Lent(stream)
    try:
        is_video = _is_video(head) and file.seek(0, io.SEEK_END) <= most
    except OSError:
        is_video = False
    try:
        file.seek(0)
    except OSError:
        return None, head
    return io.BufferedReader(file) if is_video else None, b""


def _read_stream(stream: BinaryIO, limit: int, begun: bytes) -> bytes | None:
    """All of a file object, read in pieces since its length is unknown, behind what has been; None
    where that is more than the limit.
    """
    pieces, total = [begun], len(begun)
    while piece := _piece(stream, 1 << 20):
        total += len(piece)
        if total > limit:
            return None
        pieces.append(piece)
    if not total and _stands_at(stream):
        raise MediaError("unreadable", "a file object at its end; seek(0) goes back to its start")
    return b"".join(pieces)


def _again(stream: BinaryIO, start: int | None, limit: int) -> BinaryIO:
    """A file object of more bytes than the limit, as a file that begins where it stood and may be
    closed. Raises MediaError, `too_large`, where it cannot go back or says of no end: it may have
    none.
    """
    file = _Lent(stream)
    try:
        if start is not None and file.seek(0, io.SEEK_END) - start > limit:
            file.seek(start)
            return io.BufferedReader(file)
    except Exception:  # whatever it raises
        pass
    raise MediaError("too_large", f"more than {limit} bytes")


def _stands_at(stream: BinaryIO) -> int | None:
    """Where a file object says that it stands."""
    try:
        return stream.tell()
    except Exception:  # whatever it raises: it may have no place, or not say
        return None


def _piece(stream: BinaryIO, size: int) -> bytes:
    """So many bytes of a file object, fewer if it pleases, none at its end. Raises MediaError,
    `unreadable`, whatever the object raises: it may unpack, or ask another machine.
    """
    try:
        piece: Any = stream.read(size)
    except MemoryError:
        raise
    except Exception as error:
        told = type(error).__name__
        if getattr(stream, "closed", None) is True:
            told = "a closed file object; give it while it is open, or its bytes"
        elif isinstance(error, UnicodeDecodeError):
            told = _AS_TEXT
        raise MediaError("unreadable", told) from None
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    if piece is None:
        raise MediaError("unreadable", "a file object that does not wait for its bytes")
    if isinstance(piece, str):
        raise MediaError("unreadable", _AS_TEXT)
    if hasattr(piece, "__await__"):
        raise MediaError("unreadable", "a file object of asyncio; await its read, and give bytes")
    raise MediaError("unreadable", f"a file object that gives no bytes but {type(piece).__name__}")
