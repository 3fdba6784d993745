"""Record your own opinions of entries, in addition to what their sources state.

A person has at most one opinion of an entry: a newer one replaces it, and `withdrawn` revokes it.
All stay on record; those in force are shown with a match.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from screener.arguments import is_line
from screener.errors import ListError
from screener.lists.states import State, resolve_state
from screener.lists.store import generations, transaction
from screener.lists.store.records import find_records, read_opinions
from screener.lists.store.repeated_values import renew_versions


def record_opinion(
    folder: Path, entry: str, *, source: str | None, state: str, by: str, reason: str
) -> int:
    """Record an opinion of an entry, and return the number of the new generation.

    Raises ListError if the state, the author or the reason is invalid, or if the entry is unknown,
    withdrawn, or of several sources.
    """
    opinion_state = _parse_state(state)
    for name, text in (("by", by), ("reason", reason)):
        if not is_line(text):
            raise ListError(f"an opinion needs {name}: one line of printable text")
    with transaction.begin(folder) as connection:
        before = generations.load(connection, folder)
        number = before.next_number
        source, record, stated, current = _find_record(connection, entry, source, before.number)
        connection.execute(
            "UPDATE opinions SET until = ? WHERE source = ? AND entry = ? AND who = ?"
            " AND until IS NULL",
            (number, source, entry, by),
        )
        if opinion_state is not State.WITHDRAWN:
            connection.execute(
                "INSERT INTO opinions(source, entry, who, state, reason, time, since)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (source, entry, by, opinion_state, reason, time.time(), number),
            )
        opinions = read_opinions(connection, number, source, entry)
        in_effect = resolve_state(stated, (opinion.state for opinion in opinions))
        if in_effect is not current:
            (fresh,) = renew_versions(connection, number, [record])
            connection.execute("UPDATE records SET state = ? WHERE id = ?", (in_effect, fresh))
        note = f"{opinion_state}: {reason}"
        generations.publish(
            connection, number, what="opinion", confirmed=before.time, by=by, note=note,
            entry=(source, entry),
        )  # fmt: skip
        return number


def _parse_state(name: str) -> State:
    allowed = [State.CONFIRMED, State.DISPUTED, State.KNOWN_GOOD, State.WITHDRAWN]
    if name not in allowed:
        raise ListError(f"opinion must be one of {', '.join(allowed)}")
    return State(name)


def _find_record(
    connection: sqlite3.Connection, entry: str, source: str | None, generation: int
) -> tuple[str, int, State, State]:
    """Return the source, id, stated state and state in effect of the only record of an entry."""
    rows = [
        connection.execute(
            "SELECT source, id, said, state FROM records WHERE id = ?", (record,)
        ).fetchone()
        for record in find_records(connection, entry, source, generation)
    ]
    if len(rows) > 1:
        names = ", ".join(row[0] for row in rows)
        raise ListError(
            f"several sources have an entry {entry!r} ({names}): name one with --source"
        )
    stored_source, record, stated, current = rows[0]
    if stated == State.WITHDRAWN:
        raise ListError(f"{stored_source} has withdrawn the entry {entry!r}: it no longer matches")
    return stored_source, record, State(stated), State(current)
