"""Hasher: what a worker process does with an input, and all that it knows: no list, no record."""

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
from screener.media.archives.archive import Archive, Budget, Listing, Member, open_archive, type_of
from screener.media.files.open_file import OpenFile
from screener.media.files.sniff import CONTAINERS
from screener.media.source import Item, Name
from screener.screening.input.hash_item import Hashed, HashedWire, hash_item
from screener.screening.input.wire import (
    Size,
    TroubleWire,
    trouble_from_wire,
    trouble_to_wire,
)
from screener.screening.policy import Policy

# Bytes: of a larger file, the digests are a small part of what is to be done, or it is no picture;
# and of all together, so that what is held stays small beside what one picture takes.
_MOST, _MOST_TOGETHER = 4 << 20, 16 << 20


class Ahead(NamedTuple):
    """A file that holds all of its bytes, and the digests of them that are wanted."""

    file: OpenFile
    digests: tuple[Hash, ...]


def read_ahead(paths: Iterable[str], kinds: Sequence[HashKind], limit: int) -> dict[str, Ahead]:
    """Those of some files that are worth it, by their paths: files of no more than `limit` bytes,
    and no videos, which are not held. What is wrong with any other is found in its turn.
    """
    held: dict[str, OpenFile] = {}
    left = _MOST_TOGETHER
    for path in paths:
        if digest.MD5 in kinds and path not in held:
            with suppress(MediaError, OSError, MemoryError):
                file = OpenFile(path)
                if 0 < file.size <= min(limit, left, _MOST) and file.mime not in CONTAINERS:
                    held[path] = _holding(file)
                    left -= file.size
                else:
                    file.close()
    try:
        digests = digest.compute_batch([file.whole() for file in held.values()], kinds)
    except MemoryError:
        digests = []
    for file in list(held.values())[len(digests) :]:
        file.close()
    return {
        path: Ahead(file, made) for (path, file), made in zip(held.items(), digests, strict=False)
    }


def _holding(file: OpenFile) -> OpenFile:
    """The file, which holds its bytes. Raises what reading it raises, and closes it then."""
    try:
        file.hold()
    except BaseException:
        file.close()
        raise
    return file


@dataclass(frozen=True)
class Target:
    """An input of a scan: a path, or a member of the archive there. `inner` are the numbers of
    members from the outermost archive inwards; `name` is the member's, and None for a path.
    """

    path: str
    inner: tuple[int, ...] = ()
    name: Name | None = None

    def member(self, number: int, member: Member, outermost: Name, *, same: int) -> Target:
        """A member of this archive: called `archive!member`, with the time of the archive; `same`
        members of its name come before it.
        """
        own = self.name or outermost
        raw = own.as_bytes + b"!" + member.name
        text = raw.decode("utf-8", "replace")
        kept = None if text.encode("utf-8") == raw else raw
        place = (*own.archives, len(own.as_bytes)), (*own.same, same)
        name = Name(text, kept, member.size, outermost.mtime_ns, *place)
        return Target(self.path, (*self.inner, number), name)


class HashMode(Enum):
    """How a target is hashed: as the job has it; without bits in doubt, since a record is near that
    may or may not match; or without decoding it, which did harm before.
    """

    NORMAL = "usual"
    EXACT = "surely"
    DIGESTS_ONLY = "digests"


@dataclass(frozen=True)
class Opened:
    """An archive: the hashes of its own bytes, its members, and whether any can be read first."""

    hashed: Hashed
    listing: Listing
    direct: bool


class OpenedWire(Struct, frozen=True, array_like=True, tag="opened"):
    """An Opened in its wire format."""

    hashed: HashedWire
    members: tuple[tuple[bytes, Size, TroubleWire | None], ...]
    size: Size
    trouble: TroubleWire | None
    direct: bool

    @classmethod
    def of(cls, opened: Opened) -> OpenedWire:
        """Return an Opened in its wire format."""
        listing = opened.listing
        return cls(
            HashedWire.of(opened.hashed),
            tuple([(one.name, one.size, trouble_to_wire(one.trouble)) for one in listing.members]),
            listing.bytes,
            trouble_to_wire(listing.trouble),
            opened.direct,
        )

    def opened(self) -> Opened:
        """Return the Opened. Raise ValueError or HashError if its parts do not fit together."""
        members = tuple(
            [Member(name, size, trouble_from_wire(trouble)) for name, size, trouble in self.members]
        )
        listing = Listing(members, self.size, trouble_from_wire(self.trouble))
        return Opened(self.hashed.hashed(), listing, self.direct)


@dataclass(frozen=True)
class Hasher:
    """Reads, decodes and hashes inputs; it is sent to a worker process once.

    Where it sketches, `Screener.settle` has to say whether that does.
    """

    outcomes: ClassVar = (Opened,)

    policy: Policy
    kinds: tuple[HashKind, ...]
    sketches: bool = False

    def hash(self, item: Item, digests: Sequence[Hash] = ()) -> Hashed:
        """Hash one input: see `hash_item`."""
        return hash_item(
            item, policy=self.policy, kinds=self.kinds, sketch=self.sketches, digests=digests
        )

    def surely(self) -> Hasher:
        """This Hasher, without bits in doubt."""
        return replace(self, sketches=False) if self.sketches else self

    def digest(self, item: Item) -> Hashed:
        """The digests of an input only: nothing of it is decoded."""
        kinds = [kind for kind in self.kinds if kind.digest]
        return hash_item(item, policy=self.policy, kinds=kinds)

    def visit(self) -> Visit:
        """This Hasher at work in one process."""
        classic.load(kind for kind in self.kinds if kind in classic.CLASSIC)
        return Visit(self)


@dataclass
class Visit:
    """A Hasher at work in one process: it keeps the archives open in which its targets are, and the
    files that it has read before their turn.
    """

    hasher: Hasher
    _ahead: dict[str, Ahead] = field(default_factory=dict)
    _open: dict[tuple[str, tuple[int, ...]], Archive] = field(default_factory=dict)
    _read: tuple[Target, bytes, MediaError | None] | None = None

    def foresee(self, targets: Iterable[Target]) -> None:
        """Read what comes next, as far as that makes it quicker; nothing is told of it yet."""
        for one in self._ahead.values():
            one.file.close()
        self._ahead.clear()
        kinds = [kind for kind in self.hasher.kinds if kind.digest]
        paths = (target.path for target in targets if not target.inner)
        self._ahead |= read_ahead(paths, kinds, self.hasher.policy.limits.bytes)

    def do(self, target: Target, budget: Budget | None, mode: HashMode) -> Hashed | Opened:
        """Hash a target, or open it where it is an archive and there is a budget for that."""
        digests_only = mode is HashMode.DIGESTS_ONLY
        hasher = self.hasher.surely() if mode is HashMode.EXACT else self.hasher
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
            return Hashed(Name(), trouble=error)
        if not holder.direct or len(target.inner) > 1:
            # To look at it again, all that is before it would have to be unpacked again.
            hasher = hasher.surely()
        if digests_only:
            return hasher.digest(data)
        if damage is not None:
            # As a file that is cut short: what there is may match.
            return replace(hasher.hash(data), trouble=damage)
        if budget is not None and type_of(io.BytesIO(data)) is not None:
            return self._opened(target, io.BytesIO(data), budget)
        return hasher.hash(data)

    def _member(self, target: Target, holder: Archive) -> tuple[bytes, MediaError | None]:
        """The bytes of a member, and what ended them early. Those read last are at hand for one
        more look, as a member gets that needs too much memory when it is decoded.
        """
        if self._read is None:
            data, damage = holder.read(target.inner[-1], self.hasher.policy.limits.bytes)
            self._read = target, data, damage
        return self._read[1:]

    def _file(self, target: Target, budget: Budget | None, hasher: Hasher) -> Hashed | Opened:
        """Hash a path, or open it where it is an archive; it is opened once for both."""
        ahead = self._ahead.pop(target.path, None)
        try:
            file = OpenFile(target.path) if ahead is None else ahead.file
        except MediaError:
            return hasher.hash(target.path)  # which says what is wrong
        with file:
            stream = None if budget is None else open_archive(file)
            if stream is None:
                return hasher.hash(file, () if ahead is None else ahead.digests)
            if type_of(stream) is not None:
                return self._opened(target, stream, budget)
            stream.close()
            return hasher.hash(target.path)

    def _opened(self, target: Target, stream: BinaryIO, budget: Budget | None) -> Opened | Hashed:
        limits = self.hasher.policy.limits
        whole = cast("io.BytesIO", stream).getvalue() if target.inner else target.path
        hashed = self.hasher.digest(whole)
        if hashed.trouble is not None or budget is None:
            return hashed
        if len(target.inner) >= limits.nesting:
            detail = f"an archive inside {limits.nesting} others"
            return Opened(hashed, Listing((), 0, MediaError("too_large", detail)), True)
        try:
            archive = Archive(stream)
        except MediaError as error:
            return Opened(hashed, Listing((), 0, error), True)
        self._keep(target.path, target.inner, archive)
        return Opened(hashed, archive.list(limits, budget), archive.direct and not target.inner)

    def _archive(self, path: str, inner: tuple[int, ...]) -> Archive:
        """The archive at a place, opened if it is not open yet."""
        held = self._open.get((path, inner))
        if held is not None:
            return held
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
        """Keep an archive open, and close all but those that it is inside of."""
        for held in list(self._open):
            if held[0] != path or held[1] != inner[: len(held[1])] or held[1] == inner:
                self._open.pop(held).close()
        self._open[path, inner] = archive
