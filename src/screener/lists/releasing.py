"""Releasing from quarantine: somebody decides that a row, or a value, is sound after all."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from screener.errors import ListError
from screener.hashing.hash import Hash, kind_named
from screener.lists import generations, history, quarantine, segments
from screener.lists.importing import FULL
from screener.lists.placeholders import release
from screener.lists.records import Row, derived_entry, united
from screener.lists.times import order
from screener.lists.versions import Versions


@dataclass(frozen=True)
class Release:
    """What was asked to be released, and by whom and why."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        """A release is somebody's decision: ListError without a name and a reason."""
        for text in (self.by, self.reason):
            if not text.strip() or not text.isprintable():
                raise ListError("a release needs who decided it and why, a line each")


def release_rows(folder: Path, ids: Sequence[int], asked: Release) -> int:
    """Take in what could be read of rows that were set aside; the generation that has them."""
    with generations.writing(folder) as connection:
        before = generations.at(connection, folder)
        number = before.number + 1
        by_source = _wanted(connection, ids)
        changes = segments.Changes()
        states = before.states
        for source, entries in by_source.items():
            origin = _last_import(connection, source)
            versions = Versions(
                connection, source, number=number, import_id=origin, states=states, changes=changes
            )
            versions.add_to(entries)
            versions.finish()
            states = versions.states
        connection.executemany(
            "UPDATE quarantine SET released = ? WHERE id = ?", [(number, one) for one in ids]
        )
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what="release", states=states, confirmed=before.time,
            by=asked.by, note=f"{len(ids)} rows: {asked.reason}",
        )  # fmt: skip
        return number


def _wanted(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[str, dict[str, Row]]:
    """What can be read of rows that were set aside, by source and entry; ListError for a row that
    cannot be released.
    """
    found = quarantine.releasable(connection, ids)
    by_source: dict[str, dict[str, Row]] = defaultdict(dict)
    for number in ids:
        if number not in found:
            raise ListError(f"row {number} cannot be released: nothing of use, or released before")
        source, row = found[number]
        entry = row.entry or derived_entry(row.hashes)
        _check_newest(connection, number, source, entry, row.updated)
        have = by_source[source].get(entry)
        by_source[source][entry] = row if have is None else united(have, row)
    return by_source


def _check_newest(
    connection: sqlite3.Connection, row: int, source: str, entry: str, updated: str | None
) -> None:
    """ListError where the source has said something of an entry after a row that was set aside, or
    of a later time, or has given all that it has: old words must not take the place of newer ones,
    nor of silence.
    """
    held = connection.execute(
        "SELECT r.import > q.import, r.updated FROM records r JOIN quarantine q ON q.id = ?"
        " WHERE r.source = ? AND r.entry = ? AND r.until IS NULL",
        (row, source, entry),
    ).fetchone()
    if held is not None and (held[0] or order(updated, held[1]) == -1):
        raise ListError(
            f"row {row} cannot be released: its source has said something else of it since"
        )
    if _full_list_since(connection, row, source):
        raise ListError(
            f"row {row} cannot be released: a full list of its source came since; if its entry is"
            " still on it, that list brought it"
        )


def _full_list_since(connection: sqlite3.Connection, row: int, source: str) -> bool:
    """Whether a full list of a source came after a row that was set aside, and still counts."""
    later = connection.execute(
        "SELECT i.generation, i.counts FROM imports i JOIN quarantine q ON q.id = ?"
        " WHERE i.source = ? AND i.id > q.import",
        (row, source),
    )
    full = [generation for generation, counts in later if json.loads(counts).get(FULL)]
    undone = history.taken_back(connection)
    return any(not any(generation in some for some in undone) for generation in full)


def _last_import(connection: sqlite3.Connection, source: str) -> int:
    row = connection.execute("SELECT max(id) FROM imports WHERE source = ?", (source,)).fetchone()
    return int(row[0])


def release_value(
    folder: Path, entry: str, kind: str, asked: Release, *, source: str | None = None
) -> int:
    """Have the hashes of one kind that an entry holds compared, in every record that holds them,
    now and later; the generation that does.
    """
    found = kind_named(kind)
    if not found.searched:
        raise ListError(f"{kind} values are carried and never compared here")
    with generations.writing(folder) as connection:
        before = generations.at(connection, folder)
        number = before.number + 1
        values = connection.execute(
            "SELECT DISTINCT h.value FROM hashes h JOIN records r ON r.id = h.record"
            " WHERE r.entry = ? AND (? IS NULL OR r.source = ?) AND r.until IS NULL"
            " AND h.kind = ? AND h.why_not IS NOT NULL",
            (entry, source, source, kind),
        ).fetchall()
        if found.video:  # one without a usable frame has nothing to be compared by
            values = [(value,) for (value,) in values if Hash(found, value).codes]
        if not values:
            raise ListError(f"no {kind} value of the entry {entry!r} is in quarantine")
        changes = segments.Changes()
        release(connection, number, changes, [(kind, value) for (value,) in values])
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what="release", states=before.states, confirmed=before.time,
            by=asked.by, note=f"{kind} of {entry}: {asked.reason}",
        )  # fmt: skip
        return number
