"""One input, read once: its name, and its bytes or pixels within the limits."""

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
    """A binary file object of any library, such as an upload or a member of an archive."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes, none at the end."""


_AS_TEXT = "the file object is opened as text; open it as binary"

Content = bytes | Image.Image | NDArray[Any]
Item = str | PathLike[str] | PathLike[bytes] | bytes | bytearray | memoryview | Readable | Content


@dataclass(frozen=True)
class Name:
    """The name of an input and, if it is a file, its size and time.

    A member of an archive is called `outer!inner!member`. `archives` are the lengths in bytes of
    the parts that name its archives, outermost first (`outer`, `outer!inner`); they distinguish it
    from a file of that name. `same` counts, at each of these levels, the members of the same name
    before it.
    """

    text: str | None = None
    raw: bytes | None = None
    size: int | None = None
    mtime_ns: int | None = None
    archives: tuple[int, ...] = ()
    same: tuple[int, ...] = ()

    @property
    def has_no_state(self) -> bool:
        """Return whether size and time are missing, as for a file that does not exist."""
        return self.size is None and self.mtime_ns is None

    @property
    def as_bytes(self) -> bytes:
        """Return the name as the system has it."""
        return self.raw or (self.text or "").encode("utf-8", "replace")


@dataclass(frozen=True)
class Source:
    """An input that was read: its bytes or its pixels.

    A video is not loaded: `content` is its open `file`, which is to be closed. Content over the
    limit is None; if it can be read again, `file` is open, so that digests can still be computed.
    """

    content: Content | BinaryIO | None
    file: BinaryIO | None = None

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def list_items(items: Iterable[Item]) -> list[Item]:
    """Return the items as a list.

    Raises TypeError for anything that is not iterable, and for a single item, whose letters, lines
    or rows would be screened.
    """
    alone = not isinstance(items, Iterable) or isinstance(
        items, str | PathLike | bytes | bytearray | memoryview
    )
    if isinstance(items, np.ndarray):
        alone = items.ndim < 3 or (items.ndim == 3 and items.shape[2] in pixels.CHANNEL_COUNTS)
    if alone or hasattr(items, "read"):
        name = type(items).__name__
        raise TypeError(f"items must be a list, not {name}; wrap a single item as [item]")
    return list(items)


def check_item(item: object) -> None:
    """Raise TypeError if an item cannot be screened, HashError if an array holds no pixels.

    The item is not read.
    """
    if isinstance(item, np.ndarray):
        pixels.check_array(item)
        return
    try:
        if isinstance(item, PathLike):
            os.fspath(item)
        elif isinstance(item, memoryview):
            memoryview(item)
    except Exception as error:  # another library's path, say, or a released memoryview
        raise TypeError(
            f"cannot screen {type(item).__name__}: reading it raises {type(error).__name__}"
        ) from None
    if not (
        isinstance(item, str | PathLike | bytes | bytearray | memoryview | OpenFile | Image.Image)
        or hasattr(item, "read")
    ):
        raise TypeError(
            f"cannot screen {type(item).__name__}; pass a path, bytes, a binary file object, a"
            " Pillow image or a NumPy array (numpy.asarray converts other arrays)"
        )


def name_of(item: Item) -> Name:
    """Return the name of an input without reading it; of a file also its size and time, if any."""
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
    except Exception:  # the object may ask another machine, and a name is not needed
        return Name()


def name_of_label(name: object) -> Name:
    """Return the Name of a label that need not be a file's; an empty Name for other types."""
    if isinstance(name, PathLike):
        name = os.fspath(name)
    return name_of_bytes(_encoded(name)) if isinstance(name, str | bytes) else Name()


def _encoded(name: str | bytes) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:
        return cast("str", name).encode("utf-8", "surrogatepass")


def name_of_bytes(raw: bytes, size: int | None = None, mtime_ns: int | None = None) -> Name:
    """Return the Name of a file; with its raw bytes if they are not UTF-8."""
    try:
        return Name(raw.decode("utf-8"), None, size, mtime_ns)
    except UnicodeDecodeError:
        return Name(raw.decode("utf-8", "replace"), raw, size, mtime_ns)


def read(item: Item, *, limit: int, video_limit: int = 0) -> Source:
    """Read an input once, holding at most `limit` bytes of it.

    A video's file may have `video_limit` bytes if that is more, and is not loaded. Arrays and
    Pillow images are returned as they are.

    Raises what `check_item` raises, and MediaError: `unreadable` (missing, forbidden, not a regular
    file, a file object at its end), or `too_large` for a stream beyond the limit that cannot be
    read again.
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
        video, begun = _borrow_video(stream, max(limit, video_limit))
        if video is not None:
            return Source(video, video)
        start = None if begun else _position(stream)
        content = _read_stream(stream, limit, begun)
        return Source(None, _rewound(stream, start, limit)) if content is None else Source(content)
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


class _BorrowedFile(io.RawIOBase):
    """A file object of the caller's, which stays open when this one is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a place and return it. Raises OSError, whatever the object raises."""
        try:
            self._stream.seek(offset, whence)
            return self._stream.tell()
        except MemoryError:
            raise
        except Exception as error:
            number = error.errno if isinstance(error, OSError) else None
            message = os.strerror(number) if number else type(error).__name__
            # The object's own message may hold an address with a key.
            raise OSError(number or errno.EIO, message) from None

    def readinto(self, buffer: Any, /) -> int:
        try:
            data = _read_piece(self._stream, len(buffer))
        except MediaError as error:
            raise OSError(errno.EIO, error.detail) from None
        buffer[: len(data)] = data
        return len(data)


def _borrow_video(stream: BinaryIO, most: int) -> tuple[BinaryIO | None, bytes]:
    """Return a file object that holds a video as a file that may be closed, with no bytes.

    It has to stand at its start and to be seekable. Otherwise return None, and the bytes that were
    read and cannot be read again.
    """
    try:
        if not stream.seekable() or stream.tell() != 0:
            return None, b""
    except Exception:
        return None, b""  # reading it to its end reports what is wrong
    head = _read_piece(stream, HEAD)
    file = _BorrowedFile(stream)
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
    """Return `begun` and the rest of a file object of unknown length, None if over the limit."""
    pieces, total = [begun], len(begun)
    while piece := _read_piece(stream, 1 << 20):
        total += len(piece)
        if total > limit:
            return None
        pieces.append(piece)
    if not total and _position(stream):
        raise MediaError("unreadable", "the file object is at its end; rewind it with seek(0)")
    return b"".join(pieces)


def _rewound(stream: BinaryIO, start: int | None, limit: int) -> BinaryIO:
    """Return a file object over the limit as a file that begins where it stood and may be closed.

    Raises MediaError `too_large` if it cannot go back, or reports no end: it may have none.
    """
    file = _BorrowedFile(stream)
    try:
        if start is not None and file.seek(0, io.SEEK_END) - start > limit:
            file.seek(start)
            return io.BufferedReader(file)
    except Exception:
        pass  # it cannot be read again
    raise MediaError("too_large", f"more than {limit} bytes")


def _position(stream: BinaryIO) -> int | None:
    try:
        return stream.tell()
    except Exception:  # an object of another library may raise anything
        return None


def _read_piece(stream: BinaryIO, size: int) -> bytes:
    """Return up to `size` bytes of a file object, none at its end.

    Raises MediaError `unreadable`, whatever the object raises.
    """
    try:
        piece: Any = stream.read(size)
    except MemoryError:
        raise
    except Exception as error:
        message = type(error).__name__
        if getattr(stream, "closed", None) is True:
            message = "the file object is closed; pass it open, or pass its bytes"
        elif isinstance(error, UnicodeDecodeError):
            message = _AS_TEXT
        raise MediaError("unreadable", message) from None
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    if piece is None:
        raise MediaError("unreadable", "the file object is non-blocking; pass a blocking one")
    if isinstance(piece, str):
        raise MediaError("unreadable", _AS_TEXT)
    if hasattr(piece, "__await__"):
        raise MediaError("unreadable", "the file object is asynchronous; await it and pass bytes")
    raise MediaError("unreadable", f"the file object returned {type(piece).__name__}, not bytes")
