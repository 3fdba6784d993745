"""The bytes of an imported file, read once, and its lines, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from screener.errors import ListError
from screener.system.progress import Progress, Steps

HEAD_BYTES = 1 << 16  # what sniffing may read
MAX_LINE_CHARS = 1 << 20
_CHUNK_BYTES = 1 << 20
CUT_CHARACTER = "\udc80"  # replaces a character that the end of the file cuts in two
_UNDECODED_CHARS = re.compile("[\ud800-\udfff]")
_BOMS = (
    (codecs.BOM_UTF32_LE, None),  # must precede UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# UTF-16 has no escape for an undecodable byte; its lone surrogates pass.
_ERROR_HANDLERS = {
    "utf-8": "surrogateescape",
    "utf-16-le": "surrogatepass",
    "utf-16-be": "surrogatepass",
}


class Content:
    """A file's bytes: a head for sniffing, then all bytes once; reading computes their digest."""

    def __init__(self, stream: BinaryIO, name: str, progress: Progress | None = None) -> None:
        """Read the head of a stream.

        `name`: the file's name in error messages.
        `progress`: called with the bytes read and the size of the file.
        """
        self.name = name
        path = getattr(stream, "name", None)
        self.path = Path(path) if isinstance(path, str | PathLike) else None
        self._stream = stream
        self._digest = hashlib.sha256()
        self._start_state = _read_file_state(stream)
        self._steps = Steps(progress, None if self._start_state is None else self._start_state[0])
        self.head = self._read_stream(HEAD_BYTES)
        self._unread = self.head

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end."""
        if self._unread:
            piece, self._unread = self._unread[:size], self._unread[size:]
            return piece
        return self._read_stream(size)

    @property
    def text_start(self) -> bytes:
        """The head in UTF-8, from the first character that is not a space."""
        encoding, mark = detect_encoding(self.head)
        if encoding in (None, "utf-8"):
            return self.head[mark:].lstrip()
        return self.head[mark:].decode(encoding, "ignore").encode("utf-8", "ignore").lstrip()

    @property
    def sha256(self) -> str:
        """The digest of all bytes read so far, in hex."""
        return self._digest.hexdigest()

    def check_unchanged(self) -> None:
        """Raise ListError if the file was written to since reading it began.

        An unfinished copy would count as the complete file; a full list would then withdraw the
        missing entries.
        """
        if _read_file_state(self._stream) != self._start_state:
            raise ListError(
                f"{self.name} was written to while it was read; import it again when it is"
                " complete; nothing was imported"
            )

    def _read_stream(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size)
        except OSError as error:
            raise ListError(f"cannot read {self.name}: {error.strerror}") from error
        self._digest.update(piece)
        self._steps.add(len(piece))
        return piece


def _read_file_state(stream: BinaryIO) -> tuple[int, int] | None:
    """Return a regular file's size and time of last change, or None."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, AttributeError):
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def detect_encoding(head: bytes) -> tuple[str | None, int]:
    """Return the encoding of a text and the length of its byte order mark.

    Without a mark the encoding is UTF-8. It is None for other encodings and binary files.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    # A NUL in the first line means that the file is not text; in a later line it is damage.
    return (None if b"\0" in re.split(rb"[\r\n]", head, maxsplit=1)[0] else "utf-8"), 0


def create_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Return an incremental decoder that turns undecodable bytes into lone surrogates.

    It raises UnicodeDecodeError if the text ends within a character of UTF-16.
    """
    return codecs.getincrementaldecoder(encoding)(_ERROR_HANDLERS.get(encoding, "strict"))


def describe_not_text(content: Content) -> str:
    """Return the message for a content of an unknown encoding."""
    offset = content.head.find(b"\0") + 1
    return f"{content.name} is not text in UTF-8 or UTF-16: there is a NUL at byte {offset}"


def split_head(head: bytes) -> list[str]:
    """Return the complete lines in a head, none if it is not text."""
    encoding, mark = detect_encoding(head)
    if encoding is None:
        return []
    text = head[mark:].decode(encoding, "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if len(head) == HEAD_BYTES and len(lines) > 1 else lines


class Lines:
    """The numbered lines of a text, without their ends (LF, CR LF or CR).

    Yields (number from 1, text), or (number, None) for a line longer than `MAX_LINE_CHARS`, which
    is never in memory as a whole. Undecodable bytes become lone surrogates; `find_text_fault` finds
    them.
    """

    def __init__(self, content: Content, *, encoding: str | None = None) -> None:
        """Detect the encoding; `encoding` is the default for a text without a mark.

        Raises ListError if the content is not text.
        """
        detected, mark = detect_encoding(content.head)
        encoding = encoding if encoding is not None and mark == 0 else detected
        if encoding is None:
            raise ListError(f"{describe_not_text(content)}; save it as UTF-8, or name its format")
        self._content = content
        self._put_back: deque[tuple[int, str | None]] = deque()
        self._chunks = self._split_lines(encoding, mark)
        self._lines: list[str | None] = []  # lines of the current chunk
        self._index = 0
        self._number = 1  # number of the next line

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        """Return this object: the lines can be read only once."""
        return self

    def __next__(self) -> tuple[int, str | None]:
        """Return the next line; lines that were put back come first."""
        if self._put_back:
            return self._put_back.popleft()
        while self._index == len(self._lines):
            self._lines, self._index = next(self._chunks), 0
        line = self._lines[self._index]
        self._index += 1
        self._number += 1
        return self._number - 1, line

    def put_back(self, lines: list[tuple[int, str | None]]) -> None:
        """Yield these lines next, in this order."""
        self._put_back.extendleft(reversed(lines))

    def take(self, max_lines: int) -> tuple[int, list[str | None]]:
        """Return the number of the next line, and up to `max_lines` lines from there.

        There are no lines at the end, or if lines were put back.
        """
        if self._put_back:
            return 0, []
        while self._index == len(self._lines):
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0, []
            self._lines, self._index = chunk, 0
        lines = self._lines[self._index : self._index + max_lines]
        number = self._number
        self._index += len(lines)
        self._number += len(lines)
        return number, lines

    def untake(self, count: int) -> None:
        """Undo the last `take`, which returned `count` lines."""
        self._index -= count
        self._number -= count

    def _split_lines(self, encoding: str, mark: int) -> Iterator[list[str | None]]:
        remaining, is_too_long = "", False
        for text in self._decode(encoding, mark):
            pieces: list[str | None] = [*text.split("\n")]
            pieces[0] = remaining + (pieces[0] or "")
            remaining = pieces.pop() or ""
            if pieces and is_too_long:
                pieces[0], is_too_long = None, False
            if pieces and len(pieces[0] or "") > MAX_LINE_CHARS:  # others are shorter than a chunk
                pieces[0] = None
            yield pieces
            if len(remaining) > MAX_LINE_CHARS:
                remaining, is_too_long = "", True
        if remaining or is_too_long:
            yield [None if is_too_long else remaining]

    def _decode(self, encoding: str, mark: int) -> Iterator[str]:
        ends = io.IncrementalNewlineDecoder(create_decoder(encoding), translate=True)
        self._content.read(mark)
        while chunk := self._content.read(_CHUNK_BYTES):
            yield ends.decode(chunk)
        try:
            yield ends.decode(b"", final=True)
        except UnicodeDecodeError:  # the file ends within a character
            yield CUT_CHARACTER


UNDECODABLE = "undecodable text"


def find_text_fault(line: str) -> str | None:
    """Return the reason why no format can read a line, or None if one may."""
    if "\0" in line:
        return "NUL byte"
    if not line.isascii() and _UNDECODED_CHARS.search(line):
        return UNDECODABLE
    return None
