"""The headers of tar files, which unpackers read in different ways."""

from __future__ import annotations

import io
import re
import tarfile
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.image import embedded

BLOCK = 512
"""Bytes per block of a tar file; the first block contains its signature."""

HIDES = "a file is hidden in a comment or in the headers of members"
"""The error detail for an archive with a file in a place that no unpacker reads."""

_GLOBAL_TYPE = b"g"
_EXTENDED_TYPES = (_GLOBAL_TYPE, b"x", b"X")
_LONG_NAME_TYPES = (b"L", b"K")  # headers of GNU tar that contain a long name
_TYPE_FIELD = slice(156, 157)

# GNU tar skips additional blanks before a keyword, Python does not; so none are accepted.
_RECORD_START = re.compile(rb"([1-9][0-9]*) ([^=\s][^=]*)=")
# Keywords that change a member's bytes or its name.
_MISLEADING_KEYWORD = re.compile(rb"size|path|linkpath|GNU\.sparse\..*")


class Headers(io.RawIOBase):
    """A tar file whose headers are checked, and whose global headers have no effect.

    Python obeys the size in a global header in some places, GNU tar everywhere, others nowhere. So
    members are read by their own headers only. `error` is the first defect of the archive. While
    `listing` is true, the bytes read count as headers, not as content.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._kind = b""  # the type of the header whose body is read next
        self.listing = True
        self.error: MediaError | None = None

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or all remaining ones if it is negative."""
        data = self._stream.read(size)
        if not self.listing:
            return data
        kind, self._kind = self._kind, b""
        if not kind:
            if size == BLOCK and data[_TYPE_FIELD] in (*_EXTENDED_TYPES, *_LONG_NAME_TYPES):
                self._kind = data[_TYPE_FIELD]
            return data
        self._check(kind, data)
        return bytes(len(data)) if kind == _GLOBAL_TYPE else data

    def _check(self, kind: bytes, body: bytes) -> None:
        if embedded.hides_file(body):
            self.record_error("unsupported", HIDES)
        if kind not in _EXTENDED_TYPES:
            return
        names = _parse_keywords(body)
        if names is None:
            self.record_error("undecodable", "a damaged archive (an extended header)")
        elif kind == _GLOBAL_TYPE and any(map(_MISLEADING_KEYWORD.fullmatch, names)):
            self.record_error("undecodable", "a global header sets the size or name of all members")

    def check(self, info: tarfile.TarInfo) -> None:
        """Record an error if only some unpackers obey a member's size."""
        # Python removes a trailing slash from only one of these names.
        names = info.name, info.pax_headers.get("path", "")
        is_file = info.isreg() and not any(name.endswith("/") for name in names)
        if info.size and not is_file and info.type in tarfile.SUPPORTED_TYPES:
            self.record_error("undecodable", "a folder, link or device in the tar file has a size")

    def record_error(self, reason: str, detail: str) -> None:
        """Record an error unless there is one already."""
        self.error = self.error or MediaError(reason, detail)


def _parse_keywords(body: bytes) -> list[bytes] | None:
    """Return the keywords of an extended header, or None if it is damaged."""
    names, offset = [], 0
    while offset < len(body) and body[offset]:
        match = _RECORD_START.match(body, offset)
        end = offset + int(match[1]) if match else 0
        if match is None or end <= match.end() or body[end - 1 : end] != b"\n":
            return None
        names.append(match[2])
        offset = end
    return names if not any(body[offset:]) else None
