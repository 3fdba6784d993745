"""Items of a client as bodies of requests: bytes that are sent, and never decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import BinaryIO, cast

import numpy as np
from PIL import Image

from screener.errors import MediaError
from screener.media import source
from screener.media.files.borrowed_file import BorrowedFile, read_piece
from screener.media.files.open_file import OpenFile, unreadable
from screener.media.name import Name, name_of
from screener.media.source import Item
from screener.screening.result import Result
from screener.screening.screener import parse_name

_PIECE_BYTES = 256 << 10


class Body:
    """The bytes of an item, in pieces, as often as it is sent; a context manager that closes it.

    Attributes:
        name: The name in the Result, with the size and time of a file.
        size: The number of bytes, or None if only the end of a stream shows it.
        sent: The number of bytes that the last attempt has read.
        total: The number of bytes of the last attempt, or None if it did not send all of them.
    """

    def __init__(self, item: Item, name: object = None) -> None:
        label = parse_name(name)
        self._is_named = label.text is not None
        self._bytes: memoryview | None = None
        self._file: BinaryIO | None = None
        self._owns_file = False
        self._start = 0
        self.size: int | None = None
        self.sent = 0
        self.total: int | None = None
        self.name = self._open(item)
        if self._is_named:
            self.name = replace(self.name, text=label.text, raw=label.raw)

    def _open(self, item: Item) -> Name:
        if isinstance(item, np.ndarray | Image.Image):
            raise TypeError(
                f"a client sends files, not {type(item).__name__}: hash the pixels with"
                " `hashing.pdq.compute` and pass the hash to `match`"
            )
        source.check_item(item)
        if isinstance(item, bytes | bytearray | memoryview):
            self._bytes = memoryview(bytes(item))
            self.size = len(self._bytes)
            return name_of(item)
        if isinstance(item, str | PathLike):
            with OpenFile(item) as file:
                self._file, self._owns_file = file.stream(), True
                self.size = file.size
                return name_of(file)
        self._file = cast("BinaryIO", item)
        self._measure(BorrowedFile(self._file))
        return name_of(item)

    def _measure(self, file: BorrowedFile) -> None:
        """Find the size of a file object from its position on, if it can be read again."""
        try:
            self._start = file.seek(0, io.SEEK_CUR)
            self.size = file.seek(0, io.SEEK_END) - self._start
            file.seek(self._start)
        except OSError:
            self.size = None

    @property
    def is_in_memory(self) -> bool:
        """Return whether reading a piece takes no time."""
        return self._bytes is not None

    @property
    def is_repeatable(self) -> bool:
        """Return whether it can be sent again: a stream cannot, once it was read."""
        return self.size is not None or not self.sent

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from the start on.

        Raises MediaError `unreadable` if they cannot be read, or if a file changes its size.
        """
        self.sent, self.total = 0, None
        for piece in self._read():
            self.sent += len(piece)
            if self.size is not None and self.sent > self.size:
                break
            yield piece
        if self.size is not None and self.sent != self.size:
            raise MediaError("unreadable", "the file changed while it was sent")
        self.total = self.sent

    def _read(self) -> Iterator[bytes]:
        if self._bytes is not None:
            for start in range(0, len(self._bytes), _PIECE_BYTES):
                yield self._bytes[start : start + _PIECE_BYTES].tobytes()
            return
        file = cast("BinaryIO", self._file)
        if self.size is not None:
            try:
                BorrowedFile(file).seek(self._start)
            except OSError as error:
                raise unreadable(error) from None
        while piece := read_piece(file, _PIECE_BYTES):
            yield piece

    def name_result(self, result: Result) -> Result:
        """Return a Result with the name and time of this item, which are not sent.

        An id that the service gave to the upload stays, unless the caller chose a name: later
        reports of the upload have it.
        """
        name = self.name
        if result.input is not None and not self._is_named:
            return replace(result, mtime_ns=name.mtime_ns)
        return replace(result, input=name.text, input_bytes=name.raw, mtime_ns=name.mtime_ns)

    def __enter__(self) -> Body:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._owns_file and self._file is not None:
            self._file.close()
