"""HashList: a hash list on disk, as one generation of it stood."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from screener.errors import HashError, IndexFileError, ListError
from screener.hashing.hash import KINDS, HashKind, kind_named
from screener.index.snapshot import Snapshot, values_of
from screener.lists import (
    database,
    edge,
    exporting,
    generations,
    history,
    importing,
    info,
    matches,
    opinions,
    purging,
    quarantine,
    records,
    releasing,
    segments,
    showing,
    verifying,
)
from screener.lists import terms as storing
from screener.lists.exporting import ExportReport, Order
from screener.lists.formats.options import options_of
from screener.lists.formats.writers.entry import Wants
from screener.lists.generations import Generation
from screener.lists.history import LogEntry
from screener.lists.hubs import hubs
from screener.lists.importing import ImportReport, Wishes
from screener.lists.info import ListInfo
from screener.lists.matches import CountedResult, Flood
from screener.lists.purging import PurgeReport
from screener.lists.quarantine import NotCompared, SetAside
from screener.lists.records import Record
from screener.lists.releasing import Release
from screener.lists.showing import Shown
from screener.lists.states import MATCHING
from screener.lists.terms import Terms
from screener.lists.verifying import Verification

_ATTEMPTS = 5


class HashList:
    """One generation of a hash list: a folder with records in SQLite and index files beside.

    It never changes: an import makes a new generation, which `refresh` opens. It may be shared
    between threads and carried over a fork; a pickle of it is its path and generation, whose
    files are mapped where it is read. While it lives, its index files stay. Searching touches the
    index files only, `holders` the database.
    """

    def __init__(
        self, path: Path, generation: Generation, have: segments.Open, *, hugepages: bool = False
    ) -> None:
        """Not for callers: use `create` or `open`. Files among `have` are open already."""
        self._path = path
        self._generation = generation
        self._hugepages = hugepages
        self._held = segments.open_all(path, generation, have, hugepages=hugepages)
        opened = {name: held.opened for name, held in self._held.items()}
        self._snapshots = {
            kind: segments.snapshot_of(path, files, opened)
            for kind, files in generation.segments.items()
        }

    @classmethod
    def create(cls, path: str | PathLike[str]) -> HashList:
        """Make an empty list, generation 0; ListError where the path exists already."""
        database.create(_absolute(path))
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
        what it gives. Raises ListError where there is no list, IndexFileError where an index is
        damaged.
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
                return cls(folder, found, have, hugepages=hugepages)
            if database.ask(folder, partial(_at, folder, None)).number == found.number:
                raise IndexFileError(f"{folder} has lost an index file of its newest generation")
            if number is not None:
                break
        raise ListError(f"generation {number} of {folder} is no longer kept; open the newest")

    def __reduce__(self) -> tuple[partial[HashList], tuple[str]]:
        """A pickle opens the same generation again."""
        return partial(HashList.open, generation=self.generation), (str(self._path),)

    def __repr__(self) -> str:
        """Where and which; nothing of its content."""
        return f"<HashList {str(self._path)!r}, generation {self.generation}>"

    @property
    def path(self) -> Path:
        """The list's folder, absolute."""
        return self._path

    @property
    def name(self) -> str:
        """The folder's name without its ending: `known` for `lists/known.list`."""
        return os.fsencode(self._path.stem).decode("utf-8", "replace")

    @property
    def generation(self) -> int:
        """The number of this generation: 0 for a new list; every change raises it."""
        return self._generation.number

    def age_s(self) -> float:
        """Seconds since this generation was made, or, if an import found nothing to change in it
        before this was opened, since that."""
        return max(0.0, time.time() - self._generation.time)

    def refresh(self) -> HashList:
        """The newest generation: this very object where there is nothing newer to tell.

        Only what changed is opened, so it takes milliseconds whatever the size of the list.
        """
        newest = database.ask(self._path, partial(_at, self._path, None))
        same = (newest.number, newest.time) == (self.generation, self._generation.time)
        if same:
            return self
        return HashList._open(self._path, None, self._held, hugepages=self._hugepages)

    def import_file(
        self,
        path: str | PathLike[str],
        *,
        source: str | None = None,
        format: str | None = None,
        scheme: str | None = None,
        state: str | None = None,
        mapping: str | PathLike[str] | None = None,
        strict: bool = False,
        full: bool = False,
        accept_shrink: bool = False,
        by: str | None = None,
        terms: Terms | None = None,
        key: str | PathLike[str] | None = None,
    ) -> ImportReport:
        """Import a file into the list on disk: all of it or, with ListError, nothing.

        The format is told by content unless `format` names it (see `docs/formats.md`); the source
        is the file's name without its ending unless given. `scheme` names whose categories a file
        has that does not say. `state` is that of the rows that would match, where the file is of
        another sort: `known_good` for an exclude list, `seed` for leads. `mapping` is a TOML file
        that tells what the columns of a CSV mean. A row that cannot be read is set aside and
        reported; with `strict` the first one refuses the file. This object stays as it is:
        `refresh` gives the new generation.

        A `full` file is all that the source has: entries that it does not name are withdrawn. If
        more than a fifth of them would go, it is refused unless `accept_shrink` is given. `by` is
        who asked, for the log; `terms` what the source allows. With a `key`, an Ed25519 public
        key in a PEM file, the file must have a manifest that is signed with it.
        """
        options = options_of(Path(path), source, scheme, state, mapping)
        wishes = Wishes(strict, full, accept_shrink, by, terms, None if key is None else Path(key))
        return importing.import_file(self._path, Path(path), options, format=format, wishes=wishes)

    def export(
        self,
        path: str | PathLike[str],
        *,
        format: str,
        audience: str = "community",
        sources: Sequence[str] = (),
        categories: Mapping[tuple[str, str], int] | None = None,
        kind: str = "sha256",
        error_rate: float = 0.001,
        key: str | PathLike[str] | None = None,
    ) -> ExportReport:
        """Write the records of this generation, and a manifest beside, as their terms allow.

        `format` is csv, tx, ncmec, vics, hma or bloom; `audience` whom it is for: `own` team,
        `clients`, `community` or `public`; `sources` which sources, all unless given. VICS needs
        `categories`: which of its numbers a (scheme, code) has. A bloom filter is of the digests
        of one `kind` and takes others for them at the `error_rate`. With a `key`, an Ed25519
        private key in a PEM file, the manifest is signed. ListError, and nothing is written.
        """
        order = Order(
            format, audience, sources, Wants(categories), None if key is None else Path(key),
            edge.filling(kind, error_rate, self.generation) if format == edge.NAME else None,
        )  # fmt: skip
        return exporting.export(self._path, self._generation, Path(path), order)

    def set_terms(self, source: str, terms: Terms, *, by: str | None = None) -> Terms:
        """Keep what a source allows; what the terms do not say stays as it was."""
        with generations.transaction(self._path) as connection:
            return storing.store(connection, source, terms, by=by)

    def terms(self) -> dict[str, Terms]:
        """What each source allows, as far as it is known."""
        return database.ask(self._path, storing.stored)

    def show(self, entry: str, *, source: str | None = None, values: bool = False) -> list[Shown]:
        """All that is known of an entry, for each source that has it, or for one; ListError.

        Hash values are told only if `values` asks for them.
        """
        return database.ask(
            self._path,
            lambda connection: showing.show(
                connection, self._path, self.generation, entry, source=source, values=values
            ),
        )

    def give_opinion(
        self, entry: str, *, state: str, by: str, reason: str, source: str | None = None
    ) -> int:
        """Record what `by` holds of an entry: confirmed, disputed or known_good; withdrawn takes
        it back. Returns the new generation's number.
        """
        return opinions.give(self._path, entry, source=source, state=state, by=by, reason=reason)

    def count_matches(self, results: Iterable[CountedResult]) -> list[Flood]:
        """Count which entries of this list the results met; those that matched far too often."""
        return matches.count(self._path, matches.hits(results, self.name))

    def quarantined(self) -> tuple[list[SetAside], list[NotCompared]]:
        """The rows that imports set aside, and the hashes that are kept and not compared."""
        return database.ask(
            self._path,
            lambda connection: (
                list(quarantine.rows(connection)),
                list(quarantine.not_compared(connection, self.generation)),
            ),
        )

    def release_rows(self, ids: Sequence[int], *, by: str, reason: str) -> int:
        """Take in what can be read of rows set aside; the new generation's number."""
        return releasing.release_rows(self._path, ids, Release(by, reason))

    def release_value(
        self, entry: str, kind: str, *, by: str, reason: str, source: str | None = None
    ) -> int:
        """Have an entry's hashes of a kind compared after all; the new generation's number."""
        asked = Release(by, reason)
        return releasing.release_value(self._path, entry, kind, asked, source=source)

    def log(self) -> list[LogEntry]:
        """What was done to the list, oldest first, and by whom."""
        return database.ask(self._path, history.log)

    def rollback(self, generation: int, *, by: str | None = None, reason: str | None = None) -> int:
        """Write a new generation with the records of an earlier one, less what was withdrawn or
        purged since; its number. It counts as old as the earlier one.
        """
        return history.rollback(self._path, generation, by=by, reason=reason)

    def purge(
        self, source: str, *, by: str | None = None, reason: str | None = None
    ) -> PurgeReport:
        """Erase all that a source gave, in every generation, for good; only counts stay."""
        return purging.purge(self._path, source, by=by, reason=reason)

    def hubs(self) -> Mapping[str, int]:
        """How many codes of each perceptual kind lie within its radius of one in fifty of the
        others, as those of blank pictures do; kinds without any are left out.
        """
        counts = {
            kind: len(hubs(snapshot, radius=KINDS[kind].radius))
            for kind, snapshot in self._snapshots.items()
            if KINDS[kind].perceptual
        }
        return MappingProxyType({kind: count for kind, count in counts.items() if count})

    def compact(self) -> bool:
        """Merge the index files on disk into one a kind; whether there was anything to merge.

        Imports keep the files few by themselves; this makes searches a little faster yet, and
        takes as long as building all of the index. It raises the generation and leaves the age.
        The files of the generations before stay for a while: see `open`.
        """
        return importing.compact(self._path)

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many distinct values can be searched, by kind; kinds without any are left out."""
        sizes = {kind: len(snapshot) for kind, snapshot in self._snapshots.items()}
        return MappingProxyType({kind: size for kind, size in sizes.items() if size})

    @property
    def states(self) -> Mapping[str, int]:
        """How many records are in each state; states without any are left out."""
        return self._generation.states

    @property
    def matchable(self) -> bool:
        """Whether any record is confirmed or disputed, so that a match is possible at all."""
        return any(self._generation.states.get(state, 0) for state in MATCHING)

    def can_match(self, kind: str, *, floor: int = 0) -> bool:
        """Whether a hash of that kind can make a match at all: whether a confirmed or disputed
        record holds one that is searched, with a quality of at least `floor` or none recorded.
        """
        found = kind_named(kind)
        if kind not in self.kinds:
            return False
        return database.ask(
            self._path,
            lambda connection: records.can_match(connection, found, floor, self.generation),
        )

    def search(
        self, kind: str, codes: NDArray[np.uint8], *, radius: int, threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """Values of a perceptual kind within `radius` bits of each code, as CSR arrays.

        `codes` is uint8 (q, bits / 8), or one code. Hits of query i are rows[offsets[i] :
        offsets[i + 1]], with their distances in bits; `holders` tells whose they are. The answer
        is the same for any number of `threads`, which only batches gain from.
        """
        if not kind_named(kind).perceptual:
            raise HashError(f"{kind} has no distances to search by; use lookup")
        snapshot = self._snapshots.get(kind)
        if snapshot is None:
            rows = np.empty(0, np.int64)
            return _no_offsets(kind_named(kind), codes), rows, np.empty(0, np.uint16)
        return snapshot.search(codes, radius=radius, threads=threads)

    def lookup(
        self, kind: str, values: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of equal values of a digest kind, as CSR arrays: see `search`."""
        if not kind_named(kind).digest:
            raise HashError(f"{kind} is not a digest; use search")
        snapshot = self._snapshots.get(kind)
        if snapshot is None:
            return _no_offsets(kind_named(kind), values), np.empty(0, np.int64)
        return snapshot.lookup(values)

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
        """The records of this generation that hold the value of each row, by source and entry.

        Their `quality` is the recorded one of that value. Withdrawn records hold nothing.
        """
        if not len(rows):
            return []
        found = kind_named(kind)
        snapshot = self._snapshots.get(kind)
        if snapshot is None:
            raise HashError(f"the list holds no {kind} to have rows")
        values = [code.tobytes() for code in snapshot.codes(rows)]
        by_value = database.ask(
            self._path,
            lambda connection: records.holders(connection, found, values, self.generation),
        )
        return [by_value[value] for value in values]

    def warm(self) -> None:
        """Read the index files once, so that the first searches find them in memory."""
        for held in self._held.values():
            # One byte of each page is enough to bring it in.
            values_of(held.opened).reshape(-1)[:: mmap.PAGESIZE].max(initial=0)

    def info(self) -> ListInfo:
        """Counts by state, source and kind, and what the list can reach; reads all records."""
        return database.ask(
            self._path, lambda connection: info.gather(connection, self._path, self._generation)
        )

    def verify(self, *, seed: int | None = None) -> Verification:
        """Check the records, the index files against them, and a sample of searches by brute force.

        A million codes take some twenty seconds and 300 MB of memory. What is
        wrong is in the `damage` of the answer; ListError where nothing can be read. `seed` draws
        the queries: a random one unless given.
        """
        chosen = secrets.randbits(32) if seed is None else seed
        return verifying.verify(self._path, self._generation, self._snapshots, seed=chosen)


def _absolute(path: str | PathLike[str]) -> Path:
    return Path(os.path.abspath(path))


def _at(folder: Path, number: int | None, connection: sqlite3.Connection) -> Generation:
    connection.execute("BEGIN")  # both questions see one state of the database
    return generations.at(connection, folder, number)


def _no_offsets(kind: HashKind, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The offsets of an answer without hits; HashError where the codes have the wrong form."""
    if codes.dtype != np.uint8 or codes.ndim not in (1, 2) or codes.shape[-1] != kind.size:
        raise HashError(f"{kind.name} codes are uint8 of shape (n, {kind.size})")
    return np.zeros(len(np.atleast_2d(codes)) + 1, np.int64)
