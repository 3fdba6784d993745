"""Rows in the form that is stored: as versions of records or as they are, and read again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from screener.hashing.hash import KINDS, Hash
from screener.lists.states import State
from screener.lists.store.column_checks import row_of, texts_of
from screener.lists.store.records import Category, Row, categories_of, distinct, why_not_searchable

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Version(NamedTuple):
    """A row in the form that is stored; equal fingerprints mean that nothing changed.

    `why_not` says, hash by hash, why it is not compared; None if it is. `carried` are the fields,
    as `terms.find_fields` has them, of labels that are those of the version before.
    """

    state: State
    categories: str
    labels: str
    updated: str | None
    hashes: tuple[Hash, ...]
    why_not: tuple[str | None, ...]
    fingerprint: bytes
    carried: int = 0

    @property
    def hittable(self) -> list[Hash]:
        """The hashes that can be hit through this version."""
        if self.state is State.WITHDRAWN:
            return []
        return [item for item, why in zip(self.hashes, self.why_not, strict=True) if why is None]


def version_of(row: Row) -> Version:
    """Return the stored form: hashes and categories in a fixed order and each once, the rest as
    JSON.
    """
    hashes = row.hashes if len(row.hashes) < 2 else distinct(row.hashes)
    categories = categories_text(row.categories)
    labels = labels_text(row.labels)
    said = [f"{row.state}\0{categories}\0{labels}\0{row.updated}"]
    said += [f"{item.kind.name}\0{item.quality}\0{item.value.hex()}" for item in hashes]
    fingerprint = hashlib.blake2b("\0".join(said).encode(), digest_size=16).digest()
    why_not = tuple(map(why_not_searchable, hashes))
    return Version(row.state, categories, labels, row.updated, hashes, why_not, fingerprint)


def stored_labels(connection: sqlite3.Connection, record: int) -> dict[str, str]:
    """Return the labels of a stored version."""
    (labels,) = connection.execute("SELECT labels FROM records WHERE id = ?", (record,)).fetchone()
    return texts_of(labels)


def stored_row(connection: sqlite3.Connection, record: int) -> Row:
    """Return a stored version as a row again, for uniting it with another row on the same entry."""
    entry, state, categories, labels, updated = connection.execute(
        "SELECT entry, said, categories, labels, updated FROM records WHERE id = ?", (record,)
    ).fetchone()
    hashes = tuple(
        Hash(KINDS[kind], value, quality)
        for kind, value, quality in connection.execute(
            "SELECT kind, value, quality FROM hashes WHERE record = ?", (record,)
        )
    )
    return Row(0, entry, State(state), hashes, categories_of(categories), texts_of(labels), updated)


def relabel(connection: sqlite3.Connection, record: int, labels: Mapping[str, str]) -> None:
    """Have a stored version say other labels than it does."""
    version = version_of(stored_row(connection, record)._replace(labels=labels))
    connection.execute(
        "UPDATE records SET labels = ?, fingerprint = ? WHERE id = ?",
        (version.labels, version.fingerprint, record),
    )


def packed(row: Row) -> str:
    """Return a row of a file as JSON: one that was set aside, or that a further row may need
    again.
    """
    hashes = [[item.kind.name, item.value.hex(), item.quality] for item in row.hashes]
    categories = [[one.scheme, one.code] for one in row.categories]
    said = (row.line, row.entry, row.state, hashes, categories, dict(row.labels), row.updated)
    return json.dumps((*said, row.damaged), ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str, field: str | None = None) -> Row:
    """Return the row of a JSON text that `packed` made; `field` is the first one of it that was
    bad, which is what older versions say of the kinds that are damaged.
    """
    line, entry, state, hashes, pairs, labels, updated, more = row_of(text)
    kind = (field or "").removesuffix("_quality")
    damaged = more[0] if more else [kind] * (kind in KINDS)
    categories = tuple(Category(scheme, code) for scheme, code in pairs)
    return Row(line, entry, state, hashes, categories, labels, updated, tuple(damaged))


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels in the form that is stored."""
    return _ENCODE(dict(sorted(labels.items()))) if labels else "{}"


@lru_cache(maxsize=1024)
def categories_text(categories: tuple[Category, ...]) -> str:
    """Return categories in the form that is stored."""
    return _ENCODE(sorted({(category.scheme, category.code) for category in categories}))
