"""Conflicts: entries of one hash of which different things are said, by several sources or by one.

All of it is kept, and shown on a match; an import only counts them.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

from screener.lists import placeholders
from screener.lists.records import LOW_INFORMATION
from screener.lists.states import State

# New versions whose values are looked up one by one: so many, or one in so many of all there are.
# Beyond that all values are grouped, which reads each in order.
_LISTED = 20_000
_SHARE = 20

_VALUES = (
    "SELECT DISTINCT kind, value FROM hashes WHERE record >= ?",
    "SELECT kind, value FROM hashes GROUP BY kind, value HAVING count(*) > 1 AND max(record) >= ?",
)
_HOLDERS = (
    "FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = ? AND h.value = ?"
    " AND r.until IS NULL AND r.said <> ? AND h.why_not IS NOT ? AND h.why_not IS NOT ?"
)
_NOTHING = (State.WITHDRAWN, placeholders.REPEATED, LOW_INFORMATION)  # these say nothing of a hash


def count(connection: sqlite3.Connection, first: int) -> int:
    """How many entries with new versions, which are numbered from `first` on, hold a hash of which
    another entry says otherwise: another state, or another category of one scheme.

    A byte for each new version is held.
    """
    newest = connection.execute("SELECT max(id) FROM records").fetchone()[0] or 0
    marks = bytearray(max(0, newest + 1 - first))
    grouped = len(marks) > max(_LISTED, newest // _SHARE)
    values = connection.execute(_VALUES[grouped], (first,))
    for value in values:
        for record in _contradicted(connection, value, first):
            marks[record - first] = 1
    return marks.count(1)


def _contradicted(
    connection: sqlite3.Connection, value: tuple[str, bytes], first: int
) -> Iterator[int]:
    """The new versions that hold a value of which another entry says otherwise."""
    said = connection.execute(
        f"SELECT DISTINCT r.said, r.categories {_HOLDERS}", (*value, *_NOTHING)
    ).fetchall()
    if len(said) < 2:
        return
    several = len({state for state, _ in said}) > 1
    codes = defaultdict(set)
    for _, categories in said:
        for scheme, some in _by_scheme(categories).items():
            codes[scheme].add(some)
    doubtful = {scheme for scheme, found in codes.items() if len(found) > 1}
    if not (several or doubtful):
        return
    for record, categories in connection.execute(
        f"SELECT r.id, r.categories {_HOLDERS} AND r.id >= ?", (*value, *_NOTHING, first)
    ):
        if several or not doubtful.isdisjoint(_by_scheme(categories)):
            yield record


def _by_scheme(categories: str) -> dict[str, frozenset[str]]:
    found = defaultdict(set)
    for scheme, code in json.loads(categories):
        found[scheme].add(code)
    return {scheme: frozenset(codes) for scheme, codes in found.items()}
