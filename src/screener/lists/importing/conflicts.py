"""Count conflicts: entries that share a hash but differ in state or category.

The entries may be of one source or several. All are stored and shown on a match; an import only
counts them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from screener.lists.states import State
from screener.lists.store import repeated_values
from screener.lists.store.column_checks import parse_pairs
from screener.lists.store.records import LOW_INFORMATION
from screener.lists.store.version_counts import count_versions, group_current_values

# Looking up one value takes about as long as grouping this many.
_GROUPING_SPEEDUP = 20

# CROSS JOIN: otherwise SQLite reads all hashes in the order of their values.
_NEW_VALUES = (
    "SELECT DISTINCT h.kind, h.value FROM records r CROSS JOIN hashes h ON h.record = r.id"
    " WHERE r.id >= ?"
)
_NEW_SHARED_VALUES = (
    "SELECT kind, value FROM hashes GROUP BY kind, value HAVING count(*) > 1 AND max(record) >= ?"
)
# Withdrawn records, placeholders and hashes of low information cannot conflict.
_CAN_CONFLICT_SQL = "r.said <> ? AND h.why_not IS NOT ? AND h.why_not IS NOT ?"
_CAN_CONFLICT_PARAMETERS = (State.WITHDRAWN, repeated_values.REPEATED, LOW_INFORMATION)
_HOLDERS_QUERY = (
    "SELECT r.id, r.said, r.categories FROM hashes h JOIN records r ON r.id = h.record"
    f" WHERE h.kind = ? AND h.value = ? AND r.until IS NULL AND {_CAN_CONFLICT_SQL}"
)


class Holder(NamedTuple):
    """A version with a value."""

    version_number: int
    stated_state: str
    categories: str


def count_conflicts(
    connection: sqlite3.Connection,
    first_new: int,
    records_by_state: Mapping[str, int],
    shared_values: Sequence[tuple[str, bytes]] | None = None,
) -> int:
    """Return how many new versions (stored states of entries) conflict with another entry.

    Two entries conflict if they share a hash and have different states, or different categories of
    the same scheme. Memory: one byte per new version.

    `first_new`: number of the first new version.
    `records_by_state`: number of records in each state.
    `shared_values`: the values that several records have, if known.
    """
    version_counts = count_versions(connection, records_by_state)
    is_conflicting = bytearray(max(0, version_counts.versions + 1 - first_new))
    grouping_speedup = _GROUPING_SPEEDUP if version_counts.is_mostly_current else 1
    if shared_values is not None:
        groups = _look_up(connection, shared_values)
    elif version_counts.favours_lookup(len(is_conflicting), share=grouping_speedup):
        connection.execute("PRAGMA temp_store = MEMORY")  # no value may get into a file
        groups = _look_up(connection, connection.execute(_NEW_VALUES, (first_new,)))
    elif version_counts.is_mostly_current:
        groups = _look_up(connection, connection.execute(_NEW_SHARED_VALUES, (first_new,)))
    else:
        groups = _group_by_value(connection, first_new)
    for holders in groups:
        for version_number in _find_contradicted(holders):
            if version_number >= first_new:
                is_conflicting[version_number - first_new] = 1
    return is_conflicting.count(1)


def _look_up(
    connection: sqlite3.Connection, values: Iterable[tuple[str, bytes]]
) -> Iterator[Sequence[Holder]]:
    """Yield the holders of each value."""
    for value in values:
        rows = connection.execute(_HOLDERS_QUERY, (*value, *_CAN_CONFLICT_PARAMETERS))
        yield list(map(Holder._make, rows))


def _group_by_value(connection: sqlite3.Connection, first_new: int) -> Iterator[Sequence[Holder]]:
    """Yield the holders of each value of a new version, if they differ in state or categories.

    Only current versions are read, since most versions of such a list have been replaced.
    """
    differing = "(min(r.said) <> max(r.said) OR min(r.categories) <> max(r.categories))"
    for (numbers,) in connection.execute(
        f"SELECT group_concat(r.id) {group_current_values(connection, _CAN_CONFLICT_SQL)}"
        f" HAVING max(r.id) >= ? AND {differing}",
        (*_CAN_CONFLICT_PARAMETERS, first_new),
    ):
        rows = connection.execute(
            f"SELECT id, said, categories FROM records WHERE id IN ({numbers})"
        )
        yield list(map(Holder._make, rows))


def _find_contradicted(holders: Sequence[Holder]) -> Iterator[int]:
    """Yield the numbers of the holders that conflict with another holder of the value."""
    has_several_states = len({holder.stated_state for holder in holders}) > 1
    code_sets = defaultdict(set)
    for categories in {holder.categories for holder in holders}:
        for scheme, codes in _group_by_scheme(categories).items():
            code_sets[scheme].add(codes)
    conflicting_schemes = {scheme for scheme, sets in code_sets.items() if len(sets) > 1}
    if has_several_states or conflicting_schemes:
        for holder in holders:
            schemes = _group_by_scheme(holder.categories)
            if has_several_states or not conflicting_schemes.isdisjoint(schemes):
                yield holder.version_number


def _group_by_scheme(categories: str) -> dict[str, frozenset[str]]:
    codes_by_scheme = defaultdict(set)
    for scheme, code in parse_pairs(categories):
        codes_by_scheme[scheme].add(code)
    return {scheme: frozenset(codes) for scheme, codes in codes_by_scheme.items()}
