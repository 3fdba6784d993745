"""Conflicts: entries of one hash of which different things are said, by several sources or by one.

All of it is kept, and shown on a match; an import only counts them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from screener.lists.states import State
from screener.lists.store import repeated_values
from screener.lists.store.column_checks import parse_pairs
from screener.lists.store.records import LOW_INFORMATION
from screener.lists.store.version_counts import count_versions, group_current_values

# Where many versions are new, all values are grouped: so many times as fast as looking each up.
_SHARE = 20

_VALUES = (
    # Of the hashes alone SQLite would go through all in the order of their values.
    "SELECT DISTINCT h.kind, h.value FROM records r CROSS JOIN hashes h ON h.record = r.id"
    " WHERE r.id >= ?",
    "SELECT kind, value FROM hashes GROUP BY kind, value HAVING count(*) > 1 AND max(record) >= ?",
)
_SAYS = "r.said <> ? AND h.why_not IS NOT ? AND h.why_not IS NOT ?"
_NOTHING = (
    State.WITHDRAWN,
    repeated_values.REPEATED,
    LOW_INFORMATION,
)  # these say nothing of a hash
_HOLDERS = (
    "SELECT r.id, r.said, r.categories FROM hashes h JOIN records r ON r.id = h.record"
    f" WHERE h.kind = ? AND h.value = ? AND r.until IS NULL AND {_SAYS}"
)

Holder = tuple[int, str, str]  # the version, what it says, and its categories


def count(
    connection: sqlite3.Connection,
    first: int,
    states: Mapping[str, int],
    shared: Sequence[tuple[str, bytes]] | None = None,
) -> int:
    """Return how many entries with new versions, which are numbered from `first` on, have a hash
    of which another entry says otherwise: another state, or another category of one scheme.

    `states` are how many records are in each; `shared` are the values that several records have,
    if they are known. Takes a byte of memory for each new version.
    """
    known = count_versions(connection, states)
    marks = bytearray(max(0, known.versions + 1 - first))
    share = _SHARE if known.is_mostly_current else 1
    if shared is not None:
        groups = _looked_up(connection, shared)
    elif known.is_cheap(len(marks), share=share):
        connection.execute("PRAGMA temp_store = MEMORY")  # so that no value gets into a file
        groups = _looked_up(connection, connection.execute(_VALUES[0], (first,)))
    elif known.is_mostly_current:
        groups = _looked_up(connection, connection.execute(_VALUES[1], (first,)))
    else:
        groups = _gathered(connection, first)
    for holders in groups:
        for record in _contradicted(holders):
            if record >= first:
                marks[record - first] = 1
    return marks.count(1)


def _looked_up(
    connection: sqlite3.Connection, values: Iterable[tuple[str, bytes]]
) -> Iterator[Sequence[Holder]]:
    """Yield the holders of each of the values."""
    for value in values:
        yield connection.execute(_HOLDERS, (*value, *_NOTHING)).fetchall()


def _gathered(connection: sqlite3.Connection, first: int) -> Iterator[Sequence[Holder]]:
    """Yield who holds each of the values of new versions of which not all say the same, found
    among what is current: most versions that ever held one are over.
    """
    differing = "(min(r.said) <> max(r.said) OR min(r.categories) <> max(r.categories))"
    for (numbers,) in connection.execute(
        f"SELECT group_concat(r.id) {group_current_values(connection, _SAYS)}"
        f" HAVING max(r.id) >= ? AND {differing}",
        (*_NOTHING, first),
    ):
        yield connection.execute(
            f"SELECT id, said, categories FROM records WHERE id IN ({numbers})"
        ).fetchall()


def _contradicted(holders: Sequence[Holder]) -> Iterator[int]:
    """Yield the holders of a value of which another says otherwise."""
    several = len({said for _, said, _ in holders}) > 1
    codes = defaultdict(set)
    for categories in {categories for *_, categories in holders}:
        for scheme, some in _by_scheme(categories).items():
            codes[scheme].add(some)
    doubtful = {scheme for scheme, found in codes.items() if len(found) > 1}
    if several or doubtful:
        for record, _, categories in holders:
            if several or not doubtful.isdisjoint(_by_scheme(categories)):
                yield record


def _by_scheme(categories: str) -> dict[str, frozenset[str]]:
    found = defaultdict(set)
    for scheme, code in parse_pairs(categories):
        found[scheme].add(code)
    return {scheme: frozenset(codes) for scheme, codes in found.items()}
