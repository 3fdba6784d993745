"""Show everything that a list stores about an entry, and its imports."""

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
from screener.lists.store.column_checks import parse_labels
from screener.lists.store.database import is_in_generation
from screener.lists.store.records import Category, find_records, parse_categories, read_opinions


@dataclass(frozen=True)
class ShownHash:
    """A hash of an entry.

    `why_not`: why it is not compared, or None if it is.
    `also_by`: other entries with the same value, as (source, entry, state); empty with `alone`.
    `value`: its text, or None if values were not requested.
    """

    kind: str
    quality: int | None
    why_not: str | None
    also_by: tuple[tuple[str, str, str], ...]
    value: str | None = None


@dataclass(frozen=True)
class ShownVersion:
    """A version of a record, with its state in effect and its import.

    It belongs to the generations from `since` up to, not including, `until`, which is None for the
    current version.
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
    """A record of one generation, and its earlier versions.

    `state`: the state in effect; `said`: the state that the source states.
    `terms`: the terms of the source, narrowed by the record's labels.
    `matched`: numbers of matches by kind and day, if scans count them.
    `flood`: whether it matches suspiciously often.
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
    """Return the records of an entry in generation `number`, one per source.

    Parameters:
        connection: the database of the list
        folder: the list
        number: the generation
        entry: the id of the entry
        source: the source of the entry, or None for all sources
        values: whether to show hashes, and labels that may contain one
        alone: whether to omit earlier versions, and other entries with the same hashes
    """
    stored_terms = source_terms.read_terms(connection)
    entries = []
    for record in find_records(connection, entry, source, number):
        stored_source, state, stated, categories, text, updated = connection.execute(
            "SELECT source, state, said, categories, labels, updated FROM records WHERE id = ?",
            (record,),
        ).fetchone()
        labels, matched = parse_labels(text), match_counts.read_counts(folder, stored_source, entry)
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
                read_opinions(connection, number, stored_source, entry),
                parse_categories(categories),
                labels if values else _redact(labels),
                updated,
                in_force.to_dict(),
                _read_hashes(connection, record, number, values=values, alone=alone),
                () if alone else _read_versions(connection, stored_source, entry),
                matched,
                match_counts.is_flood(folder, stored_source, entry, matched),
            )
        )
    return entries


def _redact(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels without names and texts that may contain a hash."""
    redacted: dict[str, str] = {}
    for number, (name, text) in enumerate(labels.items(), 1):
        shown_name = f"{HIDDEN} {number}" if may_hold_hash(name) else name
        redacted[shown_name] = HIDDEN if may_hold_hash(text) else text
    return redacted


def _read_hashes(
    connection: sqlite3.Connection, record: int, number: int, *, values: bool, alone: bool
) -> tuple[ShownHash, ...]:
    hashes = []
    for kind, value, quality, why_not in connection.execute(
        "SELECT kind, value, quality, why_not FROM hashes WHERE record = ?", (record,)
    ).fetchall():
        others = () if alone else _find_others(connection, kind, value, record, number)
        text = Hash(KINDS[kind], value).text if values else None
        hashes.append(ShownHash(kind, quality, why_not, others, text))
    return tuple(hashes)


def _find_others(
    connection: sqlite3.Connection, kind: str, value: bytes, record: int, number: int
) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        connection.execute(
            "SELECT r.source, r.entry, r.state FROM hashes h JOIN records r ON r.id = h.record"
            f" WHERE h.kind = ? AND h.value = ? AND r.id <> ? AND {is_in_generation(number)}"
            " ORDER BY 1, 2",
            (kind, value, record),
        )
    )


def _read_versions(
    connection: sqlite3.Connection, source: str, entry: str
) -> tuple[ShownVersion, ...]:
    return tuple(
        ShownVersion(*row)
        for row in connection.execute(
            "SELECT r.since, r.until, r.state, i.file, i.format, i.time, i.who FROM records r"
            " JOIN imports i ON i.id = r.import WHERE r.source = ? AND r.entry = ?"
            " AND r.until IS NOT r.since ORDER BY r.id",
            (source, entry),
        )
    )
