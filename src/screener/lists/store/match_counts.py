"""How often entries have matched: counts a day, in a database of their own beside the list.

They are no part of a generation and no reader of the list touches them: whoever has results and
wants them counted hands them over, once, when a run is over. Entries are counted, hashes are not
kept, and neither is what matched.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from screener.arguments import integer
from screener.errors import ListError
from screener.lists.store import database, sharing
from screener.lists.store.database import WAIT_SECONDS
from screener.system.files import open_private
from screener.system.row_checks import COUNT, TEXT, Forms, Table
from screener.system.sqlite_files import open_database, report_errors, transaction

FILE_NAME = "matches.sqlite"
MIN_MATCHES = 50  # matches in a day below which no entry is remarkable
MIN_RATIO = 20  # as often as is usual, for an entry to be remarkable

_FORMS = Forms(
    (Table("matches", dict.fromkeys(("day", "source", "entry", "kind"), TEXT) | {"count": COUNT},
           row=None),),
    {},
)  # fmt: skip
Key = tuple[str, str, str]  # source, entry, kind


@dataclass(frozen=True)
class Flood:
    """An entry that on a day matched far more often than others by its kind, and than before:
    its hash may be that of something harmless. `usual` is the median of the others' counts.
    """

    source: str
    entry: str
    kind: str
    day: str
    count: int
    usual: float


class CountedMatch(Protocol):
    """What is read of a match."""

    @property
    def list(self) -> str:
        """The name of the list."""

    @property
    def source(self) -> str:
        """Who said so."""

    @property
    def entry(self) -> str:
        """Of what."""

    @property
    def kind(self) -> str:
        """By which kind of hash."""


class CountedResult(Protocol):
    """What is read of a result: a `screener.Result` has it."""

    @property
    def matches(self) -> Sequence[CountedMatch]:
        """The records that made a match."""

    @property
    def other_hits(self) -> Sequence[CountedMatch]:
        """Those that stand beside it."""


def find_hits(results: Iterable[CountedResult], name: str) -> Iterator[Key]:
    """Yield which entries of a list each result met: once by each kind, however many parts of it
    did.
    """
    for result in results:
        met = (one for one in (*result.matches, *result.other_hits) if one.list == name)
        yield from {(one.source, one.entry, one.kind) for one in met}


def count(
    folder: Path, hits: Iterable[Key] | Mapping[Key, int], *, day: str | None = None
) -> list[Flood]:
    """Add one match for each hit, or as many as a mapping says, on a day (today, UTC) in ISO 8601;
    what is remarkable of it.

    Only entries that the list has now are counted: an earlier generation, in which somebody still
    searches, may have had others, and what was purged leaves no name behind.
    """
    added = Counter(hits)
    day = day or datetime.now(UTC).date().isoformat()
    if not added:
        return []
    # A purge that comes in between waits with forgetting until these are written.
    with _open(folder, "rwc") as connection, transaction(connection):
        had = database.ask(folder, lambda records: _had(records, added))
        connection.executemany(
            "INSERT INTO matches VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET count = count + excluded.count",
            [(day, *key, added[key]) for key in had],
        )
        return _floods(connection, day)


def check_writable(folder: Path) -> None:
    """Raise ListError if nothing can be counted, for it cannot be written there."""
    for path in (folder, folder / FILE_NAME):
        if path.exists() and not os.access(path, os.W_OK):
            raise ListError(f"cannot count matches in {folder}: {path} cannot be written to")


def _had(connection: sqlite3.Connection, keys: Iterable[Key]) -> list[Key]:
    """Return those of the hits whose entries the newest generation has."""
    had = "SELECT 1 FROM records WHERE source = ? AND entry = ? AND until IS NULL"
    return [key for key in keys if connection.execute(had, key[:2]).fetchone() is not None]


def find_floods(folder: Path) -> list[Flood]:
    """Return the remarkable entries of the last day that has counts."""
    with _counted(folder, "ro") as connection:
        if connection is None:
            return []
        day = connection.execute("SELECT max(day) FROM matches").fetchone()[0]
        return [] if day is None else _floods(connection, day)


def is_flood(
    folder: Path, source: str, entry: str, counts: Mapping[str, Mapping[str, int]]
) -> bool:
    """Return whether an entry that has these counts, by kind and day, is among the `floods`. Of
    most there are too few for the others to be looked at.
    """
    often = any(number >= MIN_MATCHES for days in counts.values() for number in days.values())
    return often and any((one.source, one.entry) == (source, entry) for one in find_floods(folder))


def read_counts(folder: Path, source: str, entry: str) -> dict[str, dict[str, int]]:
    """Return the counts of an entry, by kind and day."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with _counted(folder, "ro") as connection:
        if connection is None:
            return {}
        for kind, day, number in connection.execute(
            "SELECT kind, day, count FROM matches WHERE source = ? AND entry = ?"
            " ORDER BY kind, day",
            (source, entry),
        ):
            found[kind][day] = integer(number)
    return dict(found)


def forget(folder: Path, source: str) -> None:
    """Erase the counts of a source's entries."""
    with _counted(folder, "rw") as connection:
        if connection is None:
            return
        with transaction(connection):
            connection.execute("DELETE FROM matches WHERE source = ?", (source,))
        connection.execute("VACUUM")


def _floods(connection: sqlite3.Connection, day: str) -> list[Flood]:
    """Return the entries of a day that matched at least `MANY` times, `TIMES` as often as the
    other entries by their kind did, and `TIMES` as often as they did on the days before.
    """
    counts: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for source, entry, kind, number in connection.execute(
        "SELECT source, entry, kind, count FROM matches WHERE day = ?", (day,)
    ):
        counts[kind][source, entry] = number
    found = []
    for kind, by_entry in counts.items():
        ascending = sorted(by_entry.values())
        for (source, entry), number in by_entry.items():
            if number < MIN_MATCHES:
                continue
            usual = _median_of_others(ascending, number)
            (before,) = connection.execute(
                "SELECT coalesce(avg(count), 0) FROM matches WHERE source = ? AND entry = ?"
                " AND kind = ? AND day < ?",
                (source, entry, kind, day),
            ).fetchone()
            if number >= MIN_RATIO * max(usual, before):
                found.append(Flood(source, entry, kind, day, number, usual))
    return sorted(found, key=lambda flood: -flood.count)


def _median_of_others(ascending: Sequence[int], one: int) -> float:
    """Return the median of numbers but for one of them; 0.0 if there are no others."""
    place, left = bisect_left(ascending, one), len(ascending) - 1
    middle = ((left - 1) // 2, left // 2)  # the same one where it is odd
    return sum(ascending[n + (n >= place)] for n in middle) / 2 if left else 0.0


@contextlib.contextmanager
def _counted(folder: Path, mode: str) -> Iterator[sqlite3.Connection | None]:
    """Return the counts that there are, None if there are none: not even a table, where a full
    disk or a kill ended the first counting.
    """
    if not (folder / FILE_NAME).exists():
        yield None
        return
    with _open(folder, mode) as connection:
        table = "SELECT 1 FROM sqlite_master WHERE name = 'matches'"
        yield connection if connection.execute(table).fetchone() else None


@contextlib.contextmanager
def _open(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    path = folder / FILE_NAME
    failed, damaged = partial(_uncounted, folder), partial(_damaged, path)
    with report_errors(path, failed, errors=(OSError, sqlite3.Error)):
        if mode == "rwc":
            # One that is there is left alone: to close it would take away SQLite's locks on it,
            # which are the process's.
            with contextlib.suppress(FileExistsError):
                os.close(open_private(path, os.O_CREAT | os.O_EXCL | os.O_RDWR))
                sharing.share_file(folder, path)
        with open_database(
            path, mode[:2], _FORMS, wait=WAIT_SECONDS, failed=failed, damaged=damaged
        ) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            if mode == "rwc":
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS matches(day TEXT, source TEXT, entry TEXT,"
                    " kind TEXT, count INTEGER NOT NULL, PRIMARY KEY(source, entry, kind, day))"
                    " WITHOUT ROWID"
                )
            yield connection


def _uncounted(folder: Path, why: str) -> ListError:
    return ListError(f"cannot count matches in {folder}: {why}")


def _damaged(path: Path, row: str) -> ListError:
    return ListError(f"{path} is damaged: {row}; delete it, and counting begins anew")
