"""Census: how many records of a generation are alike in source, state, and what they can match by.

Counting them reads all hashes. So each generation's census is kept with it, made from that of the
generation before and the versions that came and went in between. A purge, which rewrites the past,
has it counted anew; a list that an older version wrote to last has none, and is counted when asked.
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

_AT_ONCE = 10_000  # versions, so that what SQLite sorts has a bound
_ALIKE = (
    "SELECT source, state, kinds, aside, count(*) FROM (SELECT r.source, r.state,"
    " group_concat(CASE WHEN h.why_not IS NULL THEN h.kind END) AS kinds,"
    " count(h.why_not) > 0 AS aside FROM records r LEFT JOIN hashes h ON h.record = r.id"
    " WHERE {which} GROUP BY r.id) GROUP BY 1, 2, 3, 4"
)


class Group(NamedTuple):
    """What a census tells records apart by.

    `kinds` are those of the hashes that are compared, in order, each once; `aside` is whether there
    are hashes that are not compared.
    """

    source: str
    state: str
    kinds: tuple[str, ...]
    aside: bool


Census = Mapping[Group, int]


def count(connection: sqlite3.Connection, number: int) -> Counter[Group]:
    """Count the records of a generation, one by one."""
    found: Counter[Group] = Counter()
    for first, last in split_ids(connection, _AT_ONCE):
        some = f"r.id BETWEEN {first:d} AND {last:d} AND {is_in_generation(number)}"
        found.update(_count(connection, some))
    return found


def read(connection: sqlite3.Connection, number: int) -> Census | None:
    """Return the census that is kept of a generation, or None."""
    found, _, census = _stored(connection)
    return census if found == number else None


def update(connection: sqlite3.Connection, number: int, came: Census | None = None) -> None:
    """Keep the census of a new generation, if that of the one before is known.

    Every version that changed is of the new generation, or ended with it. `came` is the census of
    the former, if the caller has it.
    """
    before, newest, now = _stored(connection)
    if before != number - 1:
        return
    new = f"r.id > {newest:d} AND r.until IS NULL AND r.since = {number:d}"
    ended = f"{schema.END_COLUMN.format(rows='r.')} = {number:d} AND r.since < {number:d}"
    now.update(_count(connection, new) if came is None else came)
    now.subtract(_count(connection, f"r.id IN (SELECT r.id FROM records r WHERE {ended})"))
    _keep(connection, number, now)


def recount(connection: sqlite3.Connection, number: int) -> None:
    """Keep the census of a generation that is, or is about to be, the newest, counted anew."""
    _keep(connection, number, count(connection, number))


def _stored(connection: sqlite3.Connection) -> tuple[int | None, int, Counter[Group]]:
    """Return the generation of which a census is kept, its newest version, and the census."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (CENSUS_NAME,)).fetchone()
    if row is None:
        return None, 0, Counter()
    number, newest, groups = parse_census(row[0])
    census = {Group(source, state, kinds, aside): n for source, state, kinds, aside, n in groups}
    return number, newest, Counter(census)


def _count(connection: sqlite3.Connection, which: str) -> Counter[Group]:
    found: Counter[Group] = Counter()
    for source, state, kinds, aside, count in connection.execute(_ALIKE.format(which=which)):
        distinct = () if kinds is None else tuple(sorted(set(kinds.split(","))))
        found[Group(source, state, distinct, bool(aside))] += count
    return found


def _keep(connection: sqlite3.Connection, number: int, census: Counter[Group]) -> None:
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0]
    groups = [[*alike, count] for alike, count in sorted(census.items()) if count]
    text = json.dumps([number, newest, groups], ensure_ascii=False, separators=(",", ":"))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (CENSUS_NAME, text))
