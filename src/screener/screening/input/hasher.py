"""Hashing of inputs in worker processes, which know no list and no record."""

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
from screener.media.name import Name
from screener.media.source import Item
from screener.screening.input.hash_item import HashedInput, HashedWire, hash_item
from screener.screening.input.wire import ErrorWire, Size, error_from_wire, error_to_wire
from screener.screening.policy import Policy

# Limits of files that are read ahead. Digests are a small part of the work for a larger file, and
# all files together should take little memory next to a decoded picture.
_MAX_AHEAD_FILE_BYTES = 4 << 20
_MAX_AHEAD_BYTES = 16 << 20


class FileAhead(NamedTuple):
    """A file that was read ahead into memory, and its digests."""

    file: OpenFile
    digests: tuple[Hash, ...]


def read_ahead(paths: Iterable[str], kinds: Sequence[HashKind], limit: int) -> dict[str, FileAhead]:
    """Read files into memory and compute their digests in one batch.

    Videos, files larger than `limit` bytes and unreadable files are left out; an error is reported
    when the file's turn comes.
    """
    files: dict[str, OpenFile] = {}
    remaining = _MAX_AHEAD_BYTES
    for path in paths:
        if digest.MD5 in kinds and path not in files:
            with suppress(MediaError, OSError, MemoryError):
                file = OpenFile(path)
                max_size = min(limit, remaining, _MAX_AHEAD_FILE_BYTES)
                if 0 < file.size <= max_size and file.mime not in CONTAINERS:
                    _load(file)
                    files[path] = file
                    remaining -= file.size
                else:
                    file.close()
    try:
        digests = digest.compute_batch([file.read_all() for file in files.values()], kinds)
    except MemoryError:
        digests = []
    for file in list(files.values())[len(digests) :]:
        file.close()
    return {
        path: FileAhead(file, values)
        for (path, file), values in zip(files.items(), digests, strict=False)
    }


def _load(file: OpenFile) -> None:
    try:
        file.load()
    except BaseException:
        file.close()
        raise


@dataclass(frozen=True)
class Target:
    """An input of a scan: a file, or a member of an archive.

    `inner` has the member's number in each archive, the outermost first. `name` is the member's
    name, or None for a file.
    """

    path: str
    inner: tuple[int, ...] = ()
    name: Name | None = None

    def member(self, number: int, member: Member, outermost: Name, *, same: int) -> Target:
        """Return a member of this archive, named `archive!member`, with the archive's time.

        `same` is the number of earlier members with the same name.
        """
        archive = self.name or outermost
        raw = archive.as_bytes + b"!" + member.name
        text = raw.decode("utf-8", "replace")
        name = Name(
            text,
            None if text.encode("utf-8") == raw else raw,
            member.size,
            outermost.mtime_ns,
            archives=(*archive.archives, len(archive.as_bytes)),
            same=(*archive.same, same),
        )
        return Target(self.path, (*self.inner, number), name)


class HashMode(Enum):
    """The way to hash a target.

    NORMAL: as configured, perhaps with bits in doubt. EXACT: without bits in doubt, because they
    decided the Result. DIGESTS_ONLY: without decoding, because decoding ended a worker before.
    """

    NORMAL = "normal"
    EXACT = "exact"
    DIGESTS_ONLY = "digests_only"


@dataclass(frozen=True)
class OpenedArchive:
    """An archive with its digests and members, which a `direct` one reads in any order."""

    hashed: HashedInput
    listing: Listing
    direct: bool


class OpenedWire(Struct, frozen=True, array_like=True, tag="opened"):
    """An OpenedArchive in its wire format."""

    hashed: HashedWire
    members: tuple[tuple[bytes, Size, ErrorWire | None], ...]
    size: Size
    error: ErrorWire | None
    direct: bool

    @classmethod
    def from_archive(cls, opened: OpenedArchive) -> OpenedWire:
        """Return an OpenedArchive in its wire format."""
        listing = opened.listing
        return cls(
            HashedWire.from_input(opened.hashed),
            tuple(
                [
                    (member.name, member.size, error_to_wire(member.error))
                    for member in listing.members
                ]
            ),
            listing.bytes,
            error_to_wire(listing.error),
            opened.direct,
        )

    def to_archive(self) -> OpenedArchive:
        """Return the archive. Raises ValueError or HashError if its fields do not fit together."""
        members = tuple(
            [Member(name, size, error_from_wire(error)) for name, size, error in self.members]
        )
        listing = Listing(members, self.size, error_from_wire(self.error))
        return OpenedArchive(self.hashed.to_input(), listing, self.direct)


@dataclass(frozen=True)
class Hasher:
    """Reads, decodes and hashes inputs. Each worker process receives it once.

    With `sketches`, hashes may have bits in doubt: pass them to `Screener.decide_if_sure`.
    """

    outcomes: ClassVar = (OpenedArchive,)

    policy: Policy
    kinds: tuple[HashKind, ...]
    sketches: bool = False

    def hash(self, item: Item, digests: Sequence[Hash] = ()) -> HashedInput:
        """Return one input's hashes, as `hash_item` does."""
        return hash_item(
            item, policy=self.policy, kinds=self.kinds, sketch=self.sketches, digests=digests
        )

    def exact(self) -> Hasher:
        """Return a Hasher like this one whose hashes have no bits in doubt."""
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
    """A Hasher in one process, with its open archives and files read ahead."""

    hasher: Hasher
    _files_ahead: dict[str, FileAhead] = field(default_factory=dict)
    _archives: dict[tuple[str, tuple[int, ...]], Archive] = field(default_factory=dict)
    _last_member: tuple[Target, bytes, MediaError | None] | None = None

    def read_ahead(self, targets: Iterable[Target]) -> None:
        """Read the next files ahead, as far as that is faster."""
        for ahead in self._files_ahead.values():
            ahead.file.close()
        self._files_ahead.clear()
        kinds = [kind for kind in self.hasher.kinds if kind.digest]
        paths = (target.path for target in targets if not target.inner)
        self._files_ahead |= read_ahead(paths, kinds, self.hasher.policy.limits.bytes)

    def run(
        self, target: Target, budget: Budget | None, mode: HashMode
    ) -> HashedInput | OpenedArchive:
        """Hash a target, or open it if it is an archive and has a budget."""
        digests_only = mode is HashMode.DIGESTS_ONLY
        hasher = self.hasher.exact() if mode is HashMode.EXACT else self.hasher
        if self._last_member is not None and self._last_member[0] != target:
            self._last_member = None
        if not target.inner and digests_only:
            return hasher.digest(target.path)
        if not target.inner:
            return self._hash_file(target, budget, hasher)
        try:
            archive = self._open_archive(target.path, target.inner[:-1])
            data, damage = self._read_member(target, archive)
        except MediaError as error:
            return HashedInput(Name(), error=error)
        if not archive.direct or len(target.inner) > 1:
            # Hashing a second time would unpack all earlier members again.
            hasher = hasher.exact()
        if digests_only:
            return hasher.digest(data)
        if damage is not None:
            # The readable part may match, as in a truncated file.
            return replace(hasher.hash(data), error=damage)
        if budget is not None and find_archive_type(io.BytesIO(data)) is not None:
            return self._list_archive(target, io.BytesIO(data), budget)
        return hasher.hash(data)

    def _read_member(self, target: Target, archive: Archive) -> tuple[bytes, MediaError | None]:
        """Return the bytes of a member, and the error that cut them short, if any.

        The last member stays in memory, since a member whose decoding needs too much memory is read
        twice.
        """
        if self._last_member is None:
            data, damage = archive.read(target.inner[-1], self.hasher.policy.limits.bytes)
            self._last_member = target, data, damage
        return self._last_member[1:]

    def _hash_file(
        self, target: Target, budget: Budget | None, hasher: Hasher
    ) -> HashedInput | OpenedArchive:
        ahead = self._files_ahead.pop(target.path, None)
        try:
            file = OpenFile(target.path) if ahead is None else ahead.file
        except MediaError:
            return hasher.hash(target.path)  # reports the error
        with file:
            stream = None if budget is None else open_archive(file)
            if stream is None:
                return hasher.hash(file, () if ahead is None else ahead.digests)
            if find_archive_type(stream) is not None:
                return self._list_archive(target, stream, budget)
            stream.close()
            return hasher.hash(target.path)

    def _list_archive(
        self, target: Target, stream: BinaryIO, budget: Budget | None
    ) -> OpenedArchive | HashedInput:
        limits = self.hasher.policy.limits
        item = cast("io.BytesIO", stream).getvalue() if target.inner else target.path
        hashed = self.hasher.digest(item)
        if hashed.error is not None or budget is None:
            return hashed
        if len(target.inner) >= limits.nesting:
            detail = f"an archive inside {limits.nesting} others"
            return OpenedArchive(hashed, Listing((), 0, MediaError("too_large", detail)), True)
        try:
            archive = Archive(stream)
        except MediaError as error:
            return OpenedArchive(hashed, Listing((), 0, error), True)
        self._keep_open(target.path, target.inner, archive)
        listing = archive.list(limits, budget)
        return OpenedArchive(hashed, listing, archive.direct and not target.inner)

    def _open_archive(self, path: str, inner: tuple[int, ...]) -> Archive:
        opened = self._archives.get((path, inner))
        if opened is not None:
            return opened
        stream: BinaryIO | None
        if inner:
            outer = self._open_archive(path, inner[:-1])
            stream = io.BytesIO(outer.read(inner[-1], self.hasher.policy.limits.bytes)[0])
        else:
            with OpenFile(path) as file:
                stream = open_archive(file)
        if stream is None:
            raise MediaError("unreadable", "the archive is gone")
        archive = Archive(stream)
        self._keep_open(path, inner, archive)
        return archive

    def _keep_open(self, path: str, inner: tuple[int, ...], archive: Archive) -> None:
        for other_path, other_inner in list(self._archives):
            contains = other_path == path and other_inner == inner[: len(other_inner)]
            if not contains or other_inner == inner:
                self._archives.pop((other_path, other_inner)).close()
        self._archives[path, inner] = archive
