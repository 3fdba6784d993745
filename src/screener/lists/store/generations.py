"""Generations of a list: read one, and publish the next, which makes a change visible.

A list is a folder. `records.sqlite` has the records; `segments/` has index files (`*.idx`) and
their removed rows (`*.gone`), which can be rebuilt from it. They are written and synced under new
names; the commit that names them publishes them together with the records.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from screener.arguments import integer
from screener.errors import IndexFileError, ListError
from screener.hashing.hash import KINDS
from screener.index.parts import Part, Parts
from screener.lists.store import database
from screener.lists.store.column_checks import SEGMENT_NAME
from screener.lists.store.counts import Counts, count, derive, encode, parse, sum_states
from screener.system.installation import __version__

_STAMP_BYTES = 8
_MAX_NUMBER = 2**63 - 1  # the largest integer in SQLite
KEPT_GENERATIONS = 3  # including the newest; their segment files stay

Identity = tuple[str, int, float]  # a list's id, a generation's number, when it was made


@dataclass(frozen=True)
class Generation:
    """One state of a list.

    `list`: the id of the list.
    `made`: when the generation was made; `time`: when it was made or last confirmed (seconds since
    1970).
    `counts`: numbers of records by their properties.
    `segments`: the index files of each kind.
    """

    list: str
    number: int
    made: float
    time: float
    counts: Counts
    segments: Mapping[str, Parts]

    @cached_property
    def states(self) -> Mapping[str, int]:
        """The numbers of records in each state."""
        return MappingProxyType(sum_states(self.counts))

    @property
    def next_number(self) -> int:
        """The number of the generation that a change to this one makes."""
        return self.number + 1

    @property
    def identity(self) -> Identity:
        """The values that distinguish it from all generations of all lists and their copies."""
        return self.list, self.number, self.made

    @property
    def stamp(self) -> str:
        """A digest of `identity` in 16 hexadecimal digits, which depends on no listed hash."""
        text = f"{self.list} {self.number} {self.made!r}".encode()
        return hashlib.blake2b(text, digest_size=_STAMP_BYTES, person=b"generation").hexdigest()


def load(connection: sqlite3.Connection, folder: Path, number: int | None = None) -> Generation:
    """Return the newest generation, or generation `number`; raise ListError if there is none."""
    wanted = None if number is None else _to_sqlite_integer(number)
    row = connection.execute(
        "SELECT number, time, confirmed, counts FROM generations"
        " WHERE ? IS NULL OR number = ? ORDER BY number DESC LIMIT 1",
        (wanted, wanted),
    ).fetchone()
    if row is None:
        raise ListError(f"{folder} has no generation {number}")
    stored_number, made, confirmed, counts = row
    if type(made) is not float or type(confirmed) is not float:
        raise TypeError("no time")
    segments = _read_segments(connection, stored_number)
    return Generation(
        database.read_id(connection), stored_number, made, confirmed,
        parse(counts), MappingProxyType(segments),
    )  # fmt: skip


def _to_sqlite_integer(number: int) -> int:
    """Return a generation's number as SQLite takes it, which has no NumPy integers."""
    try:
        return max(-1, min(integer(number), _MAX_NUMBER))
    except TypeError:
        raise ListError(f"a generation is a whole number, not {type(number).__name__}") from None


def check_not_replaced(connection: sqlite3.Connection, folder: Path, opened: Identity) -> None:
    """Raise IndexFileError if the database does not have the generation that was opened.

    Another list has replaced the opened one then, and its records do not fit the opened index.
    """
    list_id, number, made = opened
    row = connection.execute("SELECT time FROM generations WHERE number = ?", (number,)).fetchone()
    if row != (made,) or list_id != database.read_id(connection):
        raise IndexFileError(
            f"the list {folder} was replaced by another while it was open; refresh it, or open it"
            " again"
        )


def check_purged_since(connection: sqlite3.Connection, folder: Path, number: int) -> None:
    """Raise IndexFileError if nothing was purged after a generation.

    Only a purge explains that an index file of the generation has values that no record has.
    """
    if not was_purged_since(connection, number):
        raise IndexFileError(
            f"an index of the list {folder} has values that no record of its generation {number}"
            " has; `screener verify` reports what is damaged"
        )


def was_purged_since(connection: sqlite3.Connection, number: int) -> bool:
    """Return whether something was purged after a generation, and so from it too."""
    purged = "SELECT 1 FROM generations WHERE what = 'purge' AND number > ? LIMIT 1"
    return connection.execute(purged, (number,)).fetchone() is not None


def _read_segments(connection: sqlite3.Connection, number: int) -> dict[str, Parts]:
    segments: dict[str, Parts] = {}
    for kind, file, rows, since in connection.execute(
        "SELECT kind, file, rows, since FROM segments WHERE until IS NULL OR until > ?"
        " ORDER BY since",
        (number,),
    ):
        part = Part(str(file), rows)
        if kind not in KINDS or not SEGMENT_NAME.fullmatch(part.file):
            raise ValueError("no segment")
        if type(rows) is not int or type(since) is not int:
            raise ValueError("no number")
        if since > number:  # not a condition of the query, which would skip damaged rows
            continue
        files = segments.get(kind, Parts())
        if part.file.endswith(".idx"):
            segments[kind] = files._replace(indexes=(*files.indexes, part))
        else:
            segments[kind] = files._replace(removed=part)
    return segments


def publish(
    connection: sqlite3.Connection,
    number: int,
    *,
    what: str,
    confirmed: float | None = None,
    by: str | None = None,
    note: str | None = None,
    target: int | None = None,
    entry: tuple[str | None, str] | None = None,
    recount: bool = False,
) -> None:
    """Add a new generation, which the commit of the transaction makes visible.

    Parameters:
        number: the number of the generation: `next_number` of the current one
        what: the kind of change
        confirmed: when its records were last known to be current (default: now)
        by, note: who asked for the change, and why
        target: the generation that a rollback restores
        entry: the source, if known, and the id of the entry that the change is about
        recount: count all records, since the change rewrote the past
    """
    now = time.time()
    counts = count(connection, number) if recount else derive(connection, number)
    connection.execute(
        "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, now, now if confirmed is None else confirmed, what, encode(counts), __version__,
            by, note, target, *(entry or (None, None)),
        ),
    )  # fmt: skip


def confirm(connection: sqlite3.Connection, number: int) -> None:
    """Record that the records are current: an import with rows had nothing to change."""
    connection.execute(
        "UPDATE generations SET confirmed = ? WHERE number = ?", (time.time(), number)
    )


def make_segment_name(kind: str, number: int, *, ending: str = "idx") -> str:
    """Return a new file name, which no other segment ever gets."""
    return f"{kind}-{number:08d}-{secrets.token_hex(8)}.{ending}"
