"""The part of a list that needs no index: its maintenance, history and export."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from screener.arguments import check_flags, check_texts
from screener.errors import ListError
from screener.lists.states import MATCHING
from screener.lists.store import database, generations
from screener.lists.store.connections import Connections
from screener.lists.store.database import get_list_name
from screener.lists.store.generations import Generation
from screener.lists.terms import Terms
from screener.system.progress import Progress

# These modules are loaded on demand: a program that only screens does not need them, and they would
# double its start-up time.
if TYPE_CHECKING:
    from screener.lists.changes.purge import PurgeReport
    from screener.lists.exporting.export import ExportReport
    from screener.lists.importing.quarantine import QuarantinedRow, UncomparedHash
    from screener.lists.importing.report import ImportReport
    from screener.lists.inspecting.info import ListInfo
    from screener.lists.inspecting.shown_entry import Shown
    from screener.lists.store.change_log import LogEntry
    from screener.lists.store.match_counts import CountedResult, Flood
    from screener.lists.store.records import NewRecord

T = TypeVar("T")


class StoredList:
    """One generation of a list, without its index; the base of `HashList`.

    Methods read this generation, which never changes; only terms and counts of matches are current.
    Every change except of counts makes a new generation. All methods raise ListError if something
    cannot be done or another writer blocks for some seconds, and IndexFileError if another list is
    now at the path.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        """Create the object; callers use `HashList`."""
        self._path = path
        self._generation = generation
        check = partial(generations.check_not_replaced, folder=path, opened=generation.identity)
        self._connections = Connections(path, check)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Run queries against one state of the database."""
        return self._connections.ask(question)

    @property
    def path(self) -> Path:
        """The list's folder, absolute."""
        return self._path

    @cached_property
    def name(self) -> str:
        """The folder's name without `.list`: `known` for `lists/known.list`."""
        return get_list_name(self._path)

    @property
    def generation(self) -> int:
        """The number of this generation: 0 for a new list, increased by every change."""
        return self._generation.number

    def stamp(self) -> str:
        """Return 16 hexadecimal digits that identify this generation.

        They differ from those of any other list, even of a new list at the same path. A copy of the
        folder has the same stamp.
        """
        return self._generation.stamp

    def age_s(self) -> float:
        """Return the seconds since an import made or confirmed this generation.

        Imports after this object was opened do not count.
        """
        return max(0.0, time.time() - self._generation.time)

    def ahead_s(self) -> float:
        """Return the seconds from now to the time of this generation, 0 if it is past.

        A future time means that a clock was or is wrong; `age_s` is then meaningless.
        """
        return max(0.0, self._generation.time - time.time())

    @property
    def states(self) -> Mapping[str, int]:
        """The number of records in each state that occurs."""
        return self._generation.states

    @cached_property
    def matchable(self) -> bool:
        """Whether any record is confirmed or disputed, so that a match is possible."""
        return any(self._generation.states.get(state, 0) for state in MATCHING)

    def info(self, *, progress: Progress | None = None) -> ListInfo:
        """Return counts by state, source and kind, and how much of the list can match.

        The counts are stored with the generation; `progress` is called with steps.
        """
        from screener.lists.inspecting import info

        return self._ask(
            lambda connection: info.gather(connection, self._path, self._generation, progress)
        )

    def import_file(
        self,
        path: str | PathLike[str],
        *,
        source: str | None = None,
        format: str | None = None,
        scheme: str | None = None,
        state: str | None = None,
        mapping: str | PathLike[str] | None = None,
        id_column: str | None = None,
        ids_from_hashes: bool = False,
        ignore_columns: str | Sequence[str] = (),
        ignore_unknown_columns: bool = False,
        strict: bool = False,
        full: bool = False,
        accept_shrink: bool = False,
        by: str | None = None,
        terms: Terms | None = None,
        key: str | PathLike[str] | None = None,
        group: str | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import a file into the list on disk, completely or not at all.

        This object does not change; `refresh` returns the new generation.

        Parameters:
            path: The file.
            source: Name of the source (default: the file's name without its ending).
            format: Name of the format (default: detected by content; see `docs/formats.md`).
            scheme: Scheme of the file's categories, if the file names none.
            state: State of the rows that would match: `known_good` for an exclude list, `seed` for
                leads.
            mapping: TOML file that defines the columns of a CSV file. Without one, a column that is
                not known refuses the file, and so does a missing column of ids.
            id_column: The column of a CSV file that has the ids.
            ids_from_hashes: Accept a CSV file without ids: a changed hash is then another entry.
            ignore_columns: Columns of a CSV file to store as labels, without a meaning.
            ignore_unknown_columns: Store all unknown columns of it as labels.
            strict: Refuse the file at the first unreadable row instead of quarantining the row.
            full: The file contains all entries of the source; others are withdrawn. It is refused
                if more than a fifth of the source's entries would be withdrawn or stop matching, or
                if any would be withdrawn while a row is unreadable.
            accept_shrink: Do not refuse such a file.
            by: Author, for the log.
            terms: Terms of the source.
            key: Ed25519 public key (PEM file); the file then needs a manifest signed with it.
            group: Group of system users that may read the list and all its later files from now on.
                It is set before the file is read.
            progress: Called with the bytes read and the size of the file.

        Raises:
            ListError: If the file is refused, the group does not exist or this user may not assign
                it. Nothing is imported then.
        """
        from screener.lists.formats.options import build_options
        from screener.lists.importing import import_file as importing
        from screener.lists.importing.run import ImportSettings

        check_texts(format=format, state=state, id_column=id_column)
        ignored = (ignore_columns,) if isinstance(ignore_columns, str) else tuple(ignore_columns)
        options = build_options(
            Path(path), source, scheme, state, mapping, id_column=id_column,
            ids_from_hashes=ids_from_hashes, ignore_columns=ignored,
            ignore_unknown_columns=ignore_unknown_columns,
        )  # fmt: skip
        key_path = None if key is None else Path(key)
        settings = ImportSettings(strict, full, accept_shrink, by, terms, key_path, group)
        return importing.import_file(
            self._path, Path(path), options, format=format, settings=settings, progress=progress
        )

    def add(
        self,
        records: Iterable[NewRecord],
        *,
        source: str,
        by: str | None = None,
        terms: Terms | None = None,
    ) -> ImportReport:
        """Add records that a program made, in one generation, all or none.

        A record replaces the source's earlier one of the same entry, as a row of a file does.
        Values that many records share are compared, since each was added on purpose. This object
        does not change; `refresh` returns the new generation.

        Parameters:
            records: The records.
            source: Name of the source.
            by: Author, for the log.
            terms: Terms of the source.

        Raises:
            ListError: If a record is not valid. Nothing is added then.
        """
        from screener.lists.importing import import_file as importing

        return importing.add_records(self._path, records, source=source, by=by, terms=terms)

    def export(
        self,
        path: str | PathLike[str],
        *,
        format: str,
        audience: str = "community",
        sources: str | Sequence[str] | None = None,
        categories: Mapping[tuple[str, str], int] | None = None,
        kind: str | None = None,
        error_rate: float | None = None,
        key: str | PathLike[str] | None = None,
    ) -> ExportReport:
        """Write the records of this generation that their terms allow, and a manifest.

        Parameters:
            path: The file; the manifest is written next to it.
            format: csv, tx, ncmec, vics, hma or bloom.
            audience: `own` (the team), `clients`, `community` or `public`.
            sources: One or several sources (default: all).
            categories: For VICS, the category number of each (scheme, code).
            kind: For a Bloom filter, the digest kind (default: sha256). Other formats write all
                kinds and refuse it.
            error_rate: For a Bloom filter, the rate of false positives (default: 0.001).
            key: Ed25519 private key (PEM file) that signs the manifest.

        Raises:
            ListError: If an argument is invalid or the files cannot be written. Nothing is written
                then.
        """
        from screener.lists.exporting import bloom_filter
        from screener.lists.exporting import export as exporting
        from screener.lists.exporting.writers.entry import Wants

        check_texts(format=format, audience=audience, kind=kind)
        fill = None
        if format == bloom_filter.NAME:
            name = "sha256" if kind is None else kind
            rate = 0.001 if error_rate is None else error_rate
            fill = bloom_filter.make_writer(name, rate, self.generation)
        elif kind is not None or error_rate is not None:
            # Exporting all kinds would disclose more than the caller asked for.
            raise ListError(
                f"kind and error_rate are for the format {bloom_filter.NAME}, not for {format}"
            )
        key_path = None if key is None else Path(key)
        order = exporting.ExportOptions(
            format, audience, _check_sources(sources), Wants(categories), key_path, fill
        )
        return exporting.export(self._path, self._generation, Path(path), order)

    def set_terms(self, source: str, terms: Terms, *, by: str | None = None) -> Terms:
        """Store the terms of a source; unset fields keep their values. Return the stored terms.

        It makes a new generation of the same age. Raises ListError if the source never imported
        anything: its name is probably misspelt.
        """
        from screener.lists.store import source_terms

        check_texts(source=source)
        return source_terms.set_terms(self._path, source, terms, by=by)

    def terms(self) -> dict[str, Terms]:
        """Return the terms of each source that has any."""
        from screener.lists.store.source_terms import read_terms

        return database.ask(self._path, read_terms)

    def show(
        self, entry: str, *, source: str | None = None, values: bool = False, alone: bool = False
    ) -> list[Shown]:
        """Return everything stored about an entry, per source.

        Parameters:
            entry: The source's id of the entry.
            source: Name of the source (default: all sources that have the entry).
            values: Include hash values, and labels that may contain one.
            alone: Leave out `versions`, which need a scan of the list's whole history, and other
                entries with its hashes, which may be many.

        Raises:
            ListError: If there is no such entry.
        """
        from screener.lists.inspecting import shown_entry

        check_texts(entry=entry, source=source)
        check_flags(values=values, alone=alone)

        def read(connection: sqlite3.Connection) -> list[Shown]:
            return shown_entry.show(
                connection,
                self._path,
                self.generation,
                entry,
                source=source,
                values=values,
                alone=alone,
            )

        return self._ask(read)

    def give_opinion(
        self, entry: str, *, state: str, by: str, reason: str, source: str | None = None
    ) -> int:
        """Record an assessment of an entry; return the new generation's number.

        Parameters:
            entry: The source's id of the entry.
            state: confirmed, disputed or known_good; withdrawn revokes the opinion.
            by: Author of the assessment.
            reason: Reason, one line.
            source: Name of the source, needed if several have the entry.
        """
        from screener.lists.changes import opinions

        check_texts(entry=entry, source=source, state=state)
        return opinions.record_opinion(
            self._path, entry, source=source, state=state, by=by, reason=reason
        )

    def count_matches(self, results: Iterable[CountedResult]) -> list[Flood]:
        """Count the matches of each entry of this list; return entries that match too often."""
        from screener.lists.store import match_counts

        return match_counts.count(self._path, match_counts.find_hits(results, self.name))

    def check_counting(self) -> None:
        """Raise ListError if `count_matches` could not write; call it before a long scan."""
        from screener.lists.store import match_counts

        match_counts.check_writable(self._path)

    def quarantined(self) -> tuple[list[QuarantinedRow], list[UncomparedHash]]:
        """Return the quarantined rows, and the stored hashes that are not compared."""
        from screener.lists.importing import quarantine

        return self._ask(
            lambda connection: (
                list(quarantine.list_rows(connection)),
                list(quarantine.list_uncompared(connection, self.generation)),
            )
        )

    def release_rows(self, ids: Sequence[int], *, by: str, reason: str) -> int:
        """Import the readable part of quarantined rows; return the new generation's number.

        `ids` come from `quarantined`. Raises ListError if a row cannot be released, or if `ids` is
        empty.
        """
        from screener.lists.importing import releasing

        return releasing.release_rows(self._path, ids, releasing.Release(by, reason))

    def release_value(
        self, entry: str, kind: str, *, by: str, reason: str, source: str | None = None
    ) -> int:
        """Compare an entry's quarantined hashes of a kind; return the new generation's number."""
        from screener.lists.importing import releasing

        check_texts(entry=entry, kind=kind, source=source)
        decision = releasing.Release(by, reason)
        return releasing.release_value(self._path, entry, kind, decision, source=source)

    def log(self) -> list[LogEntry]:
        """Return the changes of the list, oldest first, with who made them."""
        from screener.lists.store import change_log

        return database.ask(self._path, change_log.read_log)

    def rollback(self, generation: int, *, by: str | None = None, reason: str | None = None) -> int:
        """Write a new generation with the records of an earlier one; return its number.

        Entries withdrawn or purged since are not restored. The new generation has the age of the
        earlier one.
        """
        from screener.lists.changes import rollback

        return rollback.rollback(self._path, generation, by=by, reason=reason)

    def purge(
        self, source: str, *, by: str | None = None, reason: str | None = None
    ) -> PurgeReport:
        """Erase all data of a source in every generation permanently; only counts stay."""
        from screener.lists.changes import purge as purging

        check_texts(source=source)
        return purging.purge(self._path, source, by=by, reason=reason)

    def compact(self, *, progress: Progress | None = None) -> bool:
        """Merge the index files on disk into one per kind; return whether there were several.

        Imports keep the number of files small; this makes searches a little faster, and takes as
        long as building the index. It makes a new generation of the same age. The files of earlier
        generations stay for a while: see `open`. `progress` is called with the values written, for
        each kind in turn.
        """
        from screener.lists.store import compact as merging

        return merging.compact(self._path, progress)


def _check_sources(sources: str | Sequence[str] | None) -> tuple[str, ...]:
    if sources is None:
        return ()
    if not isinstance(sources, Iterable):
        raise ListError(f"sources must be one name or several, not {type(sources).__name__}")
    names = (sources,) if isinstance(sources, str) else tuple(sources)
    for source in names:
        check_texts(source=source)
    if not names:
        raise ListError("no source to export is named; leave sources out to export all")
    return names
