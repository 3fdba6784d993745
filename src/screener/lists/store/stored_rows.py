"""Convert rows to and from their stored form.

A row is stored as a version of a record, or, if it is quarantined or may be needed again, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from screener.hashing.hash import KINDS, Hash
from screener.lists.states import State
from screener.lists.store.column_checks import parse_labels, parse_row
from screener.lists.store.records import (
    Category,
    Row,
    find_exclusion,
    parse_categories,
    remove_duplicates,
)

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Version(NamedTuple):
    """The stored form of a row; equal fingerprints mean that nothing changed.

    `why_not` has one reason per hash, or None if the hash is compared. `carried` has a bit for each
    term field (see `terms.find_fields`) that was copied from the previous version.
    """

    state: State
    categories: str
    labels: str
    updated: str | None
    hashes: tuple[Hash, ...]
    why_not: tuple[str | None, ...]
    fingerprint: bytes
    carried: int = 0


def to_version(row: Row) -> Version:
    """Return the stored form of a row, with sorted and unique hashes."""
    hashes = row.hashes if len(row.hashes) < 2 else remove_duplicates(row.hashes)
    categories = encode_categories(row.categories)
    labels = encode_labels(row.labels)
    parts = [f"{row.state}\0{categories}\0{labels}\0{row.updated}"]
    parts += [f"{hash_.kind.name}\0{hash_.quality}\0{hash_.value.hex()}" for hash_ in hashes]
    fingerprint = hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()
    why_not = tuple(map(find_exclusion, hashes))
    return Version(row.state, categories, labels, row.updated, hashes, why_not, fingerprint)


def read_labels(connection: sqlite3.Connection, record: int) -> dict[str, str]:
    """Return the labels of a stored version."""
    (labels,) = connection.execute("SELECT labels FROM records WHERE id = ?", (record,)).fetchone()
    return parse_labels(labels)


def read_row(connection: sqlite3.Connection, record: int) -> Row:
    """Return a stored version as a Row."""
    entry, state, categories, labels, updated = connection.execute(
        "SELECT entry, said, categories, labels, updated FROM records WHERE id = ?", (record,)
    ).fetchone()
    hashes = tuple(
        Hash(KINDS[kind], value, quality)
        for kind, value, quality in connection.execute(
            "SELECT kind, value, quality FROM hashes WHERE record = ?", (record,)
        )
    )
    return Row(
        0, entry, State(state), hashes, parse_categories(categories), parse_labels(labels), updated
    )


def relabel(connection: sqlite3.Connection, record: int, labels: Mapping[str, str]) -> None:
    """Replace the labels of a stored version."""
    version = to_version(read_row(connection, record)._replace(labels=labels))
    connection.execute(
        "UPDATE records SET labels = ?, fingerprint = ? WHERE id = ?",
        (version.labels, version.fingerprint, record),
    )


def encode_row(row: Row) -> str:
    """Return a row as JSON, for the quarantine or a later union."""
    hashes = [[hash_.kind.name, hash_.value.hex(), hash_.quality] for hash_ in row.hashes]
    categories = [[category.scheme, category.code] for category in row.categories]
    fields = (row.line, row.entry, row.state, hashes, categories, dict(row.labels), row.updated)
    return _ENCODE((*fields, row.damaged))


def decode_row(text: str, field: str | None = None) -> Row:
    """Return the row of a JSON text that `encode_row` made.

    `field` is the first damaged field; older versions stored only that, not all damaged kinds.
    """
    line, entry, state, hashes, pairs, labels, updated, more = parse_row(text)
    kind = (field or "").removesuffix("_quality")
    damaged = more[0] if more else [kind] if kind in KINDS else []
    categories = tuple(Category(scheme, code) for scheme, code in pairs)
    return Row(line, entry, state, hashes, categories, labels, updated, tuple(damaged))


def encode_labels(labels: Mapping[str, str]) -> str:
    """Return labels as JSON, sorted by name."""
    return _ENCODE(dict(sorted(labels.items()))) if labels else "{}"


@lru_cache(maxsize=1024)
def encode_categories(categories: tuple[Category, ...]) -> str:
    """Return categories as JSON, sorted and unique."""
    return _ENCODE(sorted({(category.scheme, category.code) for category in categories}))
