"""The members of a zip or tar file, one after the other; nothing is unpacked to disk.

The limits count what is read, whatever the archive declares.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, cast

from screener.errors import MediaError
from screener.media.archives.compressed import PACKED
from screener.media.archives.tar_file import BLOCK, HIDES, Headers
from screener.media.archives.zip_file import ZipFile
from screener.media.files.limits import Limits
from screener.media.files.open_file import OpenFile
from screener.media.files.sniff import sniff

_HEAD = 4096
# A tar file without members is zeros: two blocks, or 10,240 bytes as tar writes them. A longer one
# is a file that was overwritten with zeros.
_EMPTY = 1 << 16
_PIECE = 1 << 16  # damage may cost so many bytes of the data before it
_INNOCENT = 16 << 20  # bytes below which nothing counts as a bomb

# A scan holds the names of all members. A longer name than a zip file can have ends the list, and
# each `_NAME_COST` bytes count as another member.
_LONGEST_NAME = (1 << 16) - 1
_NAME_COST = 512

_LARGEST = 1 << 62  # bytes that are reported of a member that declares more

_ENCRYPTED = 0x1  # in a zip member's flags
_CUT = "the archive is cut short"
_PASSWORD = "the member is protected by a password"


@dataclass(frozen=True)
class Member:
    """A member that is not a folder: its name, its declared size, and why it cannot be read."""

    name: bytes
    size: int
    error: MediaError | None = None

    @property
    def cost(self) -> int:
        """Return how many members it counts as, since a long name takes memory too."""
        return 1 + len(self.name) // _NAME_COST


@dataclass(frozen=True)
class Budget:
    """What an archive, with those inside it, may still cost: members, and bytes unpacked."""

    members: int
    bytes: int


@dataclass(frozen=True)
class Listing:
    """The members of an archive that could be listed, and what ended the list early."""

    members: tuple[Member, ...]
    bytes: int
    error: MediaError | None = None

    def members_within(self, cost: int) -> tuple[Member, ...]:
        """Return the first members that together cost at most `cost`."""
        costs = accumulate(member.cost for member in self.members)
        return tuple(m for m, total in zip(self.members, costs, strict=True) if total <= cost)


def find_archive_type(stream: BinaryIO) -> str | None:
    """Return `application/zip` or `application/x-tar` for an archive that can be opened, else None.

    Leaves the stream at its start.
    """
    head = stream.read(_HEAD)
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
    """Return whether a stream, its head already read, is the end of a tar file and nothing else."""
    if any(head):
        return False
    data = head + stream.read(_EMPTY + 1)
    return 2 * BLOCK <= len(data) <= _EMPTY and len(data) % BLOCK == 0 and not any(data)


def open_archive(file: OpenFile) -> BinaryIO | None:
    """Return a stream for `find_archive_type` if a file begins as an archive does, else None."""
    mime = file.mime
    empty = not any(file.head) and 2 * BLOCK <= file.size <= _EMPTY
    if mime in PACKED or mime in ("application/zip", "application/x-tar") or empty:
        return file.stream()
    return None


class Archive:
    """An open archive with members numbered from 0. Raises MediaError if it is damaged.

    `direct`: whether a member can be read without reading those before it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        kind = find_archive_type(stream)
        head = stream.read(_HEAD)
        stream.seek(0)
        packed = None if kind == "application/zip" else PACKED.get(sniff(head) or "")
        self.direct = packed is None
        self._format: _Zip | _Tar
        with _damage():
            if kind == "application/zip":
                self._format = _Zip(stream)
            else:
                self._format = _Tar(stream if packed is None else packed(stream))

    def list(self, limits: Limits, budget: Budget) -> Listing:
        """Return the members as far as limits, budget and damage allow."""
        members: list[Member] = []
        total = cost = 0
        try:
            with _damage():
                for member, packed in self._format.members():
                    if len(member.name) > _LONGEST_NAME:
                        raise MediaError("too_large", f"a name of more than {_LONGEST_NAME} bytes")
                    member = _checked(member, packed, limits)
                    # A member that is too large is not read, but in a packed tar it is unpacked.
                    total += member.size if member.error is None or not self.direct else 0
                    total += len(member.name)
                    cost += member.cost
                    if cost > budget.members:
                        raise MediaError("too_large", "the archive has too many members")
                    if total > budget.bytes:
                        raise MediaError("too_large", "the archive unpacks to too many bytes")
                    if not self.direct and total > max(_INNOCENT, limits.ratio * self._size):
                        raise MediaError("too_large", _bomb(limits))
                    members.append(member)
        except MediaError as error:
            return Listing(tuple(members), total, error)
        return Listing(tuple(members), total)

    def read(self, number: int, limit: int) -> tuple[bytes, MediaError | None]:
        """Return the bytes of a member as far as they can be read, and what ended them early.

        Raises MediaError if there are none, and `too_large` if there are more than `limit`.
        """
        with _damage():
            stream = self._format.open(number)
        if stream is None:
            raise MediaError("undecodable", "the archive changed: the member is gone")
        data = bytearray()
        try:
            with _damage(), stream:
                while len(data) <= limit and (piece := stream.read(_PIECE)):
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


def _checked(member: Member, packed: int | None, limits: Limits) -> Member:
    trouble = member.error
    if trouble is None and member.size > limits.bytes:
        trouble = MediaError("too_large", f"more than {limits.bytes} bytes")
    elif (
        trouble is None
        and packed is not None
        and member.size > max(_INNOCENT, limits.ratio * packed)
    ):
        trouble = MediaError("too_large", _bomb(limits))
    return Member(member.name, min(member.size, _LARGEST), trouble)


def _bomb(limits: Limits) -> str:
    return f"unpacks to more than {limits.ratio} times its size"


class _Zip:
    def __init__(self, stream: BinaryIO) -> None:
        self._archive = ZipFile(stream)
        self._infos = self._archive.infos

    def members(self) -> Iterator[tuple[Member, int | None]]:
        for info in self._infos:
            encrypted = info.flag_bits & _ENCRYPTED
            trouble = MediaError("encrypted", _PASSWORD) if encrypted else None
            name = self._archive.name(info)
            yield Member(name, info.file_size, trouble), info.compress_size
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

    def members(self) -> Iterator[tuple[Member, int | None]]:
        number = 0
        while (info := self._info(number)) is not None:
            trouble = None if info.isreg() else MediaError("unreadable", "not a regular file")
            name = info.name.encode("utf-8", "surrogateescape")
            yield Member(name, info.size if info.isreg() else 0, trouble), None
            number += 1
        if self._headers.trouble is not None:
            raise self._headers.trouble.alone()

    def _info(self, number: int) -> tarfile.TarInfo | None:
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
        """Raise MediaError unless the list ended at an end mark with only zeros behind it.

        The library also stops silently at a damaged or missing header and before a second tar file.
        All of the rest is read, in pieces.
        """
        stream = self._headers
        stream.seek(begin)
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise MediaError("truncated", _CUT)
        if any(block):
            raise MediaError("undecodable", "a damaged archive (a header)")
        while piece := stream.read(_PIECE):
            if piece.count(0) < len(piece):
                raise MediaError("undecodable", "the tar file has bytes behind its end")

    def open(self, number: int) -> BinaryIO | None:
        info = self._info(number)
        if info is None or not info.isreg():
            return None
        return cast("BinaryIO", self._archive.extractfile(info))


@contextmanager
def _damage() -> Iterator[None]:
    """Turn a library's errors over a damaged archive into MediaError; let MemoryError pass."""
    try:
        yield
    except (MediaError, MemoryError):
        raise
    except NotImplementedError:
        raise MediaError("unsupported", "the member's compression is not supported") from None
    except Exception as error:
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise MediaError("encrypted", _PASSWORD) from None
        if isinstance(error, EOFError) or "unexpected end of data" in str(error):
            raise MediaError("truncated", _CUT) from None
        raise MediaError("undecodable", f"a damaged archive ({type(error).__name__})") from None
