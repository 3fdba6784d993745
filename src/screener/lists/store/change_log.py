"""History: what was done to a list, by whom."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from screener.lists.store.column_checks import parse_counts
from screener.lists.store.database import is_in_generation

ROLLBACK = "rollback to "  # and a generation: how one is named in the log


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
        """Return all of it in plain values, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_log(connection: sqlite3.Connection) -> list[LogEntry]:
    """Return all that was done, oldest first; an import that changed nothing is there too."""
    rows = connection.execute(
        "SELECT number, time, what, who, note, states FROM generations ORDER BY number"
    )
    by_number = {
        number: LogEntry(number, time, what, by, note, parse_counts(states))
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


def find_undone(connection: sqlite3.Connection) -> list[range]:
    """Return the generations that rollbacks went back over, as far as they are still gone back
    over.
    """
    found: list[range] = []
    for number, what in connection.execute(
        "SELECT number, what FROM generations WHERE what LIKE ? ORDER BY number DESC",
        (f"{ROLLBACK}%",),
    ):
        # A rollback that a later one went back over takes nothing back any more.
        if not any(number in some for some in found):
            found.append(range(int(what.removeprefix(ROLLBACK)) + 1, number))
    return found


def count_states(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    """Return how many records of a generation are in each state."""
    rows = connection.execute(
        f"SELECT state, count(*) FROM records r WHERE {is_in_generation(number)} GROUP BY state"
    )
    return dict(rows.fetchall())
