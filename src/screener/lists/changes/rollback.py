"""Roll a list back to an earlier generation, except for withdrawals since.

A rollback undoes the listings of later files but not their withdrawals. It is no statement of a
source, so a second rollback can undo it.
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
from screener.lists import terms
from screener.lists.importing.report import FULL_KEY
from screener.lists.states import State, resolve_state
from screener.lists.store import generations, segments, transaction, video_frames
from screener.lists.store.change_log import ROLLBACK
from screener.lists.store.database import ends_after, is_in_generation
from screener.lists.store.records import Row, read_all_opinions, unite_labels
from screener.lists.store.repeated_values import copy_version, judge_all, unrelease
from screener.lists.store.stored_rows import read_labels, relabel, to_version
from screener.lists.times import compare_times


def rollback(folder: Path, to: int, *, by: str | None, reason: str | None) -> int:
    """Publish a generation with the records of generation `to`, and return its number.

    Entries withdrawn or purged since then stay out; opinions stay. The generation is as old as the
    earlier one. Raises ListError if `to` is not an earlier generation.
    """
    check_author(by, reason)
    with transaction.write_exclusively(folder) as connection:
        before = generations.load(connection, folder)
        earlier = generations.load(connection, folder, to)
        if earlier.number >= before.number:
            raise ListError(f"generation {to} is the newest: choose an earlier one")
        to = earlier.number  # the caller's number may be of another integer type
        number = before.next_number
        binding: dict[tuple[str, str], dict[str, str]] = {}
        for record in _find_ended(connection, to):
            if labels := terms.select_labels(read_labels(connection, record), terms.ALL_FIELDS):
                binding[_read_entry(connection, record)] = labels
            connection.execute("UPDATE records SET until = ? WHERE id = ?", (number, record))
        # Undone releases can be repeated.
        connection.execute("UPDATE quarantine SET released = NULL WHERE released > ?", (to,))
        unrelease(connection, to)
        restored = _find_replacements(connection, to)
        unnamed = _find_unnamed(connection, to, restored)
        _restore(connection, number, restored, unnamed, binding)
        judge_all(connection, number)
        segments.write_changed(connection, folder, before, number)
        generations.publish(
            connection, number, what=ROLLBACK, target=to, confirmed=earlier.time, by=by,
            note=reason,
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


def _find_ended(connection: sqlite3.Connection, to: int) -> list[int]:
    rows = connection.execute(
        "SELECT r.id FROM records r WHERE r.until IS NULL AND r.since > :to"
        f" AND NOT {_WITHDRAWN_SINCE}",
        {"to": to, "withdrawn": State.WITHDRAWN},
    )
    return [record for (record,) in rows]


def _read_entry(connection: sqlite3.Connection, record: int) -> tuple[str, str]:
    query = "SELECT source, entry FROM records WHERE id = ?"
    source, entry = connection.execute(query, (record,)).fetchone()
    return source, entry


def _find_replacements(connection: sqlite3.Connection, to: int) -> list[_Candidate]:
    """Return the versions that replace the ended ones.

    For an entry that was withdrawn since then, it is the last withdrawal, since only the listing
    after it is undone. For others it is the version of the target generation.
    """
    rows = connection.execute(
        "SELECT r.id, r.source, r.entry, r.said, r.updated, r.until IS r.since,"
        f" {is_in_generation(to)} FROM records r WHERE {ends_after(to)}"
        f" AND (r.since <= :to OR {_WITHDRAWN_SINCE}) AND NOT EXISTS (SELECT 1 FROM records c"
        " WHERE c.source = r.source AND c.entry = r.entry AND c.until IS NULL)"
        " ORDER BY r.source, r.entry, r.id DESC",
        {"to": to, "withdrawn": State.WITHDRAWN},
    )
    chosen = (
        _choose_replacement(list(candidates))
        for _, candidates in groupby(map(_Candidate._make, rows), itemgetter(1, 2))
    )
    return sorted(chosen)


def _choose_replacement(candidates: list[_Candidate]) -> _Candidate:
    """Return the newest candidate, but no hidden withdrawal older than the target's version."""
    target = next((version for version in candidates if version.in_target), None)
    return next(
        version
        for version in candidates
        if not (version.hidden and target and compare_times(version.updated, target.updated) == -1)
    )


def _find_unnamed(
    connection: sqlite3.Connection, to: int, restored: Iterable[_Candidate]
) -> dict[tuple[str, str], int]:
    """Return restored entries that a full list, imported after a rollback, did not name.

    Each maps to the id of that import.
    """
    live: dict[str, set[str]] = defaultdict(set)
    for version in restored:
        if version.stated != State.WITHDRAWN:
            live[version.source].add(version.entry)
    unnamed_entries = {}
    imports = connection.execute(
        "SELECT i.id, i.generation, i.source, i.counts FROM imports i WHERE i.generation > :to"
        " AND EXISTS (SELECT 1 FROM generations g WHERE g.target IS NOT NULL AND g.number > :to"
        " AND g.number <= i.generation) ORDER BY i.id",
        {"to": to},
    ).fetchall()
    for number, generation, source, counts in imports:
        if source not in live or not json.loads(counts).get(FULL_KEY):
            continue
        unnamed = set(live[source])
        for (entry,) in connection.execute(
            f"SELECT entry FROM records r WHERE source = ? AND said <> ?"
            f" AND {is_in_generation(generation)}",
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
) -> None:
    """Copy versions into generation `number`, and withdraw the entries in `unnamed`.

    A copy gets the binding labels of the version that it replaces.
    """
    opinions = read_all_opinions(connection, number)
    for version in restored:
        entry = version.source, version.entry
        fresh = copy_version(connection, number, version.record)
        stated = State(version.stated)
        if entry in unnamed:
            stated = State.WITHDRAWN
            _withdraw(connection, fresh, unnamed[entry])
        state = resolve_state(stated, (opinion.state for opinion in opinions.get(entry, ())))
        connection.execute("UPDATE records SET state = ? WHERE id = ?", (state, fresh))
        _apply_releases(connection, fresh)
        if entry in binding:
            _add_binding_labels(connection, fresh, binding[entry])


def _withdraw(connection: sqlite3.Connection, record: int, import_id: int) -> None:
    """Turn a version into a withdrawal by a full import; its binding labels stay."""
    labels = terms.select_labels(read_labels(connection, record), terms.ALL_FIELDS)
    version = to_version(Row(0, None, State.WITHDRAWN, (), labels=labels))
    connection.execute("DELETE FROM hashes WHERE record = ?", (record,))
    connection.execute("DELETE FROM frames WHERE record = ?", (record,))
    connection.execute(
        "UPDATE records SET said = ?, categories = ?, labels = ?, updated = NULL, fingerprint = ?,"
        " import = ? WHERE id = ?",
        (
            State.WITHDRAWN,
            version.categories,
            version.labels,
            version.digest,
            import_id,
            record,
        ),
    )


def _add_binding_labels(
    connection: sqlite3.Connection, record: int, binding: Mapping[str, str]
) -> None:
    """Add the binding labels of the replaced version to a restored one."""
    labels = read_labels(connection, record)
    united = unite_labels([labels, binding])
    if terms.parse_labels(united) != terms.parse_labels(labels):
        relabel(connection, record, united)


def _apply_releases(connection: sqlite3.Connection, record: int) -> None:
    connection.execute(
        "UPDATE hashes SET why_not = NULL WHERE record = ? AND (kind, value) IN"
        " (SELECT kind, value FROM judged WHERE why_not IS NULL)",
        (record,),
    )
    video_frames.renew(connection, record)
