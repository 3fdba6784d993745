"""One run of an import: the rows of a file, taken into a list inside one transaction."""

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
from screener.lists.formats.registry import OPINIONS, Reader, parts_of
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
from screener.lists.store.columns import Columns
from screener.lists.store.records import BadRow, Row, of_empty_input
from screener.lists.terms import Terms, check_terms, format_terms
from screener.lists.times import is_untimed


@dataclass(frozen=True)
class ImportSettings:
    """The arguments of `HashList.import_file`, less those that say how to read the file."""

    strict: bool = False
    full: bool = False
    accept_shrink: bool = False
    by: str | None = None
    terms: Terms | None = None
    key: Path | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        """Raise ListError for a flag, a name or terms of another type."""
        check_flags(strict=self.strict, full=self.full, accept_shrink=self.accept_shrink)
        check_author(self.by)
        if self.terms is not None:
            check_terms(self.terms)


_BATCH = 5_000  # entries in a batch, or rows in columns
_BYTES = 16 << 20  # of hashes, and characters of labels, in a batch; a TMK has 263 thousand
_ROW = 256  # what a row counts for among them, whatever it has


def batches(reader: Reader) -> Iterator[Columns | list[Row | BadRow]]:
    """Yield the rows: as columns, or as many at a time as have so many entries or bytes."""
    batch: list[Row | BadRow] = []
    entries: set[str | int] = set()  # a row without an id is an entry of its own
    size = 0
    for found in parts_of(reader, _BATCH):
        if isinstance(found, Columns):
            if batch:
                yield batch
                batch, entries, size = [], set(), 0
            yield found
            continue
        batch.append(found)
        size += _ROW
        row = found if isinstance(found, Row) else found.row
        entries.add(len(batch) if row is None or row.entry is None else row.entry)
        if row is not None:
            for item in row.hashes:
                size += len(item.value)
            if row.labels:
                size += sum(map(len, row.labels.values()))
        if len(entries) == _BATCH or size > _BYTES:
            yield batch
            batch, entries, size = [], set(), 0
    if batch:
        yield batch


_SHOWN = 20  # bad rows that a report lists
_SHRINK = 0.2  # of a source's entries that a full list may lose without being asked
_OTHER_ENCODING = (
    "some of its text cannot be decoded: save the file as UTF-8, if it is not, and import it again"
)
_NO_ROWS = "the file has no rows: it confirms nothing, and the list stays as old as it was"


class Run:
    """The rows of one file, from the first to a new generation; it commits nothing."""

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
        self._before = generations.at(connection, folder)
        newest = connection.execute("SELECT max(id) FROM imports").fetchone()[0]
        self._id = (newest or 0) + 1
        is_first = connection.execute("SELECT 1 FROM records LIMIT 1").fetchone() is None
        self._versions = Versions(
            connection,
            source,
            number=self._before.number + 1,
            import_id=self._id,
            states=self._before.states,
            full=settings.full,
            all_count=format in OPINIONS,
            is_first=is_first,
        )
        self._set_aside_rows = quarantine.RowQuarantine(
            connection, self._id, source, full=settings.full
        )
        self._counts: Counter[str] = Counter()
        self._pixels: Counter[int] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._first_bad: list[tuple[int, str]] = []

    def take(self) -> None:
        """Store all rows, a batch at a time."""
        for batch in batches(self._reader):
            if isinstance(batch, Columns):
                self._take_columns(batch)
            else:
                self._take_rows(batch)
        self._versions.merge_repeated()

    def _take_columns(self, columns: Columns) -> None:
        low = sum(
            int(((column.quality >= 0) & (column.quality < column.kind.floor)).sum())
            for column in columns.hashes
            if column.quality is not None
        )
        for labels in filter(None, columns.labels):
            if (version := pixel_versions.version_said(labels)) is not None:
                self._pixels[version] += 1
        self._counts.update(
            rows=len(columns),
            low_quality=low,
            withdrawn=int(columns.withdrawn.sum()),
            untimed=sum(map(is_untimed, filter(None, columns.updated))),
        )
        self._versions.take_columns(columns)

    def _take_rows(self, batch: list[Row | BadRow]) -> None:
        rows: list[Row] = []
        bad = []
        withdrawn = low = untimed = 0
        for found in batch:
            row = found if isinstance(found, BadRow) else self._checked(found)
            if isinstance(row, BadRow):
                if self._settings.strict:
                    where = f"{self._file}, {self._reader.unit} {row.line}"
                    raise ListError(f"{where}: {row}; nothing was imported")
                bad.append(row)
                continue
            for item in row.hashes:
                low += item.quality is not None and item.quality < item.kind.floor
            if row.labels and (version := pixel_versions.version_said(row.labels)) is not None:
                self._pixels[version] += 1
            withdrawn += row.state is State.WITHDRAWN
            untimed += row.updated is not None and is_untimed(row.updated)
            rows.append(row)
        self._counts.update(rows=len(batch), low_quality=low, withdrawn=withdrawn, untimed=untimed)
        self._versions.take(rows)
        if bad:
            self._set_aside(bad)

    def _checked(self, row: Row) -> Row | BadRow:
        """Return a row without digests of empty input; or why it is of no use."""
        hashes = row.hashes
        if hashes and row.entry is not None and not hashes[0].kind.digest and len(hashes) == 1:
            return row  # the usual row, on the shortest way
        if any(map(of_empty_input, hashes)):
            hashes = tuple([item for item in hashes if not of_empty_input(item)])
            self._counts["dropped"] += len(row.hashes) - len(hashes)
            row = row._replace(hashes=hashes)
        if not hashes and (row.state is not State.WITHDRAWN or row.entry is None):
            return BadRow(row.line, None, "no usable hash")
        return row

    def _set_aside(self, bad: list[BadRow]) -> None:
        self._quarantined.update(row.reason for row in bad)
        self._first_bad += [(row.line, str(row)) for row in bad[: _SHOWN - len(self._first_bad)]]
        self._set_aside_rows.store(bad)

    def check_any_good(self) -> None:
        """Refuse a file of which no row can be read: it is of another format than it seemed."""
        rows, bad = self._counts["rows"], self._quarantined.total()
        if rows and rows == bad:
            line, why = self._first_bad[0]
            raise ListError(
                f"{self._file}: none of its rows can be read ({self._reader.unit} {line}:"
                f" {why}); nothing was imported"
            )

    def end_absent(self) -> None:
        """Withdraw what a full list no longer names; refuse one by which much would go or match no
        more, or anything go while a row could not be read: that row may be what names it.
        """
        before, gone = self._versions.withdraw_absent()
        if self._settings.accept_shrink:
            return
        bad, absent = self._quarantined.total(), self._versions.counts["absent"]
        if bad and absent:
            raise ListError(
                f"{self._file}: could not read {bad} of {counted(self._counts['rows'], 'row')}, and"
                f" {absent} of the source's {counted(before, 'entry', 'entries')}, which no other"
                " row names, would be withdrawn; if they are to go, import it with"
                " --accept-shrink; nothing was imported"
            )
        if gone > before * _SHRINK:
            raise ListError(
                f"{self._file} would withdraw {gone} of the source's"
                f" {counted(before, 'entry', 'entries')}, or give them a state that matches"
                " nothing; if it is whole, import it with --accept-shrink; nothing was imported"
            )

    def finish(
        self, notes: Sequence[str], sha256: str, remembered: Mapping[str, Any]
    ) -> ImportReport:
        """Publish what was taken, keep what the import did, and report it. The `notes` are told
        beside those of the run itself, and `remembered` is kept of the import beside its counts.
        """
        number = self._published()
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
            notes=(*self._reader.notes, *notes, *self._notes()),
            **{name: counts[name] for name in COUNT_FIELDS},
        )
        self._keep(report, sha256, remembered)
        return report

    def _published(self) -> int:
        """Write the segments and name the generation, or confirm the one there is, if the file has
        any rows; the number of the list's generation now.
        """
        number = self._before.number
        if self._versions.finish():
            number += 1
            segments.write_changed(
                self._connection,
                self._folder,
                self._before,
                self._versions.changes,
                number,
            )
            generations.publish(
                self._connection,
                number,
                what="import",
                states=self._versions.states,
                by=self._settings.by,
                came=self._versions.came,
            )
        elif self._counts["rows"]:
            generations.confirm(self._connection, number)
        return number

    def _notes(self) -> Iterator[str]:
        if not self._counts["rows"]:
            yield _NO_ROWS
        if self._quarantined[UNDECODABLE]:
            yield _OTHER_ENCODING

    def _keep(self, report: ImportReport, sha256: str, remembered: Mapping[str, Any]) -> None:
        kept = dict(remembered) | {name: getattr(report, name) for name in COUNT_FIELDS}
        kept |= pixel_versions.remembered(self._pixels)
        kept |= {"quarantined": report.quarantined, "unknown_columns": report.unknown_columns}
        if self._settings.terms is not None:
            kept[TERMS_KEY] = format_terms(self._settings.terms)
        if self._settings.full:
            kept[FULL_KEY] = True
            kept[ABSENT_KEY] = self._versions.absent_from
        origin = (report.file, report.format, report.source, sha256)
        self._connection.execute(
            "INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._id,
                report.generation,
                time.time(),
                *origin,
                json.dumps(kept),
                self._settings.by,
            ),
        )
