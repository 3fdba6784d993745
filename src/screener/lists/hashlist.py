"""HashList: a hash list on disk, as one generation of it stood."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screener.arguments import integer, integer_within
from screener.errors import HashError, IndexFileError, ListError
from screener.hashing.hash import KINDS, HashKind, kind_named
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.snapshot import Snapshot, as_rows
from screener.index.values import values_of
from screener.lists.inspecting.info import hubs
from screener.lists.kept_list import KeptList
from screener.lists.store import (
    database,
    generations,
    pixel_versions,
    searchable_values,
    segments,
    sharing,
    video_frames,
)
from screener.lists.store.generations import Generation, Identity
from screener.lists.store.records import Record
from screener.lists.store.video_frames import FrameHolders, ListedVideo
from screener.system.progress import Progress

if TYPE_CHECKING:
    from screener.lists.inspecting.verify import Verification

_ATTEMPTS = 5


class HashList(KeptList):
    """One generation of a hash list: a folder with records in SQLite and index files beside.

    It never changes: an import makes a new generation, which `refresh` opens. It may be shared
    between threads and carried over a fork, at which no other thread is at work with it: SQLite's
    locks, as those of other libraries, stay as they are in the child, for ever. A pickle of it is
    its path and what tells its generation from others, whose files are mapped where it is read.
    While it lives, its index files stay. Searching touches the index files only, `holders` the
    database, to which it keeps connections open until this object goes or the process forks.
    """

    def __init__(
        self, path: Path, generation: Generation, have: segments.Open, *, hugepages: bool = False
    ) -> None:
        """Not for callers: use `create` or `open`. Files among `have` are open already."""
        super().__init__(path, generation)
        self._hugepages = hugepages
        self._held = segments.open_all(path, generation, have, hugepages=hugepages)
        self._snapshots = {
            kind: segments.snapshot_of(path, kind_named(kind), parts, self._held)
            for kind, parts in generation.segments.items()
        }
        sizes = {kind: len(snapshot) for kind, snapshot in self._snapshots.items()}
        self._kinds = MappingProxyType({kind: size for kind, size in sizes.items() if size})

    @classmethod
    def create(cls, path: str | PathLike[str], *, group: str | None = None) -> HashList:
        """Make an empty list, generation 0; ListError where the path exists already.

        Its owner alone may read it, and the users of `group` if one is named: see `import_file`.
        """
        number = None if group is None else sharing.group_named(group)
        database.create(_absolute(path), group=number)
        return cls.open(path)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        generation: int | None = None,
        hugepages: bool = False,
    ) -> HashList:
        """Open the newest generation of a list, or the one given while its files are kept.

        The index files are mapped: ready at once, and shared by all processes that open the list.
        With `hugepages` those of perceptual kinds are copied into memory of this process instead,
        100 to 130 bytes a code, in large pages that make searches faster; so does `refresh` of
        what it gives. Raises ListError where there is no list, and if this user may not read it,
        IndexFileError where an index is damaged, OSError where the system refuses a file for
        another cause, as where too many are open; so does `refresh`.
        """
        return cls._open(_absolute(path), generation, {}, hugepages=hugepages)

    @classmethod
    def _open(
        cls, folder: Path, number: int | None, have: segments.Open, *, hugepages: bool
    ) -> HashList:
        for _ in range(_ATTEMPTS):
            found = database.ask(folder, partial(_at, folder, number))
            # An import may make it old and sweep it after we have read its name: look again.
            with contextlib.suppress(FileNotFoundError):
                try:
                    return cls(folder, found, have, hugepages=hugepages)
                except PermissionError as error:
                    raise sharing.refused(folder, error.filename) from None
            if database.ask(folder, partial(_at, folder, None)).number == found.number:
                raise IndexFileError(f"{folder} has lost an index file of its newest generation")
            if number is not None:
                break
        raise _not_kept(folder, number)

    def __reduce__(self) -> tuple[Callable[..., HashList], tuple[str, Identity]]:
        """A pickle opens the same generation again; IndexFileError where another list is there."""
        return _again, (str(self._path), self._generation.identity)

    def __repr__(self) -> str:
        """Where and which; nothing of its content."""
        return f"<HashList {str(self._path)!r}, generation {self.generation}>"

    def refresh(self) -> HashList:
        """The newest generation: this very object where there is nothing newer to tell.

        Only what changed is opened, so it takes milliseconds whatever the size of the list.
        """
        newest = database.ask(self._path, partial(_at, self._path, None))
        same = newest.identity == self._generation.identity
        if same and newest.time == self._generation.time:
            return self
        return HashList._open(self._path, None, self._held, hugepages=self._hugepages)

    def hubs(self) -> Mapping[str, int]:
        """How many codes of each perceptual kind lie within its radius of one in fifty of the
        others, as those of blank pictures do; kinds without any are left out.
        """
        counts = {
            kind: len(hubs(snapshot, radius=KINDS[kind].radius))
            for kind, snapshot in self._snapshots.items()
            if not KINDS[kind].digest
        }
        return MappingProxyType({kind: count for kind, count in counts.items() if count})

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many distinct values can be searched, by kind; kinds without any are left out."""
        return self._kinds

    def pixels(self) -> frozenset[int]:
        """The versions of the pixel pipeline that its perceptual hashes were made by, as far as the
        imported files said so.
        """
        return self._ask(lambda connection: pixel_versions.told(connection, self.generation))

    def can_match(self, kind: str, *, floor: int = 0) -> bool:
        """Whether a hash of that kind can make a match at all: whether a confirmed or disputed
        record holds one that is searched, with a quality of at least `floor` or none recorded; of
        the kind `vpdq`, one with a frame of that quality.
        """
        found, least = kind_named(kind), integer_within(floor, 0, 100)
        if least is None:
            raise HashError(f"a floor is a whole number from 0 to 100, not {floor!r}")
        if kind not in self.kinds or not self.matchable:
            return False
        return self._ask(
            lambda connection: searchable_values.can_match(
                connection, found, least, self.generation
            )
        )

    def search(
        self, kind: str, codes: NDArray[np.uint8], *, radius: int, threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """Values of a perceptual kind within `radius` bits of each code, as CSR arrays; of the kind
        `vpdq` the PDQs of the frames of listed videos.

        `codes` is uint8 (q, bits / 8), or one code. Hits of query i are rows[offsets[i] :
        offsets[i + 1]], with their distances in bits; `holders` tells whose they are. The answer
        is the same for any number of `threads`, which only batches gain from.
        """
        found = kind_named(kind)
        if found.digest or not found.searched:
            raise HashError(f"{kind} has no distances to search by; use lookup")
        return self._searched(found).search(codes, radius=radius, threads=threads)

    def lookup(
        self, kind: str, values: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of equal values of a digest kind, as CSR arrays: see `search`."""
        found = kind_named(kind)
        if not found.digest:
            raise HashError(f"{kind} is not a digest; use search")
        return self._searched(found).lookup(values)

    def _searched(self, kind: HashKind) -> Snapshot:
        found = self._snapshots.get(kind.name)
        return _nothing_of(kind) if found is None else found

    def snapshot(self, kind: str) -> Snapshot:
        """The values of a kind that can be searched, as arrays; HashError where there are none.

        For measuring and checking: it hands out listed values. Rows are those of `search`.
        """
        snapshot = self._snapshots.get(kind_named(kind).name)
        if snapshot is None or not len(snapshot):
            raise HashError(f"the list holds no {kind} that is searched")
        return snapshot

    def holders(
        self, kind: str, rows: Sequence[int] | NDArray[np.int64]
    ) -> list[tuple[Record, ...]]:
        """The records of this generation that hold the value of each row, as searches give them, by
        source and entry.

        Their `quality` is the recorded one of that value. Withdrawn records hold nothing, and what
        was purged since is held by none. IndexFileError where nobody holds anything else, or where
        another list lies at the path by now.
        """
        found, wanted = kind_named(kind), as_rows(rows).tolist()
        if found.video:
            raise HashError("frames of videos are held by videos; use frame_holders")
        if not wanted:
            return []
        snapshot = self._snapshots.get(kind)
        if snapshot is None:
            raise HashError(f"the list holds no {kind} to have rows")
        values = snapshot.values(wanted)

        def asked(connection: sqlite3.Connection) -> dict[bytes, tuple[Record, ...]]:
            by_value = searchable_values.of(connection, found, values, self.generation)
            if not all(by_value.values()):
                generations.check_purged_since(connection, self._path, self.generation)
            return by_value

        by_value = self._ask(asked)
        return [by_value[value] for value in values]

    def frame_holders(self, rows: Sequence[int] | NDArray[np.int64]) -> FrameHolders:
        """Which videos of this generation hold the frames of these rows: see `videos`."""
        snapshot = self._snapshots.get("vpdq")
        if snapshot is None:
            raise HashError("the list holds no videos to have rows")
        values = [code.tobytes() for code in snapshot.codes(rows)]

        def asked(connection: sqlite3.Connection) -> FrameHolders:
            found = video_frames.holders(connection, values, self.generation)
            if len(np.unique(found.places)) < len(set(values)):
                generations.check_purged_since(connection, self._path, self.generation)
            return found

        return self._ask(asked)

    def videos(self, numbers: Sequence[int]) -> list[tuple[int, ListedVideo]]:
        """The videos of these numbers, which `frame_holders` gives: each vPDQ value of a record
        that is compared, with its number and the record. All of them are held in memory. What was
        purged since is left out.
        """
        try:
            wanted = list(map(integer, numbers))
        except TypeError:
            raise HashError("videos are named by the numbers that frame_holders gives") from None

        def asked(connection: sqlite3.Connection) -> list[tuple[int, ListedVideo]]:
            found = list(video_frames.videos(connection, wanted, self.generation))
            if {number for number, _ in found} != set(wanted):
                generations.check_purged_since(connection, self._path, self.generation)
            return found

        return self._ask(asked)

    def warm(self) -> None:
        """Read the index files once, so that the first searches find them in memory."""
        for held in self._held.values():
            # One byte of each page is enough to bring it in.
            values_of(held).reshape(-1)[:: mmap.PAGESIZE].max(initial=0)

    def verify(self, *, seed: int | None = None, progress: Progress | None = None) -> Verification:
        """Check the records, the index files against them, and a sample of searches by brute force.

        A million entries of two hashes take some ten seconds on two cores, and 100 MB of memory.
        `seed`, 0 or more, draws the queries: a random one unless given. `progress` is called with
        checks. Raises DamagedList, a ListError whose `found` is the Verification, where anything is
        wrong, and ListError where nothing can be read.
        """
        from screener.lists.inspecting import verify as verifying  # as what a KeptList does

        chosen = secrets.randbits(32) if seed is None else integer_within(seed, 0)
        if chosen is None:
            raise ListError(f"a seed is a whole number from 0, not {seed!r}")
        found = verifying.verify(
            self._path, self._generation, self._snapshots, seed=chosen, progress=progress
        )
        if found.damage:
            raise verifying.DamagedList(found)
        return found


def _absolute(path: str | PathLike[str]) -> Path:
    return Path(os.path.abspath(path))


def _again(path: str, identity: Identity) -> HashList:
    """The same generation, opened once more where a pickle of it is read."""
    folder, (_, number, _) = Path(path), identity
    found = HashList.open(folder, generation=number)
    database.ask(folder, lambda connection: generations.check_there(connection, folder, identity))
    return found


def _at(folder: Path, number: int | None, connection: sqlite3.Connection) -> Generation:
    connection.execute("BEGIN")  # all questions see one state of the database
    found = generations.at(connection, folder, number)
    # What a purge has left of an earlier generation is not what that generation was.
    if generations.purged_since(connection, found.number):
        raise _not_kept(folder, number)
    return found


def _not_kept(folder: Path, number: int | None) -> ListError:
    return ListError(f"generation {number} of {folder} is no longer kept; open the newest")


@functools.cache
def _nothing_of(kind: HashKind) -> Snapshot:
    """What a list without a kind has of it. It is searched as any other, so that a call that is
    wrong is refused whatever the list holds, and not from the first import of that kind on.
    """
    nothing = np.empty((0, kind.code_size), np.uint8)
    return Snapshot([DigestIndex.build(nothing) if kind.digest else HammingIndex.build(nothing)])
