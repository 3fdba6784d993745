"""Convert rows to and from their stored form.

A row is stored as a version of a record, or, if it is quarantined or may be needed again, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
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


class StoredHash(NamedTuple):
    """A hash of a version, with the reason why it is not compared, or None if it is."""

    kind: str
    value: bytes
    quality: int | None
    why_not: str | None


class Version(NamedTuple):
    """The stored form of a row; equal digests mean that nothing changed."""

    state: State
    categories: str
    labels: str
    updated: str | None
    hashes: tuple[StoredHash, ...]
    digest: bytes


def to_version(row: Row) -> Version:
    """Return the stored form of a row, with sorted and unique hashes."""
    hashes = row.hashes if len(row.hashes) < 2 else remove_duplicates(row.hashes)
    stored = tuple(
        [
            StoredHash(hash_.kind.name, hash_.value, hash_.quality, find_exclusion(hash_))
            for hash_ in hashes
        ]
    )
    categories, labels = encode_categories(row.categories), encode_labels(row.labels)
    texts = [format_head(row.state, categories, labels, row.updated)]
    texts += [format_hash(*hash_[:3]) for hash_ in stored]
    digest = make_digest(texts)
    return Version(row.state, categories, labels, row.updated, stored, digest)


def format_head(state: State, categories: str, labels: str, updated: str | None) -> str:
    """Return the text for a version's digest of all but its hashes."""
    return f"{state}\0{categories}\0{labels}\0{updated}"


def format_hash(kind: str, value: bytes, quality: int | None) -> str:
    """Return the text for a version's digest of one hash."""
    return f"\0{kind}\0{quality}\0{value.hex()}"


def make_digest(texts: Iterable[str]) -> bytes:
    """Return the digest of a version; which of its hashes are compared does not change it."""
    return hashlib.blake2b("".join(texts).encode(), digest_size=16).digest()


def read_hashes(connection: sqlite3.Connection, record: int) -> list[StoredHash]:
    """Return the hashes of a stored version."""
    rows = connection.execute(
        "SELECT kind, value, quality, why_not FROM hashes WHERE record = ?", (record,)
    )
    return list(map(StoredHash._make, rows))


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
        for kind, value, quality, _ in read_hashes(connection, record)
    )
    return Row(
        0, entry, State(state), hashes, parse_categories(categories), parse_labels(labels), updated
    )


def relabel(connection: sqlite3.Connection, record: int, labels: Mapping[str, str]) -> None:
    """Replace the labels of a stored version."""
    version = to_version(read_row(connection, record)._replace(labels=labels))
    connection.execute(
        "UPDATE records SET labels = ?, fingerprint = ? WHERE id = ?",
        (version.labels, version.digest, record),
    )


def encode_row(row: Row) -> str:
    """Return a row as JSON, for the quarantine or a later union."""
    hashes = [[hash_.kind.name, hash_.value.hex(), hash_.quality] for hash_ in row.hashes]
    categories = [[category.scheme, category.code] for category in row.categories]
    fields = (row.line, row.entry, row.state, hashes, categories, dict(row.labels), row.updated)
    return _ENCODE((*fields, row.damaged))


def decode_row(text: str) -> Row:
    """Return the row of a JSON text that `encode_row` made."""
    line, entry, state, hashes, pairs, labels, updated, damaged = parse_row(text)
    categories = tuple(Category(scheme, code) for scheme, code in pairs)
    return Row(line, entry, state, hashes, categories, labels, updated, tuple(damaged))


def encode_labels(labels: Mapping[str, str]) -> str:
    """Return labels as JSON, sorted by name."""
    return _ENCODE(dict(sorted(labels.items()))) if labels else "{}"


@lru_cache(maxsize=1024)
def encode_categories(categories: tuple[Category, ...]) -> str:
    """Return categories as JSON, sorted and unique."""
    return _ENCODE(sorted({(category.scheme, category.code) for category in categories}))
