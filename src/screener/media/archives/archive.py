"""Archives: the members of a zip or tar file, one after the other, nothing unpacked to disk.

What is an archive is told by its content: zip, and tar plain or packed by gzip, bzip2 or xz. The
limits hold while it is read, whatever the archive says of itself.
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
# A tar file without members is its end alone, zeros, two blocks of them or a record of the usual
# lengths: tar writes 10,240 bytes. What is longer is a file that was lost to zeros.
_EMPTY = 1 << 16
_PIECE = 1 << 16  # the most that damage costs of what is before it
# Below so many bytes nothing is taken for a bomb, however well it was packed.
_INNOCENT = 16 << 20

# A scan holds the names of all members: a longer name ends the list, as no zip file has one, and
# so many bytes of a name cost what another member does.
_LONGEST_NAME = (1 << 16) - 1
_NAME_COST = 512

# Bytes that no file has: of a member that declares more, that is told.
_LARGEST = 1 << 62

_ENCRYPTED = 0x1  # in a zip member's flags


@dataclass(frozen=True)
class Member:
    """A member that is not a folder: its name as the archive has it, its bytes when unpacked as
    declared, and what keeps it from being read, if anything.
    """

    name: bytes
    size: int
    trouble: MediaError | None = None

    @property
    def cost(self) -> int:
        """As how many members it counts: its name, which may be long, is held as well."""
        return 1 + len(self.name) // _NAME_COST


@dataclass(frozen=True)
class Budget:
    """What an archive, with those inside it, may still cost: members, and bytes unpacked."""

    members: int
    bytes: int


@dataclass(frozen=True)
class Listing:
    """The members of an archive as far as they could be listed, and what ended the list early."""

    members: tuple[Member, ...]
    bytes: int
    trouble: MediaError | None = None

    def within(self, cost: int) -> tuple[Member, ...]:
        """The first members, as many as do not count as more than so many."""
        costs = accumulate(member.cost for member in self.members)
        return tuple(m for m, one in zip(self.members, costs, strict=True) if one <= cost)


def type_of(stream: BinaryIO) -> str | None:
    """The type of an archive that can be opened, `application/zip` or `application/x-tar`; None
    for anything else. Leaves the stream at its start.
    """
    head = stream.read(_HEAD)
    if _is_empty_tar(head, stream):
        stream.seek(0)
        return "application/x-tar"
    stream.seek(0)
    found = sniff(head)
    if found in PACKED:
        try:
            with PACKED[found](stream) as unpacked:
                begin = unpacked.read(BLOCK)
                found = "application/x-tar" if _is_empty_tar(begin, unpacked) else sniff(begin)
        except Exception:  # whatever a damaged file makes a decompressor raise
            found = None
        finally:
            stream.seek(0)
        return found if found == "application/x-tar" else None
    return found if found in ("application/zip", "application/x-tar") else None


def _is_empty_tar(begin: bytes, stream: BinaryIO) -> bool:
    """Whether a stream, whose first bytes were read, is the end of a tar file and nothing else."""
    if any(begin):
        return False
    whole = begin + stream.read(_EMPTY + 1)
    return 2 * BLOCK <= len(whole) <= _EMPTY and len(whole) % BLOCK == 0 and not any(whole)


def open_archive(file: OpenFile) -> BinaryIO | None:
    """A file that begins as an archive does as a stream, for `type_of` to say what is in it; None
    for anything else, which nearly all files are.
    """
    found = file.mime
    empty = not any(file.head) and 2 * BLOCK <= file.size <= _EMPTY
    if found in PACKED or found in ("application/zip", "application/x-tar") or empty:
        return file.stream()
    return None


class Archive:
    """An open archive, whose members have numbers from 0; raises MediaError where it is damaged.

    `direct`: whether any member can be read without reading those before it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        kind = type_of(stream)
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
        """Its members, as far as limits and budget allow and damage lets."""
        members: list[Member] = []
        total = cost = 0
        try:
            with _damage():
                for member, packed in self._format.members():
                    if len(member.name) > _LONGEST_NAME:
                        raise MediaError("too_large", f"a name of more than {_LONGEST_NAME} bytes")
                    member = _checked(member, packed, limits)
                    # What is too large is not read; but in a packed tar it has to be passed.
                    total += member.size if member.trouble is None or not self.direct else 0
                    total += len(member.name)
                    cost += member.cost
                    if cost > budget.members:
                        raise MediaError("too_large", "an archive of more members than allowed")
                    if total > budget.bytes:
                        raise MediaError("too_large", "an archive of more bytes than allowed")
                    if not self.direct and total > max(_INNOCENT, limits.ratio * self._size):
                        raise MediaError("too_large", _bomb(limits))
                    members.append(member)
        except MediaError as error:
            return Listing(tuple(members), total, error)
        return Listing(tuple(members), total)

    def read(self, number: int, limit: int) -> tuple[bytes, MediaError | None]:
        """The bytes of a member as far as they can be read, and what ended them early.

        Raises MediaError where there are none, and `too_large` where there are more than `limit`.
        """
        with _damage():
            stream = self._format.open(number)
        if stream is None:
            raise MediaError("undecodable", "the archive has no such member any more")
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
    """A member with what its sizes say against it."""
    trouble = member.trouble
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
            trouble = MediaError("encrypted", "a member under a password") if encrypted else None
            name = self._archive.name(info)
            yield Member(name, info.file_size, trouble), info.compress_size
        if self._archive.has_more():
            raise MediaError("undecodable", "a zip file with bytes that are in no member")
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
            cast("Any", self._archive).members.clear()  # a list that it keeps beside ours
            if info is None:
                self._ended = True
                self._check_end(begin)
            elif info.size < 0:  # behind which the library goes back, and lists what it has listed
                self._ended = True
                raise MediaError("undecodable", "a damaged archive (a header)")
            else:
                self._headers.check(info)
                if not info.isdir():
                    self._infos.append(info)
        return self._infos[number] if number < len(self._infos) else None

    def _check_end(self, begin: int) -> None:
        """Whether the list ended by the mark of an end, which begins there, and there are but
        zeros behind it: the library also ends it, and says nothing, at a header that is damaged or
        missing, perhaps behind it by then, and before a second tar file behind the first. All of it
        is read, a piece at a time, however long it is: whoever wants the archive listed has a limit
        of time.
        """
        stream = self._headers
        stream.seek(begin)
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise MediaError("truncated", "an archive that is cut short")
        if any(block):
            raise MediaError("undecodable", "a damaged archive (a header)")
        while piece := stream.read(_PIECE):
            if piece.count(0) < len(piece):
                raise MediaError("undecodable", "a tar file with bytes behind its end")

    def open(self, number: int) -> BinaryIO | None:
        info = self._info(number)
        if info is None or not info.isreg():
            return None
        return cast("BinaryIO", self._archive.extractfile(info))


@contextmanager
def _damage() -> Iterator[None]:
    """Turns what a library raises over a damaged archive into MediaError; memory passes."""
    try:
        yield
    except (MediaError, MemoryError):
        raise
    except NotImplementedError:
        raise MediaError("unsupported", "a way of packing that is not read here") from None
    except Exception as error:
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise MediaError("encrypted", "a member under a password") from None
        if isinstance(error, EOFError) or "unexpected end of data" in str(error):
            raise MediaError("truncated", "an archive that is cut short") from None
        raise MediaError("undecodable", f"a damaged archive ({type(error).__name__})") from None
