"""History: what was done to a list, by whom; and going back to an earlier generation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash
from screener.lists import frames, generations, segments, terms
from screener.lists.database import of_generation
from screener.lists.placeholders import copied, judge_all, unrelease
from screener.lists.records import opinions_at, relabel, stored_labels, united_labels
from screener.lists.states import State, effective

_ROLLBACK = "rollback to "  # and a generation: how one is named in the log


@dataclass(frozen=True)
class LogEntry:
    """One thing that was done: `what`, at `time` (seconds since 1970), and the generation after.

    `by` is who asked and `note` why, as far as was said. An import also has its `file`, `format`,
    `source`, the file's `sha256` and its `counts`.
    """

    generation: int
    time: float
    what: str
    by: str | None
    note: str | None
    states: Mapping[str, int]
    file: str | None = None
    format: str | None = None
    source: str | None = None
    sha256: str | None = None
    counts: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain values, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def log(connection: sqlite3.Connection) -> list[LogEntry]:
    """All that was done, oldest first; an import that changed nothing is there too."""
    rows = connection.execute(
        "SELECT number, time, what, who, note, states FROM generations ORDER BY number"
    )
    by_number = {
        number: LogEntry(number, time, what, by, note, json.loads(states))
        for number, time, what, by, note, states in rows
    }
    imports = [
        LogEntry(
            generation,
            time,
            "import",
            who,
            None,
            by_number[generation].states,
            file,
            form,
            source,
            sha256,
            json.loads(counts),
        )
        for generation, time, who, file, form, source, sha256, counts in connection.execute(
            "SELECT generation, time, who, file, format, source, sha256, counts"
            " FROM imports ORDER BY id"
        )
    ]
    others = [one for one in by_number.values() if one.what != "import"]
    return sorted(imports + others, key=lambda one: (one.generation, one.time))


def rollback(folder: Path, to: int, *, by: str | None, reason: str | None) -> int:
    """Write a generation with the records of an earlier one, less what was withdrawn or purged
    since; its number. Our opinions stay as they are. It is as old as the earlier one.
    """
    with generations.writing(folder) as connection:
        before = generations.at(connection, folder)
        earlier = generations.at(connection, folder, to)
        if earlier.number >= before.number:
            raise ListError(f"generation {to} is the newest: there is nothing to go back from")
        number = before.number + 1
        changes = segments.Changes()
        bound: dict[tuple[str, str], dict[str, str]] = {}
        for record in _ended_by_rollback(connection, to):
            if labels := terms.of_fields(stored_labels(connection, record), terms.ALL):
                bound[_named(connection, record)] = labels
            changes.doubt(_searchable(connection, record))
            connection.execute("UPDATE records SET until = ? WHERE id = ?", (number, record))
        # What is taken out again may be released again.
        connection.execute("UPDATE quarantine SET released = NULL WHERE released > ?", (to,))
        unrelease(connection, to)
        own = opinions_at(connection, number)
        for record, source, entry, said in _brought_back(connection, to):
            fresh = copied(connection, number, record)
            state = effective(State(said), (one.state for one in own.get((source, entry), ())))
            connection.execute("UPDATE records SET state = ? WHERE id = ?", (state, fresh))
            _compare_released(connection, fresh)
            if (source, entry) in bound:
                _hold_to(connection, fresh, bound[source, entry])
            if state is not State.WITHDRAWN:
                changes.gain(_searchable(connection, fresh))
        judge_all(connection, number, changes)
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what=f"{_ROLLBACK}{to}", states=states_at(connection, number),
            confirmed=earlier.time, by=by, note=reason,
        )  # fmt: skip
        return number


# Versions that withdraw an entry since a generation, by a file that came after it: not those that
# another rollback brought back.
_WITHDRAWN_SINCE = (
    "(r.since > ?1 AND r.said = ?2 AND r.import IN (SELECT id FROM imports WHERE generation > ?1))"
)


def taken_back(connection: sqlite3.Connection) -> list[range]:
    """The generations that rollbacks went back over, as far as they are still gone back over."""
    found: list[range] = []
    for number, what in connection.execute(
        "SELECT number, what FROM generations WHERE what LIKE ? ORDER BY number DESC",
        (f"{_ROLLBACK}%",),
    ):
        # A rollback that a later one went back over takes nothing back any more.
        if not any(number in some for some in found):
            found.append(range(int(what.removeprefix(_ROLLBACK)) + 1, number))
    return found


def _ended_by_rollback(connection: sqlite3.Connection, to: int) -> list[int]:
    """Current versions newer than a generation, but for withdrawals, which stand."""
    rows = connection.execute(
        "SELECT r.id FROM records r WHERE r.until IS NULL AND r.since > ?1"
        f" AND NOT {_WITHDRAWN_SINCE}",
        (to, State.WITHDRAWN),
    )
    return [record for (record,) in rows]


def _named(connection: sqlite3.Connection, record: int) -> tuple[str, str]:
    query = "SELECT source, entry FROM records WHERE id = ?"
    source, entry = connection.execute(query, (record,)).fetchone()
    return source, entry


def _hold_to(connection: sqlite3.Connection, record: int, bound: Mapping[str, str]) -> None:
    """Hold a version that is brought back to what the one that was taken back was held to."""
    held = stored_labels(connection, record)
    both = united_labels(held, bound)
    if terms.of_labels(both) != terms.of_labels(held):
        relabel(connection, record, both)


def _brought_back(connection: sqlite3.Connection, to: int) -> list[tuple[int, str, str, str]]:
    """What takes the place of the versions that a rollback ended: the last withdrawal since, for it
    is the listing after it that is taken back; or else the version of the generation.
    """
    return connection.execute(
        "SELECT max(r.id), r.source, r.entry, r.said FROM records r"
        f" WHERE ({of_generation(to)} OR {_WITHDRAWN_SINCE})"
        " AND NOT EXISTS (SELECT 1 FROM records c"
        " WHERE c.source = r.source AND c.entry = r.entry AND c.until IS NULL)"
        " GROUP BY r.source, r.entry ORDER BY 1",
        (to, State.WITHDRAWN),
    ).fetchall()


def _compare_released(connection: sqlite3.Connection, record: int) -> None:
    """A release that stands holds for an old version of a record too."""
    connection.execute(
        "UPDATE hashes SET why_not = NULL WHERE record = ? AND (kind, value) IN"
        " (SELECT kind, value FROM judged WHERE why_not IS NULL)",
        (record,),
    )
    frames.renew(connection, record)


def _searchable(connection: sqlite3.Connection, record: int) -> list[Hash]:
    rows = connection.execute(
        "SELECT kind, value FROM hashes WHERE record = ? AND why_not IS NULL", (record,)
    )
    return [Hash(KINDS[kind], value) for kind, value in rows]


def states_at(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    """How many records of a generation are in each state."""
    rows = connection.execute(
        f"SELECT state, count(*) FROM records r WHERE {of_generation(number)} GROUP BY state"
    )
    return dict(rows.fetchall())
