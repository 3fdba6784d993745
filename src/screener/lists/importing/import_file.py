"""Import a file into a list: one transaction, from its rows to a new generation.

Rows are upserts by (source, entry); an entry that a later file leaves out stays. A withdrawal is
stored for ever, as a record that cannot match. If index files are due to be merged, that happens
after the import and outside the transaction, so that other writers do not wait.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from screener.arguments import check_line
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.exporting import manifest
from screener.lists.formats import paging
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import Reader, open_reader, sniff
from screener.lists.importing import import_terms
from screener.lists.importing.report import ImportReport
from screener.lists.importing.run import ImportSettings, Rows, Run
from screener.lists.states import State
from screener.lists.store import compact, generations, segments, sharing, transaction
from screener.lists.store.records import NewRecord, Row
from screener.lists.terms import Terms
from screener.system.progress import Progress

_NO_FILE = "the records"  # the name of the file in messages and in the log


def import_file(
    folder: Path,
    path: Path,
    options: Options,
    *,
    format: str | None,
    settings: ImportSettings,
    progress: Progress | None = None,
) -> ImportReport:
    """Import a file into the list in a folder, completely or not at all.

    Raises ListError, and imports nothing, if the file is refused.
    """
    if path.is_dir():
        raise ListError(f"cannot read {path}: it is a folder")
    source = options.source
    check_line("a source's name", source)
    group_id = None if settings.group is None else sharing.find_group(settings.group)
    signed_manifest = None if settings.key is None else manifest.verify(path, key=settings.key)
    name = os.fsencode(path.name).decode("utf-8", "replace")
    with _open_file(path) as stream, transaction.write_exclusively(folder) as connection:
        if group_id is not None:
            sharing.share(folder, group_id)
        content = Content(stream, name, progress)
        format = format or sniff(content, options)
        reader = open_reader(content, options, format=format)
        if signed_manifest is not None:
            import_terms.check_not_older(connection, source, signed_manifest, path)
        import_terms.bind_source(
            connection,
            source,
            signed=signed_manifest,
            given=settings.terms,
            by=settings.by,
            full=settings.full,
        )
        run = Run(
            connection, folder, reader, file=name, format=format, source=source, settings=settings
        )
        run.take()
        content.check_unchanged()
        _check_complete(name, reader, settings)
        # The notes must come before `run.finish`, which adds the source to the list.
        notes = (
            *_note_guessed_source(connection, options),
            *import_terms.note_missing_signature(connection, source, signed_manifest),
        )
        run.check_any_readable()
        if settings.full:
            run.withdraw_absent()
        if signed_manifest is not None:
            signed_manifest.check_digest(content.sha256, path)
        report = run.finish(notes, content.sha256, import_terms.describe_manifest(signed_manifest))
        is_merge_due = _is_merge_due(connection, folder)
    return _merge(folder, report) if is_merge_due else report


def add_records(
    folder: Path,
    records: Iterable[NewRecord],
    *,
    source: str,
    by: str | None,
    terms: Terms | None,
) -> ImportReport:
    """Add records of a program to the list in a folder, all or none.

    Values that many of them share are no placeholders. Raises ListError, and adds nothing, if a
    record is not valid.
    """
    check_line("a source's name", source)
    settings = ImportSettings(strict=True, by=by, terms=terms)
    rows = [_to_row(number, record) for number, record in enumerate(records, 1)]
    with transaction.write_exclusively(folder) as connection:
        import_terms.bind_source(connection, source, signed=None, given=terms, by=by, full=False)
        run = Run(
            connection, folder, Rows(rows), file=_NO_FILE, format="records", source=source,
            settings=settings,
        )  # fmt: skip
        run.take()
        report = run.finish((), "", {})
        is_merge_due = _is_merge_due(connection, folder)
    return _merge(folder, report) if is_merge_due else report


def _to_row(number: int, record: NewRecord) -> Row:
    check_line("an entry", record.entry)
    if not all(isinstance(hash_, Hash) for hash_ in record.hashes):
        raise ListError(f"record {number}: hashes must be Hash objects")
    if record.state not in list(State):
        raise ListError(f"record {number}: state must be one of: {', '.join(State)}")
    return Row(
        number, record.entry, State(record.state), tuple(record.hashes), tuple(record.categories),
        record.labels, record.updated,
    )  # fmt: skip


def _is_merge_due(connection: sqlite3.Connection, folder: Path) -> bool:
    segments_ = generations.load(connection, folder).segments
    return any(map(segments.is_merge_due, segments_.values()))


def _merge(folder: Path, report: ImportReport) -> ImportReport:
    number = compact.merge_overdue(folder)
    return report if number is None else replace(report, generation=number)


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ListError(f"cannot read {path}: {error.strerror}") from error


def _check_complete(file: str, reader: Reader, settings: ImportSettings) -> None:
    """Raise ListError if a full list announces another page: its entries would be withdrawn."""
    if settings.full and not settings.accept_shrink and paging.NEXT_PAGE_NOTE in reader.notes:
        raise ListError(
            f"{file} announces another page, so with --full the entries of the other pages would"
            " be withdrawn; import the pages without --full; if the file is complete, import it"
            " with --accept-shrink; nothing was imported"
        )


def _note_guessed_source(connection: sqlite3.Connection, options: Options) -> Iterator[str]:
    """Yield a note if the file's name becomes a further source of the list.

    The file may be a delivery of one of them under a new name; it would then change none of its
    entries.
    """
    sources = {
        source
        for (source,) in connection.execute(
            "SELECT DISTINCT source FROM imports i WHERE EXISTS (SELECT 1 FROM records r"
            " WHERE r.source = i.source AND r.until IS NULL)"
        )
    }
    if options.guessed and sources and options.source not in sources:
        yield (
            "no --source was given, so the file's name is used: this is the first file of that"
            " source, and entries of the list's other sources are not changed or withdrawn"
        )
