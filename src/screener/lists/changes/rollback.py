"""Rollback: a new generation with what an earlier one held, less what was withdrawn since.

What counts is what files said since, in whatever order: that an entry was listed again is taken
back, that it was withdrawn is not. A rollback says nothing of an entry, so that one may be undone
by another.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from screener.arguments import check_asked
from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.importing.report import FULL
from screener.lists.states import State, effective
from screener.lists.store import generations, segments, transaction, video_frames
from screener.lists.store.change_log import ROLLBACK, states_at
from screener.lists.store.database import not_ended, of_generation
from screener.lists.store.records import Row, opinions_at, united_labels
from screener.lists.store.repeated_values import copied, judge_all, unrelease
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import relabel, stored_labels, version_of
from screener.lists.times import order


def rollback(folder: Path, to: int, *, by: str | None, reason: str | None) -> int:
    """Write a generation with the records of an earlier one, less what was withdrawn or purged
    since; its number. Our opinions stay as they are. It is as old as the earlier one.
    """
    check_asked(by, reason)
    with transaction.writing(folder) as connection:
        before = generations.at(connection, folder)
        earlier = generations.at(connection, folder, to)
        if earlier.number >= before.number:
            raise ListError(f"generation {to} is the newest: there is nothing to go back from")
        to = earlier.number  # given as one, of whatever type
        number = before.number + 1
        changes = Changes()
        bound: dict[tuple[str, str], dict[str, str]] = {}
        for record in _ended_by_rollback(connection, to):
            if labels := terms.of_fields(stored_labels(connection, record), terms.ALL):
                bound[_named(connection, record)] = labels
            changes.doubt(_searchable(connection, record))
            connection.execute("UPDATE records SET until = ? WHERE id = ?", (number, record))
        # What is taken out again may be released again.
        connection.execute("UPDATE quarantine SET released = NULL WHERE released > ?", (to,))
        unrelease(connection, to)
        back = _brought_back(connection, to)
        _bring_back(connection, number, back, _unnamed_since(connection, to, back), bound, changes)
        judge_all(connection, number, changes)
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what=f"{ROLLBACK}{to}", states=states_at(connection, number),
            confirmed=earlier.time, by=by, note=reason,
        )  # fmt: skip
        return number


# Versions that withdraw an entry since a generation, by a file that came after it: not those that
# another rollback brought back.
_WITHDRAWN_SINCE = (
    "(r.since > :to AND r.said = :withdrawn"
    " AND r.import IN (SELECT id FROM imports WHERE generation > :to))"
)


class _Back(NamedTuple):
    """A version that a rollback may bring back."""

    record: int
    source: str
    entry: str
    said: str
    updated: str | None
    word: bool  # whether it is a withdrawal that no generation shows: see `Writer`
    then: bool  # whether it is of the generation that is gone back to


def _ended_by_rollback(connection: sqlite3.Connection, to: int) -> list[int]:
    """Current versions newer than a generation, but for withdrawals, which stand."""
    rows = connection.execute(
        "SELECT r.id FROM records r WHERE r.until IS NULL AND r.since > :to"
        f" AND NOT {_WITHDRAWN_SINCE}",
        {"to": to, "withdrawn": State.WITHDRAWN},
    )
    return [record for (record,) in rows]


def _named(connection: sqlite3.Connection, record: int) -> tuple[str, str]:
    query = "SELECT source, entry FROM records WHERE id = ?"
    source, entry = connection.execute(query, (record,)).fetchone()
    return source, entry


def _brought_back(connection: sqlite3.Connection, to: int) -> list[_Back]:
    """What takes the place of the versions that a rollback ended: the last withdrawal since, for it
    is the listing after it that is taken back; or else the version of the generation.
    """
    rows = connection.execute(
        "SELECT r.id, r.source, r.entry, r.said, r.updated, r.until IS r.since,"
        f" {of_generation(to)} FROM records r WHERE {not_ended(to)}"
        f" AND (r.since <= :to OR {_WITHDRAWN_SINCE}) AND NOT EXISTS (SELECT 1 FROM records c"
        " WHERE c.source = r.source AND c.entry = r.entry AND c.until IS NULL)"
        " ORDER BY r.source, r.entry, r.id DESC",
        {"to": to, "withdrawn": State.WITHDRAWN},
    )
    chosen = (_chosen(list(some)) for _, some in groupby(map(_Back._make, rows), itemgetter(1, 2)))
    return sorted(chosen)


def _chosen(some: list[_Back]) -> _Back:
    """Which version of an entry takes the place of the one that was ended, of those that may, the
    newest first: not a word that its source itself says is older than what is gone back to.
    """
    then = next((one for one in some if one.then), None)
    return next(
        one for one in some if not (one.word and then and order(one.updated, then.updated) == -1)
    )


def _unnamed_since(
    connection: sqlite3.Connection, to: int, back: Iterable[_Back]
) -> dict[tuple[str, str], int]:
    """Entries that are to be brought back and that a full list since did not name, while a rollback
    had them out of the list; each with the number of the import.
    """
    live: dict[str, set[str]] = defaultdict(set)
    for one in back:
        if one.said != State.WITHDRAWN:
            live[one.source].add(one.entry)
    found = {}
    imports = connection.execute(
        "SELECT i.id, i.generation, i.source, i.counts FROM imports i WHERE i.generation > :to"
        " AND EXISTS (SELECT 1 FROM generations g WHERE g.what LIKE :rollbacks AND g.number > :to"
        " AND g.number <= i.generation) ORDER BY i.id",
        {"to": to, "rollbacks": f"{ROLLBACK}%"},
    ).fetchall()
    for number, generation, source, counts in imports:
        if source not in live or not json.loads(counts).get(FULL):
            continue
        unnamed = set(live[source])
        for (entry,) in connection.execute(
            f"SELECT entry FROM records r WHERE source = ? AND said <> ?"
            f" AND {of_generation(generation)}",
            (source, State.WITHDRAWN),
        ):
            unnamed.discard(entry)
        found.update({(source, entry): number for entry in unnamed})
    return found


def _bring_back(
    connection: sqlite3.Connection,
    number: int,
    back: Iterable[_Back],
    unnamed: Mapping[tuple[str, str], int],
    bound: Mapping[tuple[str, str], Mapping[str, str]],
    changes: Changes,
) -> None:
    """Write versions of generation `number` that say what earlier ones said, but withdraw what is
    `unnamed`; held to what the ones that they take the place of were held to.
    """
    own = opinions_at(connection, number)
    for one in back:
        named = one.source, one.entry
        fresh = copied(connection, number, one.record)
        said = State(one.said)
        if named in unnamed:
            said = State.WITHDRAWN
            _withdraw(connection, fresh, unnamed[named])
        state = effective(said, (opinion.state for opinion in own.get(named, ())))
        connection.execute("UPDATE records SET state = ? WHERE id = ?", (state, fresh))
        _compare_released(connection, fresh)
        if named in bound:
            _hold_to(connection, fresh, bound[named])
        if state is not State.WITHDRAWN:
            changes.gain(_searchable(connection, fresh))


def _withdraw(connection: sqlite3.Connection, record: int, import_id: int) -> None:
    """Have a version say what an import said by its silence; what bound the record binds it on."""
    labels = terms.of_fields(stored_labels(connection, record), terms.ALL)
    version = version_of(Row(0, None, State.WITHDRAWN, (), labels=labels))
    connection.execute("DELETE FROM hashes WHERE record = ?", (record,))
    connection.execute("DELETE FROM frames WHERE record = ?", (record,))
    connection.execute(
        "UPDATE records SET said = ?, categories = ?, labels = ?, updated = NULL, fingerprint = ?,"
        " import = ? WHERE id = ?",
        (
            State.WITHDRAWN,
            version.categories,
            version.labels,
            version.fingerprint,
            import_id,
            record,
        ),
    )


def _hold_to(connection: sqlite3.Connection, record: int, bound: Mapping[str, str]) -> None:
    """Hold a version that is brought back to what the one that was taken back was held to."""
    held = stored_labels(connection, record)
    both = united_labels([held, bound])
    if terms.of_labels(both) != terms.of_labels(held):
        relabel(connection, record, both)


def _compare_released(connection: sqlite3.Connection, record: int) -> None:
    """A release that stands holds for an old version of a record too."""
    connection.execute(
        "UPDATE hashes SET why_not = NULL WHERE record = ? AND (kind, value) IN"
        " (SELECT kind, value FROM judged WHERE why_not IS NULL)",
        (record,),
    )
    video_frames.renew(connection, record)


def _searchable(connection: sqlite3.Connection, record: int) -> list[Hash]:
    rows = connection.execute(
        "SELECT kind, value FROM hashes WHERE record = ? AND why_not IS NULL", (record,)
    )
    return [Hash(KINDS[kind], value) for kind, value in rows]
