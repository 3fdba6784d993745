"""Conflicts: entries of one hash of which different things are said, by several sources or by one.

All of it is kept, and shown on a match; an import only counts them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from screener.lists.states import State
from screener.lists.store import repeated_values
from screener.lists.store.column_checks import pairs_of
from screener.lists.store.records import LOW_INFORMATION
from screener.lists.store.version_counts import by_current_value, past

# Where many versions are new, all values are grouped: so many times as fast as looking each up.
_GROUPING_SPEEDUP = 20

_NEW_VALUES = (
    # Of the hashes alone SQLite would go through all in the order of their values.
    "SELECT DISTINCT h.kind, h.value FROM records r CROSS JOIN hashes h ON h.record = r.id"
    " WHERE r.id >= ?",
    "SELECT kind, value FROM hashes GROUP BY kind, value HAVING count(*) > 1 AND max(record) >= ?",
)
_IS_STATEMENT = "r.said <> ? AND h.why_not IS NOT ? AND h.why_not IS NOT ?"
_NO_STATEMENT = (
    State.WITHDRAWN,
    repeated_values.REPEATED,
    LOW_INFORMATION,
)  # these say nothing of a hash
_HOLDERS_QUERY = (
    "SELECT r.id, r.said, r.categories FROM hashes h JOIN records r ON r.id = h.record"
    f" WHERE h.kind = ? AND h.value = ? AND r.until IS NULL AND {_IS_STATEMENT}"
)

Holder = tuple[int, str, str]  # the version, what it says, and its categories


def count_conflicts(
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
    versions = past(connection, states)
    marks = bytearray(max(0, versions.versions + 1 - first))
    share = _GROUPING_SPEEDUP if versions.short else 1
    if shared is not None:
        groups = _look_up(connection, shared)
    elif versions.few(len(marks), share=share):
        connection.execute("PRAGMA temp_store = MEMORY")  # so that no value gets into a file
        groups = _look_up(connection, connection.execute(_NEW_VALUES[0], (first,)))
    elif versions.short:
        groups = _look_up(connection, connection.execute(_NEW_VALUES[1], (first,)))
    else:
        groups = _group_by_value(connection, first)
    for holders in groups:
        for record in _find_contradicted(holders):
            if record >= first:
                marks[record - first] = 1
    return marks.count(1)


def _look_up(
    connection: sqlite3.Connection, values: Iterable[tuple[str, bytes]]
) -> Iterator[Sequence[Holder]]:
    """Yield the holders of each of the values."""
    for value in values:
        yield connection.execute(_HOLDERS_QUERY, (*value, *_NO_STATEMENT)).fetchall()


def _group_by_value(connection: sqlite3.Connection, first: int) -> Iterator[Sequence[Holder]]:
    """Yield who holds each of the values of new versions of which not all say the same, found
    among what is current: most versions that ever held one are over.
    """
    differing = "(min(r.said) <> max(r.said) OR min(r.categories) <> max(r.categories))"
    for (numbers,) in connection.execute(
        f"SELECT group_concat(r.id) {by_current_value(connection, _IS_STATEMENT)}"
        f" HAVING max(r.id) >= ? AND {differing}",
        (*_NO_STATEMENT, first),
    ):
        yield connection.execute(
            f"SELECT id, said, categories FROM records WHERE id IN ({numbers})"
        ).fetchall()


def _find_contradicted(holders: Sequence[Holder]) -> Iterator[int]:
    """Yield the holders of a value of which another says otherwise."""
    has_several_states = len({state for _, state, _ in holders}) > 1
    codes = defaultdict(set)
    for categories in {categories for *_, categories in holders}:
        for scheme, scheme_codes in _group_by_scheme(categories).items():
            codes[scheme].add(scheme_codes)
    disputed_schemes = {scheme for scheme, code_sets in codes.items() if len(code_sets) > 1}
    if has_several_states or disputed_schemes:
        for record, _, categories in holders:
            if has_several_states or not disputed_schemes.isdisjoint(_group_by_scheme(categories)):
                yield record


def _group_by_scheme(categories: str) -> dict[str, frozenset[str]]:
    codes_by_scheme = defaultdict(set)
    for scheme, code in pairs_of(categories):
        codes_by_scheme[scheme].add(code)
    return {scheme: frozenset(codes) for scheme, codes in codes_by_scheme.items()}
