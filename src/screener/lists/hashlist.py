"""One generation of a hash list on disk."""

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
from numpy.typing import ArrayLike, NDArray

from screener.arguments import integer, integer_within
from screener.errors import HashError, IndexFileError, ListError
from screener.hashing.hash import KINDS, HashKind, kind_named
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.snapshot import Snapshot, as_rows
from screener.index.values import values_of
from screener.lists.inspecting.info import find_hubs
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
from screener.lists.stored_list import StoredList
from screener.system.progress import Progress

if TYPE_CHECKING:
    from screener.lists.inspecting.verify import Verification

_OPEN_ATTEMPTS = 5


class HashList(StoredList):
    """One generation of a hash list: a folder with records in SQLite and index files.

    It never changes; an import makes a new generation, which `refresh` opens. Threads may share it.
    A process may fork only while no other thread uses it: a lock that SQLite has during the fork
    stays locked in the child. A pickle contains the path and the identity of the generation;
    unpickling maps the files there. The index files stay on disk while the object lives. Searches
    read only the index files; `holders` reads the database, through connections that close with
    this object or at a fork.
    """

    def __init__(
        self,
        path: Path,
        generation: Generation,
        already_open: segments.Open,
        *,
        hugepages: bool = False,
    ) -> None:
        """Create the object; callers use `create` or `open`. `already_open` files are reused."""
        super().__init__(path, generation)
        self._hugepages = hugepages
        self._open_files = segments.open_all(path, generation, already_open, hugepages=hugepages)
        self._snapshots = {
            kind: segments.build_snapshot(path, kind_named(kind), parts, self._open_files)
            for kind, parts in generation.segments.items()
        }
        sizes = {kind: len(snapshot) for kind, snapshot in self._snapshots.items()}
        self._kinds = MappingProxyType({kind: size for kind, size in sizes.items() if size})

    @classmethod
    def create(cls, path: str | PathLike[str], *, group: str | None = None) -> HashList:
        """Create an empty list, generation 0.

        Only its owner may read it, and the users of `group` if given: see `import_file`.
        Raises ListError if the path exists.
        """
        group_id = None if group is None else sharing.find_group(group)
        database.create(_make_absolute(path), group=group_id)
        return cls.open(path)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        generation: int | None = None,
        hugepages: bool = False,
    ) -> HashList:
        """Open the newest generation of a list, or an older one while its files exist.

        The index files are mapped, so opening is instant and processes share the memory.

        Parameters:
            path: Folder of the list.
            generation: Number of the generation (default: the newest).
            hugepages: Copy the index files of perceptual kinds into this process's memory, in large
                pages that make searches faster (100 to 130 bytes per code). So does `refresh`.

        Raises:
            ListError: If there is no list or this user may not read it.
            IndexFileError: If an index file is damaged.
            OSError: For other failures, such as too many open files.
        """
        return cls._open(_make_absolute(path), generation, {}, hugepages=hugepages)

    @classmethod
    def _open(
        cls, folder: Path, number: int | None, already_open: segments.Open, *, hugepages: bool
    ) -> HashList:
        for _ in range(_OPEN_ATTEMPTS):
            generation = database.ask(folder, partial(_read_generation, folder, number))
            # An import may just have replaced this generation and deleted its files: try again.
            with contextlib.suppress(FileNotFoundError):
                try:
                    return cls(folder, generation, already_open, hugepages=hugepages)
                except PermissionError as error:
                    raise sharing.access_error(folder, error.filename) from None
            if (
                database.ask(folder, partial(_read_generation, folder, None)).number
                == generation.number
            ):
                raise IndexFileError(f"{folder} has lost an index file of its newest generation")
            if number is not None:
                break
        raise _build_gone_error(folder, number)

    def __reduce__(self) -> tuple[Callable[..., HashList], tuple[str, Identity]]:
        """Pickle the path and identity; unpickling checks that the same list is there."""
        return _reopen, (str(self._path), self._generation.identity)

    def __repr__(self) -> str:
        """Return the path and the generation, without content."""
        return f"<HashList {str(self._path)!r}, generation {self.generation}>"

    def refresh(self) -> HashList:
        """Return the newest generation, or this object if it is the newest.

        Only changed files are opened, so it takes milliseconds for a list of any size. Raises the
        same errors as `open`.
        """
        newest = database.ask(self._path, partial(_read_generation, self._path, None))
        is_same = newest.identity == self._generation.identity
        if is_same and newest.time == self._generation.time:
            return self
        return HashList._open(self._path, None, self._open_files, hugepages=self._hugepages)

    def hubs(self) -> Mapping[str, int]:
        """Return the number of hub codes of each perceptual kind that has any.

        A hub has one in fifty of the other codes within its radius, as blank images do.
        """
        counts = {
            kind: len(find_hubs(snapshot, radius=KINDS[kind].radius))
            for kind, snapshot in self._snapshots.items()
            if not KINDS[kind].digest
        }
        return MappingProxyType({kind: count for kind, count in counts.items() if count})

    @property
    def kinds(self) -> Mapping[str, int]:
        """The number of distinct searchable values of each kind that has any."""
        return self._kinds

    def pixels(self) -> frozenset[int]:
        """Return the versions of the pixel pipeline that imported files state for their hashes."""
        return self._ask(
            lambda connection: pixel_versions.read_versions(connection, self.generation)
        )

    def can_match(self, kind: str, *, floor: int = 0) -> bool:
        """Return whether a hash of that kind can make a match.

        It can if a confirmed or disputed record has a searchable hash of that kind (for `vpdq`, a
        video with a frame) whose quality is at least `floor` or not recorded.
        """
        hash_kind, min_quality = kind_named(kind), integer_within(floor, 0, 100)
        if min_quality is None:
            raise HashError(f"floor must be an integer from 0 to 100, not {floor!r}")
        if kind not in self.kinds or not self.matchable:
            return False
        return self._ask(
            lambda connection: searchable_values.can_match(
                connection, hash_kind, min_quality, self.generation
            )
        )

    def search(
        self, kind: str, codes: NDArray[np.uint8], *, radius: int, threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """Find the listed values of a perceptual kind near each code.

        Parameters:
            kind: Name of the kind. For `vpdq`, the PDQ hashes of listed video frames are searched.
            codes: uint8 array (q, bits / 8), or one code.
            radius: Maximum distance in bits.
            threads: Number of threads; more make only batches faster.

        Returns:
            CSR arrays (offsets, rows, distances). The hits of query i are rows[offsets[i] :
            offsets[i + 1]], with distances in bits; `holders` returns their records.

        Raises:
            HashError: If the kind has no distances, or the codes have the wrong shape.
        """
        snapshot = self._snapshot_or_empty(_searched(kind))
        return snapshot.search(codes, radius=radius, threads=threads)

    def search_weighted(
        self,
        kind: str,
        codes: NDArray[np.uint8],
        weights: NDArray[np.uint8],
        budgets: ArrayLike,
        *,
        threads: int = 1,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]]:
        """Find the values of a perceptual kind within its budget of each code: as `search`.

        `weights` is uint8 (q, bits), what each bit of each code counts if a value differs in it;
        `budgets` are q integers. Distances are sums of weights: see `HammingIndex.search_weighted`.
        """
        snapshot = self._snapshot_or_empty(_searched(kind))
        return snapshot.search_weighted(codes, weights, budgets, threads=threads)

    def lookup(
        self, kind: str, values: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of equal values of a digest kind as CSR arrays: see `search`."""
        hash_kind = kind_named(kind)
        if not hash_kind.digest:
            raise HashError(f"{kind} is not a digest; use search")
        return self._snapshot_or_empty(hash_kind).lookup(values)

    def _snapshot_or_empty(self, kind: HashKind) -> Snapshot:
        snapshot = self._snapshots.get(kind.name)
        return _build_empty_snapshot(kind) if snapshot is None else snapshot

    def snapshot(self, kind: str) -> Snapshot:
        """Return the searchable values of a kind as arrays, for measurements and checks.

        They are listed hashes, in the rows of `search`. Raises HashError if there are none.
        """
        snapshot = self._snapshots.get(kind_named(kind).name)
        if snapshot is None or not len(snapshot):
            raise HashError(f"the list has no searchable {kind} values")
        return snapshot

    def holders(
        self, kind: str, rows: Sequence[int] | NDArray[np.int64]
    ) -> list[tuple[Record, ...]]:
        """Return the records that have the value of each row, sorted by source and entry.

        Rows come from `search` or `lookup`. A record's `quality` is that of the value. Withdrawn
        records and those purged since are left out. Raises IndexFileError if no record has a value
        although nothing was purged, or if another list is now at the path.
        """
        hash_kind, row_numbers = kind_named(kind), as_rows(rows).tolist()
        if hash_kind.video:
            raise HashError("vpdq rows are frames of videos; use frame_holders")
        if not row_numbers:
            return []
        snapshot = self._snapshots.get(kind)
        if snapshot is None:
            raise HashError(f"the list has no {kind} values")
        values = snapshot.values(row_numbers)

        def read(connection: sqlite3.Connection) -> dict[bytes, tuple[Record, ...]]:
            by_value = searchable_values.find_records(
                connection, hash_kind, values, self.generation
            )
            if not all(by_value.values()):
                generations.check_purged_since(connection, self._path, self.generation)
            return by_value

        by_value = self._ask(read)
        return [by_value[value] for value in values]

    def frame_holders(self, rows: Sequence[int] | NDArray[np.int64]) -> FrameHolders:
        """Return the videos that have the frames of these rows of `search`: see `videos`."""
        snapshot = self._snapshots.get("vpdq")
        if snapshot is None:
            raise HashError("the list has no videos")
        values = [code.tobytes() for code in snapshot.codes(rows)]

        def read(connection: sqlite3.Connection) -> FrameHolders:
            holders = video_frames.find_holders(connection, values, self.generation)
            if len(np.unique(holders.places)) < len(set(values)):
                generations.check_purged_since(connection, self._path, self.generation)
            return holders

        return self._ask(read)

    def videos(self, numbers: Sequence[int]) -> list[tuple[int, ListedVideo]]:
        """Return the videos with these numbers, which come from `frame_holders`.

        Each is a comparable vPDQ value with its number and record. All are loaded into memory.
        Videos purged since are left out.
        """
        try:
            video_numbers = list(map(integer, numbers))
        except TypeError:
            raise HashError("video numbers must be integers, from frame_holders") from None

        def read(connection: sqlite3.Connection) -> list[tuple[int, ListedVideo]]:
            videos = list(video_frames.read_videos(connection, video_numbers, self.generation))
            if {number for number, _ in videos} != set(video_numbers):
                generations.check_purged_since(connection, self._path, self.generation)
            return videos

        return self._ask(read)

    def warm(self) -> None:
        """Read the index files once, so that the first searches find them in memory."""
        for file in self._open_files.values():
            # Reading one byte loads the whole page.
            values_of(file).reshape(-1)[:: mmap.PAGESIZE].max(initial=0)

    def verify(self, *, seed: int | None = None, progress: Progress | None = None) -> Verification:
        """Check the records, the index files, and a sample of searches by brute force.

        A million entries of two hashes take some ten seconds on two cores, and 100 MB of memory.

        Parameters:
            seed: Integer of at least 0 that draws the queries (default: random).
            progress: Called with the number of finished checks and of all.

        Raises:
            DamagedList: If there is damage; its `found` is the Verification.
            ListError: If the list cannot be read.
        """
        from screener.lists.inspecting import verify as verifying  # loaded on demand

        chosen_seed = secrets.randbits(32) if seed is None else integer_within(seed, 0)
        if chosen_seed is None:
            raise ListError(f"seed must be an integer of at least 0, not {seed!r}")
        verification = verifying.verify(
            self._path, self._generation, self._snapshots, seed=chosen_seed, progress=progress
        )
        if verification.damage:
            raise verifying.DamagedList(verification)
        return verification


def _make_absolute(path: str | PathLike[str]) -> Path:
    return Path(os.path.abspath(path))


def _reopen(path: str, identity: Identity) -> HashList:
    folder, (_, number, _) = Path(path), identity
    hash_list = HashList.open(folder, generation=number)
    database.ask(
        folder, lambda connection: generations.check_not_replaced(connection, folder, identity)
    )
    return hash_list


def _read_generation(
    folder: Path, number: int | None, connection: sqlite3.Connection
) -> Generation:
    connection.execute("BEGIN")  # all queries see one state of the database
    generation = generations.load(connection, folder, number)
    # After a purge, earlier generations are incomplete.
    if generations.was_purged_since(connection, generation.number):
        raise _build_gone_error(folder, number)
    return generation


def _build_gone_error(folder: Path, number: int | None) -> ListError:
    return ListError(f"generation {number} of {folder} no longer exists; open the newest")


def _searched(kind: str) -> HashKind:
    hash_kind = kind_named(kind)
    if hash_kind.digest or not hash_kind.searched:
        raise HashError(f"{kind} has no distances to search by; use lookup")
    return hash_kind


@functools.cache
def _build_empty_snapshot(kind: HashKind) -> Snapshot:
    """Return an empty snapshot, whose search checks arguments as any other does."""
    no_codes = np.empty((0, kind.code_size), np.uint8)
    return Snapshot([DigestIndex.build(no_codes) if kind.digest else HammingIndex.build(no_codes)])
