"""KeptList: a list as those see it who keep it, without its index files."""

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
from screener.lists.store.database import name_of
from screener.lists.store.generations import Generation
from screener.lists.terms import Terms
from screener.system.progress import Progress

# What a list is kept by is loaded by who asks for it: a program that only screens never does, and
# it takes as long to load as all that screening needs.
if TYPE_CHECKING:
    from screener.lists.changes.purge import PurgeReport
    from screener.lists.exporting.export import ExportReport
    from screener.lists.importing.quarantine import NotCompared, SetAside
    from screener.lists.importing.report import ImportReport
    from screener.lists.inspecting.entry import Shown
    from screener.lists.inspecting.info import ListInfo
    from screener.lists.store.change_log import LogEntry
    from screener.lists.store.match_counts import CountedResult, Flood

T = TypeVar("T")


class KeptList:
    """One generation of a list and what is done to the list in its folder; it opens no index.

    Reading is of this generation, which never changes, but for the terms and the counts of matches,
    which are those of now. What changes the list, all but these counts, makes a new one. For users
    it is the half of `HashList` that keeps. All raise ListError where something cannot be done,
    also since another writer is at work for some seconds, and IndexFileError where another list is
    read by now.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        """Not for callers: see `HashList`."""
        self._path = path
        self._generation = generation
        there = partial(generations.check_there, folder=path, opened=generation.identity)
        self._connections = Connections(path, there)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of a question about this generation, which sees one state of the database;
        IndexFileError where that is of another list by now.
        """
        return self._connections.ask(question)

    @property
    def path(self) -> Path:
        """The list's folder, absolute."""
        return self._path

    @cached_property
    def name(self) -> str:
        """The folder's name without `.list`: `known` for `lists/known.list`, and `known.2025` for
        `lists/known.2025`.
        """
        return name_of(self._path)

    @property
    def generation(self) -> int:
        """The number of this generation: 0 for a new list; every change raises it."""
        return self._generation.number

    def stamp(self) -> str:
        """What tells this generation from any other, also of a list that has the same name or was
        made anew in the same place: 16 hexadecimal digits. A copy of the folder has the same.
        """
        return self._generation.stamp

    def age_s(self) -> float:
        """Seconds since this generation was made, or, if an import found nothing to change in it
        before this was opened, since that."""
        return max(0.0, time.time() - self._generation.time)

    def ahead_s(self) -> float:
        """Seconds by which that time is still to come, so that `age_s` says nothing: the clock was
        ahead then, or is behind now. 0 where it is not.
        """
        return max(0.0, self._generation.time - time.time())

    @property
    def states(self) -> Mapping[str, int]:
        """How many records are in each state; states without any are left out."""
        return self._generation.states

    @property
    def matchable(self) -> bool:
        """Whether any record is confirmed or disputed, so that a match is possible at all."""
        return any(self._generation.states.get(state, 0) for state in MATCHING)

    def info(self, *, progress: Progress | None = None) -> ListInfo:
        """Return counts by state, source and kind, and what the list can reach.

        They are kept with the newest generation. Of an earlier one, and of a list that an older
        version wrote to last, all records are read. `progress` is called with steps.
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
        strict: bool = False,
        full: bool = False,
        accept_shrink: bool = False,
        by: str | None = None,
        terms: Terms | None = None,
        key: str | PathLike[str] | None = None,
        group: str | None = None,
        progress: Progress | None = None,
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
        more than a fifth of them would go or match no more, whatever is added, or any go while a
        row could not be read, it is refused unless `accept_shrink` is given. `by` is who asked, for
        the log; `terms` what the source allows. With a `key`, an Ed25519 public key in a PEM file,
        the file must have a manifest that is signed with it.

        `group` names a group of users, of this system, that may read the list from now on, with all
        that is written to it later; it is given before the file is read. ListError if there is no
        such group, or this user may not give files to it.

        `progress` is called with the bytes of the file that were read, and its size.
        """
        from screener.lists.formats.options import options_of
        from screener.lists.importing import import_file as importing
        from screener.lists.importing.run import ImportSettings

        check_texts(format=format, state=state)
        options = options_of(Path(path), source, scheme, state, mapping)
        signed = None if key is None else Path(key)
        settings = ImportSettings(strict, full, accept_shrink, by, terms, signed, group)
        return importing.import_file(
            self._path, Path(path), options, format=format, settings=settings, progress=progress
        )

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
        """Write the records of this generation, and a manifest beside, as their terms allow.

        `format` is csv, tx, ncmec, vics, hma or bloom; `audience` whom it is for: `own` team,
        `clients`, `community` or `public`; `sources` which source or sources, all where it is left
        out. VICS needs `categories`: which of its numbers a (scheme, code) has. A bloom filter is
        of the digests of one `kind`, sha256 unless given, and takes others for them at the
        `error_rate`, 0.001 unless given; other formats have all kinds, and no such rate. With a
        `key`, an Ed25519 private key in a PEM file, the manifest is signed. ListError, and nothing
        is written; where `sources` is empty, too.
        """
        from screener.lists.exporting import bloom_filter
        from screener.lists.exporting import export as exporting
        from screener.lists.exporting.writers.entry import Wants

        check_texts(format=format, audience=audience, kind=kind)
        fill = None
        if format == bloom_filter.NAME:
            name = "sha256" if kind is None else kind
            rate = 0.001 if error_rate is None else error_rate
            fill = bloom_filter.filling(name, rate, self.generation)
        elif kind is not None or error_rate is not None:
            # Who asked for one kind is not to hand out all of them.
            raise ListError(
                f"kind and error_rate are of the format {bloom_filter.NAME}, not of {format}"
            )
        signer = None if key is None else Path(key)
        order = exporting.Order(format, audience, _named(sources), Wants(categories), signer, fill)
        return exporting.export(self._path, self._generation, Path(path), order)

    def set_terms(self, source: str, terms: Terms, *, by: str | None = None) -> Terms:
        """Keep what a source allows; what the terms do not say stays as it was. It makes a new
        generation, of the same age, for the log. ListError for a source of which nothing was ever
        imported: its name is a slip, and nobody would be bound.
        """
        from screener.lists.store import source_terms

        check_texts(source=source)
        return source_terms.set_terms(self._path, source, terms, by=by)

    def terms(self) -> dict[str, Terms]:
        """What each source allows, as far as it is known."""
        from screener.lists.store.source_terms import stored

        return database.ask(self._path, stored)

    def show(
        self, entry: str, *, source: str | None = None, values: bool = False, alone: bool = False
    ) -> list[Shown]:
        """All that is known of an entry, for each source that has it, or for one; ListError.

        Hash values, and labels that may hold one, are told only if `values` asks for them.
        `alone` leaves out its `versions`, for which all that the list ever said is gone through,
        and who else holds its hashes, which may be very many.
        """
        from screener.lists.inspecting import entry as showing

        check_texts(entry=entry, source=source)
        check_flags(values=values, alone=alone)

        def asked(connection: sqlite3.Connection) -> list[Shown]:
            return showing.show(
                connection,
                self._path,
                self.generation,
                entry,
                source=source,
                values=values,
                alone=alone,
            )

        return self._ask(asked)

    def give_opinion(
        self, entry: str, *, state: str, by: str, reason: str, source: str | None = None
    ) -> int:
        """Record what `by` holds of an entry: confirmed, disputed or known_good; withdrawn takes
        it back. Returns the new generation's number.
        """
        from screener.lists.changes import opinions

        check_texts(entry=entry, source=source, state=state)
        return opinions.give(self._path, entry, source=source, state=state, by=by, reason=reason)

    def count_matches(self, results: Iterable[CountedResult]) -> list[Flood]:
        """Count which entries of this list the results met; those that matched far too often."""
        from screener.lists.store import match_counts

        return match_counts.count(self._path, match_counts.hits(results, self.name))

    def check_counting(self) -> None:
        """ListError where `count_matches` could not write; before a long scan, say."""
        from screener.lists.store import match_counts

        match_counts.check(self._path)

    def quarantined(self) -> tuple[list[SetAside], list[NotCompared]]:
        """The rows that imports set aside, and the hashes that are kept and not compared."""
        from screener.lists.importing import quarantine

        return self._ask(
            lambda connection: (
                list(quarantine.rows(connection)),
                list(quarantine.not_compared(connection, self.generation)),
            )
        )

    def release_rows(self, ids: Sequence[int], *, by: str, reason: str) -> int:
        """Take in what can be read of rows set aside, by the numbers that `quarantined` gives; the
        new generation's number. ListError where one cannot be, or none is named.
        """
        from screener.lists.importing import releasing

        return releasing.release_rows(self._path, ids, releasing.Release(by, reason))

    def release_value(
        self, entry: str, kind: str, *, by: str, reason: str, source: str | None = None
    ) -> int:
        """Have an entry's hashes of a kind compared after all; the new generation's number."""
        from screener.lists.importing import releasing

        check_texts(entry=entry, kind=kind, source=source)
        asked = releasing.Release(by, reason)
        return releasing.release_value(self._path, entry, kind, asked, source=source)

    def log(self) -> list[LogEntry]:
        """What was done to the list, oldest first, and by whom."""
        from screener.lists.store import change_log

        return database.ask(self._path, change_log.log)

    def rollback(self, generation: int, *, by: str | None = None, reason: str | None = None) -> int:
        """Write a new generation with the records of an earlier one, less what was withdrawn or
        purged since; its number. It counts as old as the earlier one.
        """
        from screener.lists.changes import rollback

        return rollback.rollback(self._path, generation, by=by, reason=reason)

    def purge(
        self, source: str, *, by: str | None = None, reason: str | None = None
    ) -> PurgeReport:
        """Erase all that a source gave, in every generation, for good; only counts stay."""
        from screener.lists.changes import purge as purging

        check_texts(source=source)
        return purging.purge(self._path, source, by=by, reason=reason)

    def compact(self, *, progress: Progress | None = None) -> bool:
        """Merge the index files on disk into one a kind; whether there was anything to merge.

        Imports keep the files few by themselves; this makes searches a little faster yet, and
        takes as long as building all of the index. It raises the generation and leaves the age.
        The files of the generations before stay for a while: see `open`. `progress` is called with
        the values that were written, kind by kind.
        """
        from screener.lists.store import compact as merging

        return merging.compact(self._path, progress)


def _named(sources: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of the sources that are asked for; none for all of them."""
    if sources is None:
        return ()
    if not isinstance(sources, Iterable):
        raise ListError(f"sources are one or several, by name, and not {type(sources).__name__}")
    named = (sources,) if isinstance(sources, str) else tuple(sources)
    for source in named:
        check_texts(source=source)
    if not named:
        raise ListError("no source to export is named; for all of them, leave sources out")
    return named
