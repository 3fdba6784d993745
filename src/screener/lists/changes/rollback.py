"""Rollback: a new generation with the records of an earlier one, less withdrawals since.

A rollback undoes what files since have listed, in any order, but not what they have withdrawn. It
states nothing about an entry itself, so a second rollback can undo it.
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

from screener.arguments import check_author
from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.importing.report import FULL_KEY
from screener.lists.states import State, resolve_state
from screener.lists.store import generations, segments, transaction, video_frames
from screener.lists.store.change_log import ROLLBACK, states_at
from screener.lists.store.database import not_ended, of_generation
from screener.lists.store.records import Row, opinions_at, united_labels
from screener.lists.store.repeated_values import copied, judge_all, unrelease
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import relabel, stored_labels, version_of
from screener.lists.times import compare_times


def rollback(folder: Path, to: int, *, by: str | None, reason: str | None) -> int:
    """Write a generation with the records of an earlier one; return its number.

    Entries withdrawn or purged since stay away, and our opinions stay. It is as old as the earlier
    generation.
    """
    check_author(by, reason)
    with transaction.writing(folder) as connection:
        before = generations.at(connection, folder)
        earlier = generations.at(connection, folder, to)
        if earlier.number >= before.number:
            raise ListError(f"generation {to} is the newest: choose an earlier one")
        to = earlier.number  # the caller's number may be of another integer type
        number = before.number + 1
        changes = Changes()
        binding: dict[tuple[str, str], dict[str, str]] = {}
        for record in _ended_by_rollback(connection, to):
            if labels := terms.select_labels(stored_labels(connection, record), terms.ALL_FIELDS):
                binding[_entry_of(connection, record)] = labels
            changes.doubt(_searchable(connection, record))
            connection.execute("UPDATE records SET until = ? WHERE id = ?", (number, record))
        # Quarantined rows that are taken out again may be released again.
        connection.execute("UPDATE quarantine SET released = NULL WHERE released > ?", (to,))
        unrelease(connection, to)
        restored = _replacements(connection, to)
        unnamed = _unnamed_entries(connection, to, restored)
        _restore(connection, number, restored, unnamed, binding, changes)
        judge_all(connection, number, changes)
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what=f"{ROLLBACK}{to}", states=states_at(connection, number),
            confirmed=earlier.time, by=by, note=reason,
        )  # fmt: skip
        return number


# Versions that a later file withdrew; not those that another rollback restored.
_WITHDRAWN_SINCE = (
    "(r.since > :to AND r.said = :withdrawn"
    " AND r.import IN (SELECT id FROM imports WHERE generation > :to))"
)


class _Candidate(NamedTuple):
    """A version that a rollback may restore."""

    record: int
    source: str
    entry: str
    stated: str
    updated: str | None
    hidden: bool  # a withdrawal that no generation shows: see `Writer`
    in_target: bool  # part of the target generation


def _ended_by_rollback(connection: sqlite3.Connection, to: int) -> list[int]:
    rows = connection.execute(
        "SELECT r.id FROM records r WHERE r.until IS NULL AND r.since > :to"
        f" AND NOT {_WITHDRAWN_SINCE}",
        {"to": to, "withdrawn": State.WITHDRAWN},
    )
    return [record for (record,) in rows]


def _entry_of(connection: sqlite3.Connection, record: int) -> tuple[str, str]:
    query = "SELECT source, entry FROM records WHERE id = ?"
    source, entry = connection.execute(query, (record,)).fetchone()
    return source, entry


def _replacements(connection: sqlite3.Connection, to: int) -> list[_Candidate]:
    """Return the versions that replace those a rollback ended.

    For an entry that was withdrawn since, this is the last withdrawal, because only the listing
    after it is undone; otherwise it is the version of the target generation.
    """
    rows = connection.execute(
        "SELECT r.id, r.source, r.entry, r.said, r.updated, r.until IS r.since,"
        f" {of_generation(to)} FROM records r WHERE {not_ended(to)}"
        f" AND (r.since <= :to OR {_WITHDRAWN_SINCE}) AND NOT EXISTS (SELECT 1 FROM records c"
        " WHERE c.source = r.source AND c.entry = r.entry AND c.until IS NULL)"
        " ORDER BY r.source, r.entry, r.id DESC",
        {"to": to, "withdrawn": State.WITHDRAWN},
    )
    chosen = (
        _replacement(list(some))
        for _, some in groupby(map(_Candidate._make, rows), itemgetter(1, 2))
    )
    return sorted(chosen)


def _replacement(some: list[_Candidate]) -> _Candidate:
    """Return the newest version that may return.

    A hidden withdrawal may not if its source dates it before the version of the target generation.
    """
    target = next((one for one in some if one.in_target), None)
    return next(
        one
        for one in some
        if not (one.hidden and target and compare_times(one.updated, target.updated) == -1)
    )


def _unnamed_entries(
    connection: sqlite3.Connection, to: int, restored: Iterable[_Candidate]
) -> dict[tuple[str, str], int]:
    """Return entries to restore that a full list did not name while they were rolled back.

    Each maps to the number of that import.
    """
    live: dict[str, set[str]] = defaultdict(set)
    for one in restored:
        if one.stated != State.WITHDRAWN:
            live[one.source].add(one.entry)
    unnamed_entries = {}
    imports = connection.execute(
        "SELECT i.id, i.generation, i.source, i.counts FROM imports i WHERE i.generation > :to"
        " AND EXISTS (SELECT 1 FROM generations g WHERE g.what LIKE :rollbacks AND g.number > :to"
        " AND g.number <= i.generation) ORDER BY i.id",
        {"to": to, "rollbacks": f"{ROLLBACK}%"},
    ).fetchall()
    for number, generation, source, counts in imports:
        if source not in live or not json.loads(counts).get(FULL_KEY):
            continue
        unnamed = set(live[source])
        for (entry,) in connection.execute(
            f"SELECT entry FROM records r WHERE source = ? AND said <> ?"
            f" AND {of_generation(generation)}",
            (source, State.WITHDRAWN),
        ):
            unnamed.discard(entry)
        unnamed_entries.update({(source, entry): number for entry in unnamed})
    return unnamed_entries


def _restore(
    connection: sqlite3.Connection,
    number: int,
    restored: Iterable[_Candidate],
    unnamed: Mapping[tuple[str, str], int],
    binding: Mapping[tuple[str, str], Mapping[str, str]],
    changes: Changes,
) -> None:
    """Copy versions into generation `number`, but withdraw those in `unnamed`.

    They keep the binding labels of the versions that they replace.
    """
    own = opinions_at(connection, number)
    for one in restored:
        named = one.source, one.entry
        fresh = copied(connection, number, one.record)
        stated = State(one.stated)
        if named in unnamed:
            stated = State.WITHDRAWN
            _withdraw(connection, fresh, unnamed[named])
        state = resolve_state(stated, (opinion.state for opinion in own.get(named, ())))
        connection.execute("UPDATE records SET state = ? WHERE id = ?", (state, fresh))
        _apply_releases(connection, fresh)
        if named in binding:
            _add_binding_labels(connection, fresh, binding[named])
        if state is not State.WITHDRAWN:
            changes.gain(_searchable(connection, fresh))


def _withdraw(connection: sqlite3.Connection, record: int, import_id: int) -> None:
    """Turn a version into a withdrawal by a full import; its binding labels stay."""
    labels = terms.select_labels(stored_labels(connection, record), terms.ALL_FIELDS)
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


def _add_binding_labels(
    connection: sqlite3.Connection, record: int, binding: Mapping[str, str]
) -> None:
    """Add the binding labels of the replaced version to a restored one."""
    labels = stored_labels(connection, record)
    both = united_labels([labels, binding])
    if terms.parse_labels(both) != terms.parse_labels(labels):
        relabel(connection, record, both)


def _apply_releases(connection: sqlite3.Connection, record: int) -> None:
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
