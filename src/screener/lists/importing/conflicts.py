"""Count conflicts: entries that share a hash but differ in state or category.

The entries may be of one source or several. All are stored and shown on a match; an import only
counts them.
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

# Speed-up, per value, of grouping all values over looking each one up.
_GROUPING_SPEEDUP = 20

# CROSS JOIN: otherwise SQLite reads all hashes in the order of their values.
_NEW_VALUES = (
    "SELECT DISTINCT h.kind, h.value FROM records r CROSS JOIN hashes h ON h.record = r.id"
    " WHERE r.id >= ?"
)
_NEW_SHARED_VALUES = (
    "SELECT kind, value FROM hashes GROUP BY kind, value HAVING count(*) > 1 AND max(record) >= ?"
)
# Withdrawals and excluded hashes cannot conflict.
_CAN_CONFLICT = "r.said <> ? AND h.why_not IS NOT ? AND h.why_not IS NOT ?"
_CAN_CONFLICT_PARAMETERS = (State.WITHDRAWN, repeated_values.REPEATED, LOW_INFORMATION)
_HOLDERS_QUERY = (
    "SELECT r.id, r.said, r.categories FROM hashes h JOIN records r ON r.id = h.record"
    f" WHERE h.kind = ? AND h.value = ? AND r.until IS NULL AND {_CAN_CONFLICT}"
)

Holder = tuple[int, str, str]  # the version's number, its stated state, and its categories


def count_conflicts(
    connection: sqlite3.Connection,
    first: int,
    states: Mapping[str, int],
    shared: Sequence[tuple[str, bytes]] | None = None,
) -> int:
    """Return the number of new versions that conflict with another entry.

    Two entries conflict if they share a hash and have different states, or different categories of
    the same scheme. Memory: one byte per new version.

    `first`: number of the first new version.
    `states`: number of records in each state.
    `shared`: the values that several records have, if known.
    """
    version_counts = count_versions(connection, states)
    marks = bytearray(max(0, version_counts.versions + 1 - first))
    share = _GROUPING_SPEEDUP if version_counts.is_mostly_current else 1
    if shared is not None:
        groups = _look_up(connection, shared)
    elif version_counts.is_cheap(len(marks), share=share):
        connection.execute("PRAGMA temp_store = MEMORY")  # no value may get into a file
        groups = _look_up(connection, connection.execute(_NEW_VALUES, (first,)))
    elif version_counts.is_mostly_current:
        groups = _look_up(connection, connection.execute(_NEW_SHARED_VALUES, (first,)))
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
    """Yield the holders of each value."""
    for value in values:
        yield connection.execute(_HOLDERS_QUERY, (*value, *_CAN_CONFLICT_PARAMETERS)).fetchall()


def _group_by_value(connection: sqlite3.Connection, first: int) -> Iterator[Sequence[Holder]]:
    """Yield the holders of each value of a new version whose holders differ.

    It reads current versions only, since most versions that ever held a value have ended.
    """
    differing = "(min(r.said) <> max(r.said) OR min(r.categories) <> max(r.categories))"
    for (numbers,) in connection.execute(
        f"SELECT group_concat(r.id) {group_current_values(connection, _CAN_CONFLICT)}"
        f" HAVING max(r.id) >= ? AND {differing}",
        (*_CAN_CONFLICT_PARAMETERS, first),
    ):
        yield connection.execute(
            f"SELECT id, said, categories FROM records WHERE id IN ({numbers})"
        ).fetchall()


def _find_contradicted(holders: Sequence[Holder]) -> Iterator[int]:
    """Yield the numbers of the holders that conflict with another holder of the value."""
    has_several_states = len({state for _, state, _ in holders}) > 1
    code_sets = defaultdict(set)
    for categories in {categories for *_, categories in holders}:
        for scheme, codes in _group_by_scheme(categories).items():
            code_sets[scheme].add(codes)
    disputed_schemes = {scheme for scheme, sets in code_sets.items() if len(sets) > 1}
    if has_several_states or disputed_schemes:
        for record, _, categories in holders:
            if has_several_states or not disputed_schemes.isdisjoint(_group_by_scheme(categories)):
                yield record


def _group_by_scheme(categories: str) -> dict[str, frozenset[str]]:
    codes_by_scheme = defaultdict(set)
    for scheme, code in parse_pairs(categories):
        codes_by_scheme[scheme].add(code)
    return {scheme: frozenset(codes) for scheme, codes in codes_by_scheme.items()}
