"""Kept terms: those of each source, in a list's database."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from screener.arguments import check_author
from screener.errors import ListError
from screener.lists.store import generations, transaction
from screener.lists.terms import Terms, check_terms, format_terms

_SPREAD = {None: None, 0: False, 1: True}  # as it is stored: nothing else is a yes


def stored(connection: sqlite3.Connection) -> dict[str, Terms]:
    """Return the terms that a list keeps, by source."""
    rows = connection.execute("SELECT source, tlp, redistribution, expires, note FROM terms")
    try:
        return {
            source: Terms(tlp, _SPREAD[spread], expires, note)
            for source, tlp, spread, expires, note in rows
        }
    except ListError as error:
        raise ValueError from error  # damage: nobody gave these


def set_terms(folder: Path, source: str, terms: Terms, *, by: str | None) -> Terms:
    """Keep the terms of a source, and name a generation of the same age, for the log."""
    check_terms(terms)
    check_author(by)
    with transaction.transaction(folder) as connection:
        _check_known(connection, source)
        before = generations.at(connection, folder)
        generations.publish(
            connection, before.number + 1, what="terms", states=before.states,
            confirmed=before.time, by=by, note=f"{source}: {format_terms(terms)}",
        )  # fmt: skip
        return store(connection, source, terms, by=by)


def _check_known(connection: sqlite3.Connection, source: str) -> None:
    """Raise ListError if nothing was ever imported of a source."""
    row = connection.execute("SELECT 1 FROM imports WHERE source = ? LIMIT 1", (source,)).fetchone()
    if row is None:
        raise ListError(f"the list has nothing of the source {source!r}")


def store(connection: sqlite3.Connection, source: str, terms: Terms, *, by: str | None) -> Terms:
    """Keep the terms of a source: what they say replaces, what they do not say stays."""
    held = replace(stored(connection).get(source, Terms()), **terms.to_dict())
    keep(connection, source, held, by=by)
    return held


def keep(connection: sqlite3.Connection, source: str, held: Terms, *, by: str | None) -> None:
    """Keep just these terms of a source."""
    connection.execute(
        "INSERT OR REPLACE INTO terms VALUES (?, ?, ?, ?, ?, ?, ?)",
        (source, held.tlp, held.redistribution, held.expires, held.note, by, time.time()),
    )
