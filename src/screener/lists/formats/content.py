"""The bytes of a file to import, read once, and the lines of text in them, bounded in memory."""

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

HEAD_BYTES = 1 << 16  # bytes that sniffing may look at
MAX_LINE_CHARS = 1 << 20  # characters
_CHUNK = 1 << 20
CUT_SHORT = "\udc80"  # in the place of a character within which a file ends
_BROKEN = re.compile("[\ud800-\udfff]")
_BOMS = (
    (codecs.BOM_UTF32_LE, None),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# UTF-16 knows no escape for a broken byte, but passes its own lone surrogates.
_ERRORS = {"utf-8": "surrogateescape", "utf-16-le": "surrogatepass", "utf-16-be": "surrogatepass"}


class Content:
    """A file's bytes: a head for sniffing, then all of them once, digested as they pass."""

    def __init__(self, stream: BinaryIO, name: str, progress: Progress | None = None) -> None:
        """`name` is what error texts call the file; `progress` is called with bytes."""
        self.name = name
        named = getattr(stream, "name", None)
        self.path = Path(named) if isinstance(named, str | PathLike) else None
        self._stream = stream
        self._digest = hashlib.sha256()
        self._begun = _read_file_state(stream)
        self._steps = Steps(progress, None if self._begun is None else self._begun[0])
        self.head = self._take(HEAD_BYTES)
        self._ahead = self.head

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end."""
        if self._ahead:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            return piece
        return self._take(size)

    @property
    def text_start(self) -> bytes:
        """The head of a text in UTF-8 from its first character on; of another, as it is."""
        encoding, mark = detect_encoding(self.head)
        if encoding in (None, "utf-8"):
            return self.head[mark:].lstrip()
        return self.head[mark:].decode(encoding, "ignore").encode("utf-8", "ignore").lstrip()

    @property
    def sha256(self) -> str:
        """The digest, in hex, of what was read so far."""
        return self._digest.hexdigest()

    def check_still(self) -> None:
        """Raise ListError if the file was written to since reading it began.

        A copy that is still on its way would be taken for all of it, and a full list withdraw what
        has not come yet.
        """
        if _read_file_state(self._stream) != self._begun:
            raise ListError(
                f"{self.name} was written to while it was read; import it again when it is whole;"
                " nothing was imported"
            )

    def _take(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size)
        except OSError as error:
            raise ListError(f"cannot read {self.name}: {error.strerror}") from error
        self._digest.update(piece)
        self._steps.add(len(piece))
        return piece


def _read_file_state(stream: BinaryIO) -> tuple[int, int] | None:
    """Return the size of a file and when it was written to last; None of a pipe, of bytes in
    memory and of what can but be read.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, AttributeError):
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def detect_encoding(head: bytes) -> tuple[str | None, int]:
    """Return the encoding of a text by its mark, UTF-8 without one, and the length of the mark.

    None if the bytes are no text: another encoding, or binary.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    # A NUL in a later line is damage to that row; one in the first means that it is no text.
    return (None if b"\0" in re.split(rb"[\r\n]", head, maxsplit=1)[0] else "utf-8"), 0


def create_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Return what decodes a text piece by piece. Undecodable bytes become lone surrogates, but
    for a character of UTF-16 that the end cuts short: there it raises UnicodeDecodeError.
    """
    return codecs.getincrementaldecoder(encoding)(_ERRORS.get(encoding, "strict"))


def describe_not_text(content: Content) -> str:
    """Return why a content, of no encoding that is known, cannot be read."""
    place = content.head.find(b"\0") + 1
    return f"{content.name} is not text in UTF-8 or UTF-16: there is a NUL at byte {place}"


def split_head(head: bytes) -> list[str]:
    """Return the complete lines of a head of text, for sniffing; none if it is not text."""
    encoding, mark = detect_encoding(head)
    if encoding is None:
        return []
    text = head[mark:].decode(encoding, "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if len(head) == HEAD_BYTES and len(lines) > 1 else lines


class Lines:
    """The numbered lines of a text, without their ends (LF, CR LF or CR).

    Yields (number from 1, text), and (number, None) for a line longer than `LONGEST_LINE`,
    which is never stored. Undecodable bytes become lone surrogates; `broken` finds them.
    """

    def __init__(self, content: Content, *, encoding: str | None = None) -> None:
        """Begin; `encoding` is that of a text without a mark. Raises ListError if it is not
        text.
        """
        found, mark = detect_encoding(content.head)
        encoding = encoding if encoding is not None and mark == 0 else found
        if encoding is None:
            raise ListError(f"{describe_not_text(content)}; save it as UTF-8, or name its format")
        self._content = content
        self._back: deque[tuple[int, str | None]] = deque()
        self._chunks = self._split(encoding, mark)
        self._lines: list[str | None] = []  # of one chunk
        self._at = 0
        self._number = 1  # of the next line

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        """Return the lines themselves: there is one pass."""
        return self

    def __next__(self) -> tuple[int, str | None]:
        """Return the next line, those that were put back first."""
        if self._back:
            return self._back.popleft()
        while self._at == len(self._lines):
            self._lines, self._at = next(self._chunks), 0
        line = self._lines[self._at]
        self._at += 1
        self._number += 1
        return self._number - 1, line

    def put_back(self, lines: list[tuple[int, str | None]]) -> None:
        """Read these again, in this order, before any other."""
        self._back.extendleft(reversed(lines))

    def take(self, most: int) -> tuple[int, list[str | None]]:
        """Return the number of the next line, and up to `most` lines from it on.

        Returns no lines at the end, and if some were put back.
        """
        if self._back:
            return 0, []
        while self._at == len(self._lines):
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0, []
            self._lines, self._at = chunk, 0
        some = self._lines[self._at : self._at + most]
        number = self._number
        self._at += len(some)
        self._number += len(some)
        return number, some

    def untake(self, count: int) -> None:
        """Return to where the last `take`, of `count` lines, began."""
        self._at -= count
        self._number -= count

    def _split(self, encoding: str, mark: int) -> Iterator[list[str | None]]:
        rest, too_long = "", False
        for text in self._texts(encoding, mark):
            pieces: list[str | None] = [*text.split("\n")]
            pieces[0] = rest + (pieces[0] or "")
            rest = pieces.pop() or ""
            if pieces and too_long:
                pieces[0], too_long = None, False
            if pieces and len(pieces[0] or "") > MAX_LINE_CHARS:  # others are shorter than a chunk
                pieces[0] = None
            yield pieces
            if len(rest) > MAX_LINE_CHARS:
                rest, too_long = "", True
        if rest or too_long:
            yield [None if too_long else rest]

    def _texts(self, encoding: str, mark: int) -> Iterator[str]:
        ends = io.IncrementalNewlineDecoder(create_decoder(encoding), translate=True)
        self._content.read(mark)
        while chunk := self._content.read(_CHUNK):
            yield ends.decode(chunk)
        try:
            yield ends.decode(b"", final=True)
        except UnicodeDecodeError:  # the file ends within a character
            yield CUT_SHORT


UNDECODABLE = "undecodable text"


def find_text_fault(line: str) -> str | None:
    """Return why a line cannot be read, whatever it says; None if it can."""
    if "\0" in line:
        return "NUL byte"
    if not line.isascii() and _BROKEN.search(line):
        return UNDECODABLE
    return None
