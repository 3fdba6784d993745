"""Read the history of a list: what was changed, when and by whom."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from screener.lists.store.counts import parse, sum_states

ROLLBACK = "rollback"


@dataclass(frozen=True)
class LogEntry:
    """A change of a list.

    `generation`: the generation after the change.
    `time`: seconds since 1970.
    `what`: the kind of change, such as "import".
    `by`, `note`: who asked for it and why, if stated.
    `states`: numbers of records in each state after the change.

    An opinion, and the release of a value, also have the `entry` and its `source`, if it was named.
    An import has its `file`, `format`, `source`, the SHA-256 of the file, and `counts`.
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
    entry: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the known fields as plain values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_log(connection: sqlite3.Connection) -> list[LogEntry]:
    """Return all changes, oldest first, and the imports that changed nothing."""
    rows = connection.execute(
        "SELECT number, time, coalesce(what || ' to ' || target, what), who, note, counts, source,"
        " entry FROM generations ORDER BY number"
    )
    by_number = {
        number: LogEntry(
            number, time, what, by, note, sum_states(parse(counts)), source=source, entry=entry
        )
        for number, time, what, by, note, counts, source, entry in rows
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
            format,
            source,
            sha256,
            json.loads(counts),
        )
        for generation, time, who, file, format, source, sha256, counts in connection.execute(
            "SELECT generation, time, who, file, format, source, sha256, counts"
            " FROM imports ORDER BY id"
        )
    ]
    others = [entry for entry in by_number.values() if entry.what != "import"]
    return sorted(imports + others, key=lambda entry: (entry.generation, entry.time))


def find_undone(connection: sqlite3.Connection) -> list[range]:
    """Return the ranges of generations that rollbacks undid and that are still undone."""
    undone: list[range] = []
    for number, target in connection.execute(
        "SELECT number, target FROM generations WHERE target IS NOT NULL ORDER BY number DESC"
    ):
        # A rollback that a later one undid has no effect any more.
        if not any(number in generations for generations in undone):
            undone.append(range(target + 1, number))
    return undone
