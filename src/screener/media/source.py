"""Read one input: its bytes or its pixels, within the limits."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screener.errors import MediaError
from screener.media.files.borrowed_file import BorrowedFile, read_piece, read_position, rewind
from screener.media.files.open_file import HEAD_SIZE, OpenFile, unreadable
from screener.media.files.sniff import CONTAINERS, sniff
from screener.media.image import pixels


class Readable(Protocol):
    """A binary file object of any library, such as an upload."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes, none at the end."""


Content = bytes | Image.Image | NDArray[Any]
Item = str | PathLike[str] | PathLike[bytes] | bytes | bytearray | memoryview | Readable | Content


@dataclass(frozen=True)
class Source:
    """An input that was read: its bytes or its pixels.

    A video is not loaded: `content` is then its open `file`. Use the Source as a context manager to
    close it. If the content exceeds the limit, `content` is None; `file` is open if it can be read
    again, so that digests can be computed.
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

    Raises TypeError if `items` is not iterable, or is a single item, since its letters, lines or
    rows would be screened instead.
    """
    is_single = not isinstance(items, Iterable) or isinstance(
        items, str | PathLike | bytes | bytearray | memoryview
    )
    if isinstance(items, np.ndarray):
        is_single = items.ndim < 3 or (items.ndim == 3 and items.shape[2] in pixels.CHANNEL_COUNTS)
    if is_single or hasattr(items, "read"):
        name = type(items).__name__
        raise TypeError(f"items must be a list, not {name}; wrap a single item as [item]")
    return list(items)


def check_item(item: object) -> None:
    """Raise TypeError if an item cannot be screened, HashError if an array contains no pixels.

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


def read(item: Item, *, limit: int, video_limit: int = 0) -> Source:
    """Read an input once, with at most `limit` bytes in memory.

    Parameters:
        item: The input. Arrays and Pillow images are returned unchanged.
        limit: Maximum number of bytes.
        video_limit: Maximum number of bytes of a video, if larger than `limit`. A video is not
            loaded.

    Raises:
        MediaError: `unreadable` for a file that is missing, forbidden or not regular, and for a
            file object at its end; `too_large` for a stream over the limit that cannot be read
            again.
        TypeError, HashError: See `check_item`.
    """
    check_item(item)
    if isinstance(item, OpenFile):
        with item:
            return _read_file(item, limit, video_limit)
    if isinstance(item, str | PathLike):
        return read(OpenFile(item), limit=limit, video_limit=video_limit)
    if isinstance(item, bytes | bytearray | memoryview):
        data = bytes(item)
        max_size = max(limit, video_limit) if _is_video(data[:HEAD_SIZE]) else limit
        return Source(data) if len(data) <= max_size else Source(None, io.BytesIO(data))
    if hasattr(item, "read"):
        stream = cast("BinaryIO", item)
        video_file, head = _borrow_video(stream, max(limit, video_limit))
        if video_file is not None:
            return Source(video_file, video_file)
        start = None if head else read_position(stream)
        content = _read_stream(stream, limit, head)
        return Source(None, rewind(stream, start, limit)) if content is None else Source(content)
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


def _borrow_video(stream: BinaryIO, max_size: int) -> tuple[BinaryIO | None, bytes]:
    """Return the caller's file object as a closable file if it is a video.

    The object must be seekable and at its start. Otherwise return None, and the bytes that were
    read and cannot be read again.
    """
    try:
        if not stream.seekable() or stream.tell() != 0:
            return None, b""
    except Exception:
        return None, b""  # reading all of it will report the error
    head = read_piece(stream, HEAD_SIZE)
    file = BorrowedFile(stream)
    try:
        is_video = _is_video(head) and file.seek(0, io.SEEK_END) <= max_size
    except OSError:
        is_video = False
    try:
        file.seek(0)
    except OSError:
        return None, head
    return io.BufferedReader(file) if is_video else None, b""


def _read_stream(stream: BinaryIO, limit: int, head: bytes) -> bytes | None:
    """Return `head` and the rest of a file object, or None if that exceeds the limit."""
    pieces, total = [head], len(head)
    while piece := read_piece(stream, 1 << 20):
        total += len(piece)
        if total > limit:
            return None
        pieces.append(piece)
    if not total and read_position(stream):
        raise MediaError("unreadable", "the file object is at its end; rewind it with seek(0)")
    return b"".join(pieces)
