"""Count the records of a generation by source, state and matchable kinds.

Counting reads all hashes. So each generation stores its counts, which follow from those of the
previous one and from the versions that began and ended. A purge rewrites the past, so it counts
again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from screener.lists.store import schema
from screener.lists.store.column_checks import parse_counts
from screener.lists.store.database import is_in_generation, is_new, split_ids

_MAX_VERSIONS = 10_000  # per query, to bound what SQLite sorts
_COUNT_GROUPS = (
    "SELECT source, state, kinds, aside, count(*) FROM (SELECT r.source, r.state,"
    " group_concat(CASE WHEN h.why_not IS NULL THEN h.kind END) AS kinds,"
    " count(h.why_not) > 0 AS aside FROM records r LEFT JOIN hashes h ON h.record = r.id"
    " WHERE {condition} GROUP BY r.id) GROUP BY 1, 2, 3, 4"
)


class Group(NamedTuple):
    """The properties by which records are counted.

    `kinds`: the kinds of compared hashes, sorted and unique.
    `aside`: whether the record has hashes that are not compared.
    """

    source: str
    state: str
    kinds: tuple[str, ...]
    aside: bool


Counts = Mapping[Group, int]


def count(connection: sqlite3.Connection, number: int) -> Counts:
    """Count the records of a generation, one by one."""
    counts: Counter[Group] = Counter()
    for first, last in split_ids(connection, _MAX_VERSIONS):
        condition = f"r.id BETWEEN {first:d} AND {last:d} AND {is_in_generation(number)}"
        counts.update(_count(connection, condition))
    return counts


def derive(connection: sqlite3.Connection, number: int) -> Counts:
    """Return the counts of a new generation, from those of the previous one."""
    query = "SELECT counts FROM generations WHERE number = ?"
    (text,) = connection.execute(query, (number - 1,)).fetchone()
    counts = Counter(parse(text))
    ended = f"{schema.END_COLUMN.format(rows='r.')} = {number:d} AND r.since < {number:d}"
    counts.update(_count(connection, is_new(connection, number)))
    counts.subtract(_count(connection, f"r.id IN (SELECT r.id FROM records r WHERE {ended})"))
    return counts


def parse(text: str) -> Counts:
    """Return counts from their stored JSON."""
    groups = parse_counts(text)
    return {Group(source, state, kinds, aside): n for source, state, kinds, aside, n in groups}


def encode(counts: Counts) -> str:
    """Return counts as JSON."""
    groups = [[*group, count] for group, count in sorted(counts.items()) if count]
    return json.dumps(groups, ensure_ascii=False, separators=(",", ":"))


def sum_states(counts: Counts) -> dict[str, int]:
    """Return the number of records in each state."""
    states: Counter[str] = Counter()
    for group, count in sorted(counts.items(), key=lambda item: item[0].state):
        states[group.state] += count
    return dict(states)


def _count(connection: sqlite3.Connection, condition: str) -> Counts:
    counts: Counter[Group] = Counter()
    for source, state, kinds, aside, count in connection.execute(
        _COUNT_GROUPS.format(condition=condition)
    ):
        distinct = () if kinds is None else tuple(sorted(set(kinds.split(","))))
        counts[Group(source, state, distinct, bool(aside))] += count
    return counts
