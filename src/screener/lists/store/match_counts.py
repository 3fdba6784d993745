"""Count how often entries matched per day, in a separate database.

The counts belong to no generation, and searches do not touch them. A program passes its results
once, after a run. Only entries are counted; no hashes and no inputs are stored.
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
MIN_MATCHES = 50  # per day, for an entry to be a flood
MIN_RATIO = 20  # of the matches of an entry and the usual number, for it to be a flood

_FORMS = Forms(
    (Table("matches", dict.fromkeys(("day", "source", "entry", "kind"), TEXT) | {"count": COUNT},
           row=None),),
    {},
)  # fmt: skip
Key = tuple[str, str, str]  # source, entry, kind


@dataclass(frozen=True)
class Flood:
    """An entry that matched far more often on a day than usual.

    Its hash may be the hash of something harmless. `usual` is the median of the others' counts by
    the same kind of hash.
    """

    source: str
    entry: str
    kind: str
    day: str
    count: int
    usual: float


class CountedMatch(Protocol):
    """The attributes of a match that are counted."""

    @property
    def list(self) -> str:
        """The name of the list."""

    @property
    def source(self) -> str:
        """The source of the record."""

    @property
    def entry(self) -> str:
        """The id of the entry."""

    @property
    def kind(self) -> str:
        """The kind of hash that matched."""


class CountedResult(Protocol):
    """The attributes of a `screener.Result` that are counted."""

    @property
    def matches(self) -> Sequence[CountedMatch]:
        """The records that made a match."""

    @property
    def other_hits(self) -> Sequence[CountedMatch]:
        """Hits on other records."""


def find_hits(results: Iterable[CountedResult], name: str) -> Iterator[Key]:
    """Yield the entries that each result hit, once per kind of hash."""
    for result in results:
        hits = (hit for hit in (*result.matches, *result.other_hits) if hit.list == name)
        yield from {(hit.source, hit.entry, hit.kind) for hit in hits}


def count(
    folder: Path, hits: Iterable[Key] | Mapping[Key, int], *, day: str | None = None
) -> list[Flood]:
    """Count matches, and return the floods of the day.

    An iterable counts one match per hit, a mapping its numbers.

    `day` is in ISO 8601 (default: today in UTC). Only entries in the newest generation are counted,
    since results of an earlier one may name purged entries. Raises ListError if the counts cannot
    be written.
    """
    added = Counter(hits)
    day = day or datetime.now(UTC).date().isoformat()
    if not added:
        return []
    # A purge at the same time deletes its counts after this transaction.
    with _open(folder, "rwc") as connection, transaction(connection):
        current = database.ask(folder, lambda records: _filter_current(records, added))
        connection.executemany(
            "INSERT INTO matches VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET count = count + excluded.count",
            [(day, *key, added[key]) for key in current],
        )
        return _floods(connection, day)


def check_writable(folder: Path) -> None:
    """Raise ListError if the counts cannot be written."""
    for path in (folder, folder / FILE_NAME):
        if path.exists() and not os.access(path, os.W_OK):
            raise ListError(f"cannot count matches in {folder}: {path} cannot be written to")


def _filter_current(connection: sqlite3.Connection, keys: Iterable[Key]) -> list[Key]:
    """Return the hits whose entries are in the newest generation."""
    query = "SELECT 1 FROM records WHERE source = ? AND entry = ? AND until IS NULL"
    return [key for key in keys if connection.execute(query, key[:2]).fetchone() is not None]


def find_floods(folder: Path) -> list[Flood]:
    """Return the floods of the last day that has counts."""
    with _open_existing(folder, "ro") as connection:
        if connection is None:
            return []
        day = connection.execute("SELECT max(day) FROM matches").fetchone()[0]
        return [] if day is None else _floods(connection, day)


def is_flood(
    folder: Path, source: str, entry: str, counts: Mapping[str, Mapping[str, int]]
) -> bool:
    """Return whether an entry with these counts, by kind and day, is among the floods."""
    # Most entries have too few matches, and need no comparison with others.
    is_frequent = any(number >= MIN_MATCHES for days in counts.values() for number in days.values())
    return is_frequent and any(
        (flood.source, flood.entry) == (source, entry) for flood in find_floods(folder)
    )


def read_counts(folder: Path, source: str, entry: str) -> dict[str, dict[str, int]]:
    """Return the counts of an entry, by kind and day."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    with _open_existing(folder, "ro") as connection:
        if connection is None:
            return {}
        for kind, day, number in connection.execute(
            "SELECT kind, day, count FROM matches WHERE source = ? AND entry = ?"
            " ORDER BY kind, day",
            (source, entry),
        ):
            counts[kind][day] = integer(number)
    return dict(counts)


def forget(folder: Path, source: str) -> None:
    """Erase the counts of a source's entries."""
    with _open_existing(folder, "rw") as connection:
        if connection is None:
            return
        with transaction(connection):
            connection.execute("DELETE FROM matches WHERE source = ?", (source,))
        connection.execute("VACUUM")


def _floods(connection: sqlite3.Connection, day: str) -> list[Flood]:
    """Return the entries of a day with at least `MIN_MATCHES` matches by one kind.

    These must be at least `MIN_RATIO` times the median of other entries by that kind, and
    `MIN_RATIO` times the entry's own mean on earlier days.
    """
    counts: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for source, entry, kind, number in connection.execute(
        "SELECT source, entry, kind, count FROM matches WHERE day = ?", (day,)
    ):
        counts[kind][source, entry] = number
    floods = []
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
                floods.append(Flood(source, entry, kind, day, number, usual))
    return sorted(floods, key=lambda flood: -flood.count)


def _median_of_others(ascending: Sequence[int], excluded: int) -> float:
    """Return the median without one number, or 0.0 if there are no others."""
    position, count = bisect_left(ascending, excluded), len(ascending) - 1
    middle = ((count - 1) // 2, count // 2)  # equal if the count is odd
    return sum(ascending[n + (n >= position)] for n in middle) / 2 if count else 0.0


@contextlib.contextmanager
def _open_existing(folder: Path, mode: str) -> Iterator[sqlite3.Connection | None]:
    """Yield a connection to the counts, or None if there are none.

    There is a file without a table if a full disk or a kill interrupted the first count.
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
    failed, damaged = partial(_count_error, folder), partial(_damage_error, path)
    with report_errors(path, failed, errors=(OSError, sqlite3.Error)):
        if mode == "rwc":
            # Do not open an existing file: closing it would drop SQLite's locks of this process.
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


def _count_error(folder: Path, why: str) -> ListError:
    return ListError(f"cannot count matches in {folder}: {why}")


def _damage_error(path: Path, row: str) -> ListError:
    return ListError(f"{path} is damaged: {row}; delete it to start counting again")
