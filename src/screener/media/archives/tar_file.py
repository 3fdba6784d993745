"""The headers of tar files, which unpackers read in different ways."""

from __future__ import annotations

import io
import re
import tarfile
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.image import embedded

BLOCK = 512
"""Bytes of a tar file's block; its signature is in the first block."""

HIDES = "a file is hidden in a comment or in the headers of members"
"""The detail for an archive with a file in a place that no unpacker reads."""

_GLOBAL = b"g"
_EXTENDED = (_GLOBAL, b"x", b"X")
_LONG = (b"L", b"K")  # names, in headers of GNU
_KIND = slice(156, 157)  # in a header

# GNU tar skips further blanks before a keyword, Python does not; so none are accepted.
_RECORD = re.compile(rb"([1-9][0-9]*) ([^=\s][^=]*)=")
# Keywords that change a member's bytes or its name.
_MISLEADING = re.compile(rb"size|path|linkpath|GNU\.sparse\..*")


class Headers(io.RawIOBase):
    """A tar file whose global headers have no effect and whose headers are checked when read.

    Python obeys the size in a global header in some places, GNU tar everywhere, others nowhere. So
    members are read by their own headers only. `trouble` is what is wrong with the archive. While
    `listing` is true, what is read counts as headers, not as content.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._kind = b""  # of the header whose body is read next
        self.listing = True
        self.trouble: MediaError | None = None

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place and return it."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, or all that are left."""
        data = self._stream.read(size)
        if not self.listing:
            return data
        kind, self._kind = self._kind, b""
        if not kind:
            if size == BLOCK and data[_KIND] in (*_EXTENDED, *_LONG):
                self._kind = data[_KIND]
            return data
        self._check(kind, data)
        return bytes(len(data)) if kind == _GLOBAL else data

    def _check(self, kind: bytes, body: bytes) -> None:
        if embedded.hides_file(body):
            self.mark("unsupported", HIDES)
        if kind not in _EXTENDED:
            return
        names = _names(body)
        if names is None:
            self.mark("undecodable", "a damaged archive (an extended header)")
        elif kind == _GLOBAL and any(map(_MISLEADING.fullmatch, names)):
            self.mark("undecodable", "a global header sets the size or name of all members")

    def check(self, info: tarfile.TarInfo) -> None:
        """Note if a member has a size that only some unpackers obey, and so hides others."""
        # Python removes a slash at the end of one of these names only.
        names = info.name, info.pax_headers.get("path", "")
        is_file = info.isreg() and not any(name.endswith("/") for name in names)
        if info.size and not is_file and info.type in tarfile.SUPPORTED_TYPES:
            self.mark("undecodable", "a folder, link or device in the tar file has a size")

    def mark(self, reason: str, detail: str) -> None:
        """Note a trouble; the first counts."""
        self.trouble = self.trouble or MediaError(reason, detail)


def _names(body: bytes) -> list[bytes] | None:
    """Return the keywords of an extended header; None if it is not records followed by zeros."""
    names, at = [], 0
    while at < len(body) and body[at]:
        match = _RECORD.match(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end <= match.end() or body[end - 1 : end] != b"\n":
            return None
        names.append(match[2])
        at = end
    return names if not any(body[at:]) else None
