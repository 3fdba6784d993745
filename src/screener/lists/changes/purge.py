"""Erase all data of a source from a list permanently; only counts stay.

The transaction deletes its records, its quarantined rows and the opinions of its entries, and
registers new index files for every kind. `screener.lists.store.erase` removes the traces.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from screener.arguments import check_author
from screener.errors import ListError, counted
from screener.hashing.hash import KINDS
from screener.lists.importing import import_terms
from screener.lists.redaction import may_hold_hash
from screener.lists.store import erase, generations, segments, transaction
from screener.lists.store.database import find_damaged_rows
from screener.lists.store.repeated_values import judge_all

# Values stored with the counts of an import: names of labels, and the last signed generation.
_NOT_COUNTS = ("unknown_columns", import_terms.SIGNED_KEY)


@dataclass(frozen=True)
class PurgeReport:
    """The result of a purge: `records` are entries, `versions` all their versions."""

    source: str
    generation: int
    records: int
    versions: int
    hashes: int


def purge(folder: Path, source: str, *, by: str | None, reason: str | None) -> PurgeReport:
    """Erase all data of a source.

    Raises ListError if the list has no such source, or if a reader prevents erasing the log; the
    next writer then completes the purge.
    """
    check_author(by, reason)
    with transaction.write_exclusively(folder) as connection:
        # SQLite overwrites deleted bytes at once; `erase` removes what earlier deletions left.
        connection.execute("PRAGMA secure_delete = ON")
        before = generations.load(connection, folder)
        number = before.next_number
        counts = _count_rows(connection, source)
        if not any(counts):
            raise ListError(f"the list has nothing of the source {source!r}")
        _redact_notes(connection, source)
        _delete(connection, source)
        if any(find_damaged_rows(connection)):  # damaged rows would be missing from the new index
            raise ValueError("damaged rows")
        judge_all(connection, number)
        for kind in KINDS.values():
            if kind.searched:  # other kinds have no index files
                segments.rewrite(connection, folder, kind, number)
        erase.schedule(connection, source)
        records, versions, hashes = counts
        note = f"{source}: {counted(records, 'record')}" + (f": {reason}" if reason else "")
        generations.publish(
            connection, number, what="purge", recount=True, confirmed=before.time, by=by, note=note,
        )  # fmt: skip
    with transaction.lock_writer(folder):
        pass  # taking the lock completes the purge
    return PurgeReport(source, number, records, versions, hashes)


def _count_rows(connection: sqlite3.Connection, source: str) -> tuple[int, int, int]:
    row = connection.execute(
        "SELECT count(DISTINCT entry), count(*),"
        " (SELECT count(*) FROM hashes h JOIN records r ON r.id = h.record"
        " WHERE r.source = :source) FROM records WHERE source = :source",
        {"source": source},
    ).fetchone()
    return row[0], row[1], row[2]


def _redact_notes(connection: sqlite3.Connection, source: str) -> None:
    """Remove notes and file names that may name an entry by its hash."""
    connection.execute(
        "UPDATE generations SET note = :source || ': purged', source = NULL, entry = NULL"
        " WHERE source = :source OR (source IS NULL AND entry IN"
        " (SELECT entry FROM records WHERE source = :source))",
        {"source": source},
    )
    for number, file, counts in connection.execute(
        "SELECT id, file, counts FROM imports WHERE source = ?", (source,)
    ).fetchall():
        counted_only = {
            name: value for name, value in json.loads(counts).items() if name not in _NOT_COUNTS
        }
        connection.execute(
            "UPDATE imports SET file = ?, counts = ? WHERE id = ?",
            ("purged" if may_hold_hash(file) else file, json.dumps(counted_only), number),
        )


def _delete(connection: sqlite3.Connection, source: str) -> None:
    """Delete all rows of a source except those of its imports, which contain only counts."""
    for statement in (
        "DELETE FROM judged WHERE (kind, value) IN (SELECT h.kind, h.value FROM hashes h"
        " JOIN records r ON r.id = h.record WHERE r.source = :source) AND NOT EXISTS (SELECT 1"
        " FROM hashes o JOIN records p ON p.id = o.record WHERE o.kind = judged.kind"
        " AND o.value = judged.value AND p.source <> :source)",
        "DELETE FROM frames WHERE record IN (SELECT id FROM records WHERE source = :source)",
        "DELETE FROM hashes WHERE record IN (SELECT id FROM records WHERE source = :source)",
        "DELETE FROM records WHERE source = :source",
        "DELETE FROM opinions WHERE source = :source",
        "DELETE FROM terms WHERE source = :source",
        "DELETE FROM quarantine WHERE import IN (SELECT id FROM imports WHERE source = :source)",
    ):
        connection.execute(statement, {"source": source})
