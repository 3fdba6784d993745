"""List and read the members of a zip or tar file without unpacking to disk."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, cast

from screener.errors import MediaError
from screener.media.archives import bomb_limits
from screener.media.archives.compressed import PACKED
from screener.media.archives.tar_file import BLOCK, HIDES, Headers
from screener.media.archives.zip_file import ZipFile
from screener.media.files.limits import Limits
from screener.media.files.open_file import OpenFile
from screener.media.files.sniff import sniff

_HEAD_SIZE = 4096
# A tar file without members is zeros: two blocks, or 10,240 bytes as tar writes them. A longer file
# was overwritten with zeros.
_MAX_EMPTY_TAR_SIZE = 1 << 16
_PIECE_SIZE = 1 << 16  # at most this many bytes before damage are lost

_MAX_REPORTED_SIZE = 1 << 62  # bytes; a member may declare more

_ENCRYPTED_FLAG = 0x1  # of a zip member
_CUT_SHORT = "the archive is cut short"
_PASSWORD_PROTECTED = "the member is protected by a password"


@dataclass(frozen=True)
class Member:
    """A member that is not a folder; `error` is set if it cannot be read."""

    name: bytes
    size: int
    error: MediaError | None = None

    @property
    def cost(self) -> int:
        """The number of members that it counts as, since a long name takes memory too."""
        return bomb_limits.count_members(self.name)


@dataclass(frozen=True)
class Budget:
    """The members and unpacked bytes that an archive, with those inside it, may still have."""

    members: int
    bytes: int


@dataclass(frozen=True)
class Listing:
    """The members that could be listed; `error` is set if the list ended early."""

    members: tuple[Member, ...]
    bytes: int
    error: MediaError | None = None

    def members_within(self, cost: int) -> tuple[Member, ...]:
        """Return the first members that together cost at most `cost`."""
        costs = accumulate(member.cost for member in self.members)
        return tuple(m for m, total in zip(self.members, costs, strict=True) if total <= cost)


def find_archive_type(stream: BinaryIO) -> str | None:
    """Return `application/zip` or `application/x-tar`, or None if it is no archive we can open.

    The stream ends up at its start.
    """
    head = stream.read(_HEAD_SIZE)
    if _is_empty_tar(head, stream):
        stream.seek(0)
        return "application/x-tar"
    stream.seek(0)
    mime = sniff(head)
    if mime in PACKED:
        try:
            with PACKED[mime](stream) as unpacked:
                head = unpacked.read(BLOCK)
                mime = "application/x-tar" if _is_empty_tar(head, unpacked) else sniff(head)
        except Exception:  # decompressors raise anything on damage
            mime = None
        finally:
            stream.seek(0)
        return mime if mime == "application/x-tar" else None
    return mime if mime in ("application/zip", "application/x-tar") else None


def _is_empty_tar(head: bytes, stream: BinaryIO) -> bool:
    """Return whether a stream is a tar file without members; its head is already read."""
    if any(head):
        return False
    data = head + stream.read(_MAX_EMPTY_TAR_SIZE + 1)
    return (
        2 * BLOCK <= len(data) <= _MAX_EMPTY_TAR_SIZE and len(data) % BLOCK == 0 and not any(data)
    )


def open_archive(file: OpenFile) -> BinaryIO | None:
    """Return the file as a stream if it begins as an archive does, else None."""
    mime = file.mime
    empty = not any(file.head) and 2 * BLOCK <= file.size <= _MAX_EMPTY_TAR_SIZE
    if mime in PACKED or mime in ("application/zip", "application/x-tar") or empty:
        return file.stream()
    return None


class Archive:
    """An open archive with members numbered from 0.

    `direct` is true if a member can be read without reading those before it. Raises MediaError if
    the archive is damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        kind = find_archive_type(stream)
        head = stream.read(_HEAD_SIZE)
        stream.seek(0)
        packed = None if kind == "application/zip" else PACKED.get(sniff(head) or "")
        self.direct = packed is None
        self._format: _Zip | _Tar
        with _translate_errors():
            if kind == "application/zip":
                self._format = _Zip(stream)
            else:
                self._format = _Tar(stream if packed is None else packed(stream))

    def list(self, limits: Limits, budget: Budget) -> Listing:
        """Return the members as far as limits, budget and damage allow."""
        members: list[Member] = []
        totals = bomb_limits.Totals(
            limits,
            max_members=budget.members,
            max_bytes=budget.bytes,
            packed_size=None if self.direct else self._size,
        )
        try:
            with _translate_errors():
                for member, packed_size in self._format.list_members():
                    error = member.error or bomb_limits.find_excess(
                        member.size, packed_size, limits
                    )
                    size = min(member.size, _MAX_REPORTED_SIZE)
                    totals.add(member.name, size, is_read=error is None)
                    members.append(Member(member.name, size, error))
        except MediaError as error:
            return Listing(tuple(members), totals.bytes, error)
        return Listing(tuple(members), totals.bytes)

    def read(self, number: int, limit: int) -> tuple[bytes, MediaError | None]:
        """Return the bytes of a member, and the error that ended them early or None.

        Raises MediaError if no byte can be read, and `too_large` if there are more than `limit`.
        """
        with _translate_errors():
            stream = self._format.open(number)
        if stream is None:
            raise MediaError("undecodable", "the archive changed: the member is gone")
        data = bytearray()
        try:
            with _translate_errors(), stream:
                while len(data) <= limit and (piece := stream.read(_PIECE_SIZE)):
                    data += piece
        except MediaError as error:
            if not data:
                raise
            return bytes(data), error
        if len(data) > limit:
            raise MediaError("too_large", f"more than {limit} bytes")
        return bytes(data), None

    def close(self) -> None:
        """Close the archive and its file."""
        self._stream.close()


class _Zip:
    def __init__(self, stream: BinaryIO) -> None:
        self._archive = ZipFile(stream)
        self._infos = self._archive.infos

    def list_members(self) -> Iterator[tuple[Member, int | None]]:
        for info in self._infos:
            encrypted = info.flag_bits & _ENCRYPTED_FLAG
            error = MediaError("encrypted", _PASSWORD_PROTECTED) if encrypted else None
            name = self._archive.read_name(info)
            yield Member(name, info.file_size, error), info.compress_size
        if self._archive.has_more():
            raise MediaError("undecodable", "the zip file has bytes that are in no member")
        if self._archive.hides_file():
            raise MediaError("unsupported", HIDES)

    def open(self, number: int) -> BinaryIO | None:
        return self._archive.open(self._infos[number]) if number < len(self._infos) else None


class _Tar:
    def __init__(self, stream: BinaryIO) -> None:
        self._headers = Headers(stream)
        self._archive = tarfile.open(  # noqa: SIM115 - open as long as the archive is
            fileobj=cast("BinaryIO", self._headers), mode="r:", errors="surrogateescape"
        )
        self._headers.listing = False
        self._infos: list[tarfile.TarInfo] = []
        self._ended = False
        if self._archive.firstmember is None:  # type: ignore[attr-defined]
            self._check_end(0)

    def list_members(self) -> Iterator[tuple[Member, int | None]]:
        number = 0
        while (info := self._read_info(number)) is not None:
            error = None if info.isreg() else MediaError("unreadable", "not a regular file")
            name = info.name.encode("utf-8", "surrogateescape")
            yield Member(name, info.size if info.isreg() else 0, error), None
            number += 1
        if self._headers.error is not None:
            raise self._headers.error.alone()

    def _read_info(self, number: int) -> tarfile.TarInfo | None:
        while len(self._infos) <= number and not self._ended:
            begin = self._archive.offset
            self._headers.listing = True
            try:
                info = self._archive.next()
            finally:
                self._headers.listing = False
            cast("Any", self._archive).members.clear()  # it would list them a second time
            if info is None:
                self._ended = True
                self._check_end(begin)
            elif info.size < 0:  # the library would go back and list the same members again
                self._ended = True
                raise MediaError("undecodable", "a damaged archive (a header)")
            else:
                self._headers.check(info)
                if not info.isdir():
                    self._infos.append(info)
        return self._infos[number] if number < len(self._infos) else None

    def _check_end(self, begin: int) -> None:
        """Raise MediaError unless the list ended at an end mark with only zeros after it.

        The library also stops silently at a damaged or missing header and before a second tar file.
        """
        stream = self._headers
        stream.seek(begin)
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise MediaError("truncated", _CUT_SHORT)
        if any(block):
            raise MediaError("undecodable", "a damaged archive (a header)")
        while piece := stream.read(_PIECE_SIZE):
            if piece.count(0) < len(piece):
                raise MediaError("undecodable", "the tar file has bytes after its end")

    def open(self, number: int) -> BinaryIO | None:
        info = self._read_info(number)
        if info is None or not info.isreg():
            return None
        return cast("BinaryIO", self._archive.extractfile(info))


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn a library's errors about a damaged archive into MediaError, except MemoryError."""
    try:
        yield
    except (MediaError, MemoryError):
        raise
    except NotImplementedError:
        raise MediaError("unsupported", "the member's compression is not supported") from None
    except Exception as error:
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise MediaError("encrypted", _PASSWORD_PROTECTED) from None
        if isinstance(error, EOFError) or "unexpected end of data" in str(error):
            raise MediaError("truncated", _CUT_SHORT) from None
        raise MediaError("undecodable", f"a damaged archive ({type(error).__name__})") from None
