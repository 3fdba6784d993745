"""Hasher: hashes inputs in a worker process, which knows no list and no record."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import BinaryIO, ClassVar, NamedTuple, cast

from msgspec import Struct

from screener.errors import MediaError
from screener.hashing import classic, digest
from screener.hashing.hash import Hash, HashKind
from screener.media.archives.archive import (
    Archive,
    Budget,
    Listing,
    Member,
    find_archive_type,
    open_archive,
)
from screener.media.files.open_file import OpenFile
from screener.media.files.sniff import CONTAINERS
from screener.media.source import Item, Name
from screener.screening.input.hash_item import HashedInput, HashedWire, hash_item
from screener.screening.input.wire import (
    Size,
    TroubleWire,
    trouble_from_wire,
    trouble_to_wire,
)
from screener.screening.policy import Policy

# Bytes of files that are read ahead: of one file, since digests are a small part of the work for a
# larger one; and of all together, so that they take little memory beside a decoded picture.
_MOST, _MOST_TOGETHER = 4 << 20, 16 << 20


class Ahead(NamedTuple):
    """A file that was read ahead, with the bytes in memory, and its digests."""

    file: OpenFile
    digests: tuple[Hash, ...]


def read_ahead(paths: Iterable[str], kinds: Sequence[HashKind], limit: int) -> dict[str, Ahead]:
    """Read files and compute their digests together, if that is faster; return them by path.

    Left out are files larger than `limit`, videos, and files with trouble, which their own turn
    reports.
    """
    files: dict[str, OpenFile] = {}
    left = _MOST_TOGETHER
    for path in paths:
        if digest.MD5 in kinds and path not in files:
            with suppress(MediaError, OSError, MemoryError):
                file = OpenFile(path)
                if 0 < file.size <= min(limit, left, _MOST) and file.mime not in CONTAINERS:
                    files[path] = _in_memory(file)
                    left -= file.size
                else:
                    file.close()
    try:
        digests = digest.compute_batch([file.read_all() for file in files.values()], kinds)
    except MemoryError:
        digests = []
    for file in list(files.values())[len(digests) :]:
        file.close()
    return {
        path: Ahead(file, values)
        for (path, file), values in zip(files.items(), digests, strict=False)
    }


def _in_memory(file: OpenFile) -> OpenFile:
    try:
        file.load()
    except BaseException:
        file.close()
        raise
    return file


@dataclass(frozen=True)
class Target:
    """An input of a scan: a file, or a member of an archive.

    `inner` are the numbers of members from the outermost archive inwards; `name` is the member's,
    None for a file.
    """

    path: str
    inner: tuple[int, ...] = ()
    name: Name | None = None

    def member(self, number: int, member: Member, outermost: Name, *, same: int) -> Target:
        """Return a member of this archive, named `archive!member`, with the archive's time.

        `same` members of its name come before it.
        """
        own = self.name or outermost
        raw = own.as_bytes + b"!" + member.name
        text = raw.decode("utf-8", "replace")
        odd = None if text.encode("utf-8") == raw else raw
        place = (*own.archives, len(own.as_bytes)), (*own.same, same)
        name = Name(text, odd, member.size, outermost.mtime_ns, *place)
        return Target(self.path, (*self.inner, number), name)


class HashMode(Enum):
    """How a target is hashed.

    NORMAL: as configured, maybe with bits in doubt. EXACT: without, since bits in doubt decide its
    Result. DIGESTS_ONLY: without decoding, which crashed or ended a worker before.
    """

    NORMAL = "normal"
    EXACT = "exact"
    DIGESTS_ONLY = "digests_only"


@dataclass(frozen=True)
class OpenedArchive:
    """An archive: its own digests, its members, and whether they can be read in any order."""

    hashed: HashedInput
    listing: Listing
    direct: bool


class OpenedWire(Struct, frozen=True, array_like=True, tag="opened"):
    """An OpenedArchive in its wire format."""

    hashed: HashedWire
    members: tuple[tuple[bytes, Size, TroubleWire | None], ...]
    size: Size
    trouble: TroubleWire | None
    direct: bool

    @classmethod
    def of(cls, opened: OpenedArchive) -> OpenedWire:
        """Return an OpenedArchive in its wire format."""
        listing = opened.listing
        return cls(
            HashedWire.of(opened.hashed),
            tuple([(one.name, one.size, trouble_to_wire(one.error)) for one in listing.members]),
            listing.bytes,
            trouble_to_wire(listing.error),
            opened.direct,
        )

    def opened(self) -> OpenedArchive:
        """Return the archive. Raise ValueError or HashError if its parts do not fit together."""
        members = tuple(
            [Member(name, size, trouble_from_wire(trouble)) for name, size, trouble in self.members]
        )
        listing = Listing(members, self.size, trouble_from_wire(self.trouble))
        return OpenedArchive(self.hashed.hashed(), listing, self.direct)


@dataclass(frozen=True)
class Hasher:
    """Reads, decodes and hashes inputs; each worker process receives it once.

    If it `sketches`, its hashes may have bits in doubt: pass them to `Screener.decide_if_sure`.
    """

    outcomes: ClassVar = (OpenedArchive,)

    policy: Policy
    kinds: tuple[HashKind, ...]
    sketches: bool = False

    def hash(self, item: Item, digests: Sequence[Hash] = ()) -> HashedInput:
        """Return one input's hashes: see `hash_item`."""
        return hash_item(
            item, policy=self.policy, kinds=self.kinds, sketch=self.sketches, digests=digests
        )

    def exact(self) -> Hasher:
        """Return this Hasher without bits in doubt."""
        return replace(self, sketches=False) if self.sketches else self

    def digest(self, item: Item) -> HashedInput:
        """Return only the digests of an input, without decoding it."""
        kinds = [kind for kind in self.kinds if kind.digest]
        return hash_item(item, policy=self.policy, kinds=kinds)

    def start_session(self) -> HashingSession:
        """Return a session of this Hasher in the current process."""
        classic.load(kind for kind in self.kinds if kind in classic.CLASSIC)
        return HashingSession(self)


@dataclass
class HashingSession:
    """A Hasher in one process, with its open archives and the files that it has read ahead."""

    hasher: Hasher
    _ahead: dict[str, Ahead] = field(default_factory=dict)
    _open: dict[tuple[str, tuple[int, ...]], Archive] = field(default_factory=dict)
    _read: tuple[Target, bytes, MediaError | None] | None = None

    def read_ahead(self, targets: Iterable[Target]) -> None:
        """Read the next files ahead, as far as that is faster."""
        for one in self._ahead.values():
            one.file.close()
        self._ahead.clear()
        kinds = [kind for kind in self.hasher.kinds if kind.digest]
        paths = (target.path for target in targets if not target.inner)
        self._ahead |= read_ahead(paths, kinds, self.hasher.policy.limits.bytes)

    def run(
        self, target: Target, budget: Budget | None, mode: HashMode
    ) -> HashedInput | OpenedArchive:
        """Hash a target, or open it if it is an archive and there is a budget for that."""
        digests_only = mode is HashMode.DIGESTS_ONLY
        hasher = self.hasher.exact() if mode is HashMode.EXACT else self.hasher
        if self._read is not None and self._read[0] != target:
            self._read = None
        if not target.inner and digests_only:
            return hasher.digest(target.path)
        if not target.inner:
            return self._file(target, budget, hasher)
        try:
            holder = self._archive(target.path, target.inner[:-1])
            data, damage = self._member(target, holder)
        except MediaError as error:
            return HashedInput(Name(), trouble=error)
        if not holder.direct or len(target.inner) > 1:
            # A second look would unpack all that comes before it again.
            hasher = hasher.exact()
        if digests_only:
            return hasher.digest(data)
        if damage is not None:
            # As for a file that is cut short, the rest may match.
            return replace(hasher.hash(data), trouble=damage)
        if budget is not None and find_archive_type(io.BytesIO(data)) is not None:
            return self._opened(target, io.BytesIO(data), budget)
        return hasher.hash(data)

    def _member(self, target: Target, holder: Archive) -> tuple[bytes, MediaError | None]:
        """Return the bytes of a member, and the error that cut them short, if any.

        The last member stays in memory, since a member whose decoding needs too much memory is read
        twice.
        """
        if self._read is None:
            data, damage = holder.read(target.inner[-1], self.hasher.policy.limits.bytes)
            self._read = target, data, damage
        return self._read[1:]

    def _file(
        self, target: Target, budget: Budget | None, hasher: Hasher
    ) -> HashedInput | OpenedArchive:
        ahead = self._ahead.pop(target.path, None)
        try:
            file = OpenFile(target.path) if ahead is None else ahead.file
        except MediaError:
            return hasher.hash(target.path)  # reports the trouble
        with file:
            stream = None if budget is None else open_archive(file)
            if stream is None:
                return hasher.hash(file, () if ahead is None else ahead.digests)
            if find_archive_type(stream) is not None:
                return self._opened(target, stream, budget)
            stream.close()
            return hasher.hash(target.path)

    def _opened(
        self, target: Target, stream: BinaryIO, budget: Budget | None
    ) -> OpenedArchive | HashedInput:
        limits = self.hasher.policy.limits
        whole = cast("io.BytesIO", stream).getvalue() if target.inner else target.path
        hashed = self.hasher.digest(whole)
        if hashed.trouble is not None or budget is None:
            return hashed
        if len(target.inner) >= limits.nesting:
            detail = f"an archive inside {limits.nesting} others"
            return OpenedArchive(hashed, Listing((), 0, MediaError("too_large", detail)), True)
        try:
            archive = Archive(stream)
        except MediaError as error:
            return OpenedArchive(hashed, Listing((), 0, error), True)
        self._keep(target.path, target.inner, archive)
        return OpenedArchive(
            hashed, archive.list(limits, budget), archive.direct and not target.inner
        )

    def _archive(self, path: str, inner: tuple[int, ...]) -> Archive:
        opened = self._open.get((path, inner))
        if opened is not None:
            return opened
        stream: BinaryIO | None
        if inner:
            holder = self._archive(path, inner[:-1])
            stream = io.BytesIO(holder.read(inner[-1], self.hasher.policy.limits.bytes)[0])
        else:
            with OpenFile(path) as file:
                stream = open_archive(file)
        if stream is None:
            raise MediaError("unreadable", "the archive is gone")
        archive = Archive(stream)
        self._keep(path, inner, archive)
        return archive

    def _keep(self, path: str, inner: tuple[int, ...], archive: Archive) -> None:
        """Keep an archive open, and close all others but those around it."""
        for place in list(self._open):
            if place[0] != path or place[1] != inner[: len(place[1])] or place[1] == inner:
                self._open.pop(place).close()
        self._open[path, inner] = archive
