"""Count the records of a generation by source, state and matchable kinds.

Counting reads all hashes. So the census of the newest generation is stored, and each change derives
it from the previous one and from the versions that it added and ended. A purge rewrites the past,
so it counts again. A list last written by an older version has no census, and is counted on demand.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from screener.lists.store import schema
from screener.lists.store.column_checks import CENSUS_NAME, parse_census
from screener.lists.store.database import is_in_generation, split_ids

_MAX_VERSIONS = 10_000  # per query, to bound what SQLite sorts
_COUNT_GROUPS = (
    "SELECT source, state, kinds, aside, count(*) FROM (SELECT r.source, r.state,"
    " group_concat(CASE WHEN h.why_not IS NULL THEN h.kind END) AS kinds,"
    " count(h.why_not) > 0 AS aside FROM records r LEFT JOIN hashes h ON h.record = r.id"
    " WHERE {condition} GROUP BY r.id) GROUP BY 1, 2, 3, 4"
)


class Group(NamedTuple):
    """The properties by which a census groups records.

    `kinds`: the kinds of compared hashes, sorted and unique.
    `aside`: whether the record has hashes that are not compared.
    """

    source: str
    state: str
    kinds: tuple[str, ...]
    aside: bool


Census = Mapping[Group, int]


def count(connection: sqlite3.Connection, number: int) -> Counter[Group]:
    """Count the records of a generation, one by one."""
    census: Counter[Group] = Counter()
    for first, last in split_ids(connection, _MAX_VERSIONS):
        condition = f"r.id BETWEEN {first:d} AND {last:d} AND {is_in_generation(number)}"
        census.update(_count(connection, condition))
    return census


def read(connection: sqlite3.Connection, number: int) -> Census | None:
    """Return the stored census of a generation, or None."""
    stored_number, _, census = _read(connection)
    return census if stored_number == number else None


def update(connection: sqlite3.Connection, number: int, came: Census | None = None) -> None:
    """Derive the census of a new generation from the previous one, if stored.

    `came` is the census of the versions that the generation added, if the caller has it.
    """
    stored_number, newest, census = _read(connection)
    if stored_number != number - 1:
        return
    new = f"r.id > {newest:d} AND r.until IS NULL AND r.since = {number:d}"
    ended = f"{schema.END_COLUMN.format(rows='r.')} = {number:d} AND r.since < {number:d}"
    census.update(_count(connection, new) if came is None else came)
    census.subtract(_count(connection, f"r.id IN (SELECT r.id FROM records r WHERE {ended})"))
    _write(connection, number, census)


def recount(connection: sqlite3.Connection, number: int) -> None:
    """Count a generation again and store its census; it is or becomes the newest."""
    _write(connection, number, count(connection, number))


def _read(connection: sqlite3.Connection) -> tuple[int | None, int, Counter[Group]]:
    """Return the number of the counted generation, its newest version's id, and the census."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (CENSUS_NAME,)).fetchone()
    if row is None:
        return None, 0, Counter()
    number, newest, groups = parse_census(row[0])
    census = {Group(source, state, kinds, aside): n for source, state, kinds, aside, n in groups}
    return number, newest, Counter(census)


def _count(connection: sqlite3.Connection, condition: str) -> Counter[Group]:
    census: Counter[Group] = Counter()
    for source, state, kinds, aside, count in connection.execute(
        _COUNT_GROUPS.format(condition=condition)
    ):
        distinct = () if kinds is None else tuple(sorted(set(kinds.split(","))))
        census[Group(source, state, distinct, bool(aside))] += count
    return census


def _write(connection: sqlite3.Connection, number: int, census: Counter[Group]) -> None:
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0]
    groups = [[*group, count] for group, count in sorted(census.items()) if count]
    text = json.dumps([number, newest, groups], ensure_ascii=False, separators=(",", ":"))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (CENSUS_NAME, text))
