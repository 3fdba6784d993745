"""One run of an import: the rows of one file, inside one transaction."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from screener.arguments import check_author, check_flags
from screener.errors import ListError, counted
from screener.lists.formats.content import UNDECODABLE
from screener.lists.formats.registry import OPINION_FORMATS, Reader, read_parts
from screener.lists.importing import quarantine
from screener.lists.importing.report import (
    ABSENT_KEY,
    COUNT_FIELDS,
    FULL_KEY,
    TERMS_KEY,
    ImportReport,
)
from screener.lists.importing.versions import Versions
from screener.lists.redaction import may_hold_hash
from screener.lists.states import State
from screener.lists.store import generations, pixel_versions, segments
from screener.lists.store.columns import Batch, Columns
from screener.lists.store.records import BadRow, Row, is_empty_digest
from screener.lists.terms import Terms, check_terms, format_terms
from screener.lists.times import is_untimed


@dataclass(frozen=True)
class ImportSettings:
    """The arguments of `HashList.import_file` that do not concern how the file is read."""

    strict: bool = False
    full: bool = False
    accept_shrink: bool = False
    by: str | None = None
    terms: Terms | None = None
    key: Path | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        """Raise ListError if a flag, a name or the terms have the wrong type."""
        check_flags(strict=self.strict, full=self.full, accept_shrink=self.accept_shrink)
        check_author(self.by)
        if self.terms is not None:
            check_terms(self.terms)


_BATCH_ENTRIES = 5_000  # entries in a batch, or rows in columns
_BATCH_BYTES = 16 << 20  # hashes and labels in a batch; a TMK has 263 thousand
_ROW_BYTES = 256  # added for each row


def read_batches(reader: Reader) -> Iterator[Columns | list[Row | BadRow]]:
    """Yield the rows as columns, or in batches limited by entries and bytes."""
    batch: list[Row | BadRow] = []
    entries: set[str | int] = set()  # a row without an id counts as an entry
    size = 0
    for part in read_parts(reader, _BATCH_ENTRIES):
        if isinstance(part, Columns):
            if batch:
                yield batch
                batch, entries, size = [], set(), 0
            yield part
            continue
        batch.append(part)
        size += _ROW_BYTES
        row = part if isinstance(part, Row) else part.row
        entries.add(len(batch) if row is None or row.entry is None else row.entry)
        if row is not None:
            for hash_ in row.hashes:
                size += len(hash_.value)
            if row.labels:
                size += sum(map(len, row.labels.values()))
        if len(entries) == _BATCH_ENTRIES or size > _BATCH_BYTES:
            yield batch
            batch, entries, size = [], set(), 0
    if batch:
        yield batch


_MAX_SHOWN_ROWS = 20  # bad rows that a report lists
_MAX_SHRINK_SHARE = 0.2  # share of a source's entries that may stop matching without confirmation
_ENCODING_NOTE = (
    "some text cannot be decoded: if the file is not UTF-8, save it as UTF-8 and import it again"
)
_NO_ROWS_NOTE = "the file has no rows, so it does not confirm the list: its age is unchanged"


class Rows(list[Row | BadRow]):
    """The records of a program, as a reader."""

    unit = "record"
    unknown_columns = ()
    notes = ()


class Run:
    """The import of one file, up to a new generation; the caller commits."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        reader: Reader,
        *,
        file: str,
        format: str,
        source: str,
        settings: ImportSettings,
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._reader = reader
        self._file = file
        self._format = format
        self._source = source
        self._settings = settings
        self._before = generations.load(connection, folder)
        newest = connection.execute("SELECT max(id) FROM imports").fetchone()[0]
        self._import_id = (newest or 0) + 1
        self._versions = Versions(
            connection,
            source,
            number=self._before.next_number,
            import_id=self._import_id,
            full=settings.full,
            all_count=format in OPINION_FORMATS,
            is_own=isinstance(reader, Rows),
        )
        self._row_quarantine = quarantine.RowQuarantine(
            connection, self._import_id, source, full=settings.full
        )
        self._counts: Counter[str] = Counter()
        self._pixels: Counter[int] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._first_bad: list[tuple[int, str]] = []

    def take(self) -> None:
        """Store all rows, a batch at a time."""
        for batch in read_batches(self._reader):
            if isinstance(batch, Columns):
                self._take_columns(batch)
            else:
                self._take_rows(batch)
        self._versions.settle()

    def _take_columns(self, columns: Columns) -> None:
        low_quality = sum(
            int(((column.quality >= 0) & (column.quality < column.kind.floor)).sum())
            for column in columns.hashes
            if column.quality is not None
        )
        for labels in filter(None, columns.labels):
            if (version := pixel_versions.parse_version(labels)) is not None:
                self._pixels[version] += 1
        self._counts.update(
            rows=len(columns),
            low_quality=low_quality,
            withdrawn=columns.states.count(State.WITHDRAWN),
            untimed=sum(map(is_untimed, filter(None, columns.updated))),
        )
        self._versions.take(columns.build_batch())

    def _take_rows(self, batch: list[Row | BadRow]) -> None:
        rows: list[Row] = []
        bad_rows = []
        withdrawn = low_quality = untimed = 0
        for part in batch:
            row = part if isinstance(part, BadRow) else self._check_row(part)
            if isinstance(row, BadRow):
                if self._settings.strict:
                    where = f"{self._file}, {self._reader.unit} {row.line}"
                    raise ListError(f"{where}: {row}; nothing was imported")
                bad_rows.append(row)
                continue
            for hash_ in row.hashes:
                low_quality += hash_.quality is not None and hash_.quality < hash_.kind.floor
            if row.labels and (version := pixel_versions.parse_version(row.labels)) is not None:
                self._pixels[version] += 1
            withdrawn += row.state is State.WITHDRAWN
            untimed += row.updated is not None and is_untimed(row.updated)
            rows.append(row)
        self._counts.update(
            rows=len(batch), low_quality=low_quality, withdrawn=withdrawn, untimed=untimed
        )
        self._versions.take(Batch.of_rows(rows))
        if bad_rows:
            self._quarantine(bad_rows)

    def _check_row(self, row: Row) -> Row | BadRow:
        """Return a row without digests of empty input, or a BadRow if nothing remains."""
        hashes = row.hashes
        if hashes and row.entry is not None and not hashes[0].kind.digest and len(hashes) == 1:
            return row  # the usual row
        if any(map(is_empty_digest, hashes)):
            hashes = tuple([hash_ for hash_ in hashes if not is_empty_digest(hash_)])
            self._counts["dropped"] += len(row.hashes) - len(hashes)
            row = row._replace(hashes=hashes)
        if not hashes and (row.state is not State.WITHDRAWN or row.entry is None):
            return BadRow(row.line, None, "no usable hash")
        return row

    def _quarantine(self, bad_rows: list[BadRow]) -> None:
        self._quarantined.update(row.reason for row in bad_rows)
        self._first_bad += [
            (row.line, str(row)) for row in bad_rows[: _MAX_SHOWN_ROWS - len(self._first_bad)]
        ]
        self._row_quarantine.store(bad_rows)

    def check_any_readable(self) -> None:
        """Raise ListError if no row is readable: the file is probably in another format."""
        rows, bad_count = self._counts["rows"], self._quarantined.total()
        if rows and rows == bad_count:
            line, reason = self._first_bad[0]
            raise ListError(
                f"{self._file}: none of its rows can be read ({self._reader.unit} {line}:"
                f" {reason}); nothing was imported"
            )

    def withdraw_absent(self) -> None:
        """Withdraw the entries that a full list does not name.

        Raises ListError if too many entries would be withdrawn or stop matching, or if any would be
        withdrawn while a row is unreadable: that row may name it.
        """
        entry_count, lost_count = self._versions.withdraw_absent()
        if self._settings.accept_shrink:
            return
        bad_count, absent_count = self._quarantined.total(), self._versions.counts["absent"]
        if bad_count and absent_count:
            rows = counted(self._counts["rows"], "row")
            raise ListError(
                f"{self._file}: could not read {bad_count} of {rows}, and {absent_count} of the"
                f" source's {counted(entry_count, 'entry', 'entries')}, which no other row names,"
                " would be withdrawn; if that is intended, import it with --accept-shrink; nothing"
                " was imported"
            )
        if lost_count > entry_count * _MAX_SHRINK_SHARE:
            raise ListError(
                f"{self._file} would withdraw {lost_count} of the source's"
                f" {counted(entry_count, 'entry', 'entries')}, or give them a state that matches"
                " nothing; if it is complete, import it with --accept-shrink; nothing was imported"
            )

    def finish(
        self, notes: Sequence[str], sha256: str, manifest_fields: Mapping[str, Any]
    ) -> ImportReport:
        """Publish the new generation, store the import's counts, and return its report.

        `notes`: added to the run's own notes.
        `sha256`: digest of the file.
        `manifest_fields`: stored in addition to the counts.
        """
        number = self._publish()
        counts = self._counts + self._versions.counts
        report = ImportReport(
            self._file,
            self._format,
            self._source,
            number,
            unit=self._reader.unit,
            unknown_columns=tuple(
                name for name in self._reader.unknown_columns if not may_hold_hash(name)
            ),
            quarantined=dict(self._quarantined),
            first_bad=tuple(self._first_bad),
            notes=(*self._reader.notes, *notes, *self._list_notes()),
            **{name: counts[name] for name in COUNT_FIELDS},
        )
        self._store_import(report, sha256, manifest_fields)
        return report

    def _publish(self) -> int:
        """Publish a new generation, or confirm the current one if the file has rows.

        Returns the number of the generation.
        """
        number = self._before.number
        if self._versions.finish():
            number = self._before.next_number
            segments.write_changed(
                self._connection,
                self._folder,
                self._before,
                number,
            )
            generations.publish(
                self._connection,
                number,
                what="import",
                by=self._settings.by,
            )
        elif self._counts["rows"]:
            generations.confirm(self._connection, number)
        return number

    def _list_notes(self) -> Iterator[str]:
        if not self._counts["rows"]:
            yield _NO_ROWS_NOTE
        if self._quarantined[UNDECODABLE]:
            yield _ENCODING_NOTE

    def _store_import(
        self, report: ImportReport, sha256: str, manifest_fields: Mapping[str, Any]
    ) -> None:
        stored = dict(manifest_fields) | {name: getattr(report, name) for name in COUNT_FIELDS}
        stored |= pixel_versions.format_counts(self._pixels)
        stored |= {"quarantined": report.quarantined, "unknown_columns": report.unknown_columns}
        if self._settings.terms is not None:
            stored[TERMS_KEY] = format_terms(self._settings.terms)
        if self._settings.full:
            stored[FULL_KEY] = True
            stored[ABSENT_KEY] = self._versions.absent_from
        origin = (report.file, report.format, report.source, sha256)
        self._connection.execute(
            "INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._import_id,
                report.generation,
                time.time(),
                *origin,
                json.dumps(stored),
                self._settings.by,
            ),
        )
