"""Read and write the terms of each source in the database of a list."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from screener.arguments import check_author
from screener.errors import ListError
from screener.lists.store import generations, transaction
from screener.lists.terms import Terms, check_terms, format_terms

_REDISTRIBUTION = {None: None, 0: False, 1: True}  # no other stored value is valid


def read_terms(connection: sqlite3.Connection) -> dict[str, Terms]:
    """Return the stored terms by source."""
    rows = connection.execute("SELECT source, tlp, redistribution, expires, note FROM terms")
    try:
        return {
            source: Terms(tlp, _REDISTRIBUTION[redistribution], expires, note)
            for source, tlp, redistribution, expires, note in rows
        }
    except ListError as error:
        raise ValueError from error  # the row is damaged


def set_terms(folder: Path, source: str, terms: Terms, *, by: str | None) -> Terms:
    """Update the terms of a source, and publish a generation for the log."""
    check_terms(terms)
    check_author(by)
    with transaction.begin(folder) as connection:
        _check_known(connection, source)
        before = generations.load(connection, folder)
        generations.publish(
            connection, before.next_number, what="terms", confirmed=before.time, by=by,
            note=f"{source}: {format_terms(terms)}",
        )  # fmt: skip
        return update_terms(connection, source, terms, by=by)


def _check_known(connection: sqlite3.Connection, source: str) -> None:
    """Raise ListError if nothing was ever imported of a source."""
    row = connection.execute("SELECT 1 FROM imports WHERE source = ? LIMIT 1", (source,)).fetchone()
    if row is None:
        raise ListError(f"the list has nothing of the source {source!r}")


def update_terms(
    connection: sqlite3.Connection, source: str, terms: Terms, *, by: str | None
) -> Terms:
    """Replace the stored terms of a source that `terms` sets, and return the result."""
    updated = replace(read_terms(connection).get(source, Terms()), **terms.to_dict())
    write_terms(connection, source, updated, by=by)
    return updated


def write_terms(
    connection: sqlite3.Connection, source: str, terms: Terms, *, by: str | None
) -> None:
    """Replace all stored terms of a source."""
    connection.execute(
        "INSERT OR REPLACE INTO terms VALUES (?, ?, ?, ?, ?, ?, ?)",
        (source, terms.tlp, terms.redistribution, terms.expires, terms.note, by, time.time()),
    )
