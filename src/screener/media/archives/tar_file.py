"""Tar files as they are met: with headers of which unpackers make different things."""

from __future__ import annotations

import io
import re
import tarfile
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.image import embedded

BLOCK = 512
"""Bytes of a tar file's blocks; its magic is in the first."""

HIDES = "a file stands in a comment or in the headers of its members"
"""What is said of an archive with a file where no unpacker looks for one."""

_GLOBAL = b"g"
_EXTENDED = (_GLOBAL, b"x", b"X")
_LONG = (b"L", b"K")  # names, in headers of GNU
_KIND = slice(156, 157)  # in a header

# GNU's tar passes over further blanks before a keyword, and Python does not: no record has any.
_RECORD = re.compile(rb"([1-9][0-9]*) ([^=\s][^=]*)=")
# Which bytes are a member's, and what it is called.
_MISLEADING = re.compile(rb"size|path|linkpath|GNU\.sparse\..*")


class Headers(io.RawIOBase):
    """A tar file whose global headers have no effect, and whose headers are checked when read.

    Python heeds the size in a global header in one place and not in another, GNU's tar heeds it
    everywhere, others nowhere. So members are read by their own headers. `trouble` is what is wrong
    with the archive. While `listing` is true, what is read counts as headers and not as content.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._kind = b""  # of the header whose body is read next
        self.listing = True
        self.trouble: MediaError | None = None

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As in any file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return where it stands."""
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, or all that are left."""
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
        """Note what is wrong with the body of a header."""
        if embedded.hides_file(body):
            self.mark("unsupported", HIDES)
        if kind not in _EXTENDED:
            return
        names = _names(body)
        if names is None:
            self.mark("undecodable", "a damaged archive (an extended header)")
        elif kind == _GLOBAL and any(map(_MISLEADING.fullmatch, names)):
            self.mark("undecodable", "a tar file that says of all members what is of each")

    def check(self, info: tarfile.TarInfo) -> None:
        """Note if a member has a size that only some unpackers heed, and so hides others."""
        # Python keeps the slash of the one name and takes that of the other away.
        names = info.name, info.pax_headers.get("path", "")
        is_file = info.isreg() and not any(name.endswith("/") for name in names)
        if info.size and not is_file and info.type in tarfile.SUPPORTED_TYPES:
            self.mark("undecodable", "a tar file with a folder, a link or a device that has a size")

    def mark(self, reason: str, detail: str) -> None:
        """Note a trouble, of which the first counts."""
        self.trouble = self.trouble or MediaError(reason, detail)


def _names(body: bytes) -> list[bytes] | None:
    """Return the keywords of an extended header; None if it is not made of records and zeros."""
    names, at = [], 0
    while at < len(body) and body[at]:
        match = _RECORD.match(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end <= match.end() or body[end - 1 : end] != b"\n":
            return None
        names.append(match[2])
        at = end
    return names if not any(body[at:]) else None
