"""Count conflicts: entries that share a hash but differ in state or category.

The entries may be of one source or several. All are stored and shown on a match; an import only
counts them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from screener.lists.states import State
from screener.lists.store import repeated_values
from screener.lists.store.column_checks import parse_pairs
from screener.lists.store.records import LOW_INFORMATION

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


def count_conflicts(connection: sqlite3.Connection) -> int:
    """Return how many versions in `shared` conflict with another entry.

    Two entries conflict if they share a hash and have different states, or different categories of
    the same scheme. See `repeated_values.note_shared`.
    """
    values = connection.execute(
        "SELECT DISTINCT s.kind, s.value FROM shared s CROSS JOIN records r ON r.id = s.record"
        " WHERE EXISTS (SELECT 1 FROM hashes o CROSS JOIN records p ON p.id = o.record"
        " WHERE o.kind = s.kind AND o.value = s.value AND p.until IS NULL"
        " AND (p.said <> r.said OR p.categories <> r.categories))"
    ).fetchall()
    conflicting: set[int] = set()
    for value in values:
        rows = connection.execute(_HOLDERS_QUERY, (*value, *_CAN_CONFLICT_PARAMETERS))
        conflicting.update(_find_contradicted(list(map(Holder._make, rows))))
    query = "SELECT DISTINCT record FROM shared"
    return len(conflicting.intersection(record for (record,) in connection.execute(query)))


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
