"""Show all that a list stores about an entry, and where it came from."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.redaction import HIDDEN, may_hold_hash
from screener.lists.states import Opinion
from screener.lists.store import match_counts, source_terms
from screener.lists.store.column_checks import texts_of
from screener.lists.store.database import of_generation
from screener.lists.store.records import Category, categories_of, of_entry, opinions_of


@dataclass(frozen=True)
class ShownHash:
    """A hash of an entry: its kind, quality, and why it is not compared (None if it is).

    `value` is its text, None unless values were asked for. `also_by` are the other entries with the
    same value, as (source, entry, state); empty with `alone`.
    """

    kind: str
    quality: int | None
    why_not: str | None
    also_by: tuple[tuple[str, str, str], ...]
    value: str | None = None


@dataclass(frozen=True)
class ShownVersion:
    """A version of a record, its state in effect, and the import that it came from.

    It belongs to the generations from `since` up to, but not including, `until` (None: still
    current).
    """

    since: int
    until: int | None
    state: str
    file: str
    format: str
    time: float
    by: str | None


@dataclass(frozen=True)
class Shown:
    """A record of one generation, and its past.

    `state` is in effect, `said` the source's statement; `terms` are those of the source, narrowed
    by its own labels; `matched` counts its matches by kind and day, if scans count them.
    """

    source: str
    entry: str
    state: str
    said: str
    opinions: tuple[Opinion, ...]
    categories: tuple[Category, ...]
    labels: Mapping[str, str]
    updated: str | None
    terms: Mapping[str, Any]
    hashes: tuple[ShownHash, ...]
    versions: tuple[ShownVersion, ...]
    matched: Mapping[str, Mapping[str, int]]
    flood: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def show(
    connection: sqlite3.Connection,
    folder: Path,
    number: int,
    entry: str,
    *,
    source: str | None,
    values: bool,
    alone: bool,
) -> list[Shown]:
    """Return an entry's record in generation `number`, for each source that has it.

    `alone` leaves out its past and the other entries that have its hashes.
    """
    stored_terms = source_terms.stored(connection)
    entries = []
    for record in of_entry(connection, entry, source, number):
        stored_source, state, stated, categories, text, updated = connection.execute(
            "SELECT source, state, said, categories, labels, updated FROM records WHERE id = ?",
            (record,),
        ).fetchone()
        labels, matched = texts_of(text), match_counts.of_entry(folder, stored_source, entry)
        in_force = terms.narrow(
            stored_terms.get(stored_source, terms.Terms()),
            terms.parse_labels(labels) or terms.Terms(),
        )
        entries.append(
            Shown(
                stored_source,
                entry,
                state,
                stated,
                opinions_of(connection, number, stored_source, entry),
                categories_of(categories),
                labels if values else _redacted(labels),
                updated,
                in_force.to_dict(),
                _hashes(connection, record, number, values=values, alone=alone),
                () if alone else _versions(connection, stored_source, entry),
                matched,
                match_counts.is_flood(folder, stored_source, entry, matched),
            )
        )
    return entries


def _redacted(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels without texts that may contain a hash; a hidden name becomes a number."""
    redacted: dict[str, str] = {}
    for number, (name, text) in enumerate(labels.items(), 1):
        shown_name = f"{HIDDEN} {number}" if may_hold_hash(name) else name
        redacted[shown_name] = HIDDEN if may_hold_hash(text) else text
    return redacted


def _hashes(
    connection: sqlite3.Connection, record: int, number: int, *, values: bool, alone: bool
) -> tuple[ShownHash, ...]:
    hashes = []
    for kind, value, quality, why_not in connection.execute(
        "SELECT kind, value, quality, why_not FROM hashes WHERE record = ?", (record,)
    ).fetchall():
        others = () if alone else _others(connection, kind, value, record, number)
        text = Hash(KINDS[kind], value).text if values else None
        hashes.append(ShownHash(kind, quality, why_not, others, text))
    return tuple(hashes)


def _others(
    connection: sqlite3.Connection, kind: str, value: bytes, record: int, number: int
) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        connection.execute(
            "SELECT r.source, r.entry, r.state FROM hashes h JOIN records r ON r.id = h.record"
            f" WHERE h.kind = ? AND h.value = ? AND r.id <> ? AND {of_generation(number)}"
            " ORDER BY 1, 2",
            (kind, value, record),
        )
    )


def _versions(connection: sqlite3.Connection, source: str, entry: str) -> tuple[ShownVersion, ...]:
    return tuple(
        ShownVersion(*row)
        for row in connection.execute(
            "SELECT r.since, r.until, r.state, i.file, i.format, i.time, i.who FROM records r"
            " JOIN imports i ON i.id = r.import WHERE r.source = ? AND r.entry = ?"
            " AND r.until IS NOT r.since ORDER BY r.id",
            (source, entry),
        )
    )
