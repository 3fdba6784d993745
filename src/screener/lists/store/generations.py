"""Generations: what makes a change to a list visible, and who may still read an old one.

A list is a folder: `records.sqlite` is the truth, `segments/` holds index files (`*.idx`) and the
rows of them that no longer count (`*.gone`), both of which can be made again from it. They are
written and synced under names never used before; the commit that names them publishes them
together with the records.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from screener.arguments import integer
from screener.errors import IndexFileError, ListError
from screener.hashing.hash import KINDS
from screener.index.parts import Part, Parts
from screener.lists.store import census, database
from screener.lists.store.column_checks import SEGMENT_NAME, parse_counts
from screener.system.installation import __version__

_STAMP = 8  # bytes
_LARGEST = 2**63 - 1  # of a number in SQLite, and more than a list can have of generations
KEPT_GENERATIONS = 3  # generations whose segment files stay, the newest included


Identity = tuple[str | None, int, float]  # a list's id, a generation's number, when it was made


@dataclass(frozen=True)
class Generation:
    """One state of a list. `made` is when it was made, `time` when it was made or last confirmed
    (seconds since 1970); `list` is the list's id, None if it had none yet.
    """

    list: str | None
    number: int
    made: float
    time: float
    states: Mapping[str, int]
    segments: Mapping[str, Parts]

    @property
    def next_number(self) -> int:
        """The number of the generation that a change to this one makes."""
        return self.number + 1

    @property
    def identity(self) -> Identity:
        """What tells it from any other generation, also of another list or where two copies of a
        list went on apart: see `check_there`.
        """
        return self.list, self.number, self.made

    @property
    def stamp(self) -> str:
        """The same in 16 hexadecimal digits; of nothing that is listed."""
        told = f"{self.list} {self.number} {self.made!r}".encode()
        return hashlib.blake2b(told, digest_size=_STAMP, person=b"generation").hexdigest()


def load(connection: sqlite3.Connection, folder: Path, number: int | None = None) -> Generation:
    """Return the newest generation, or the one of that number; ListError if there is none."""
    wanted = None if number is None else _whole(number)
    row = connection.execute(
        "SELECT number, time, confirmed, states FROM generations"
        " WHERE ? IS NULL OR number = ? ORDER BY number DESC LIMIT 1",
        (wanted, wanted),
    ).fetchone()
    if row is None:
        raise ListError(f"{folder} has no generation {number}")
    found, made, confirmed, states = row
    if type(made) is not float or type(confirmed) is not float:  # no text has an age
        raise TypeError("no time")
    counts = parse_counts(states)
    segments = _files(connection, found)
    return Generation(
        database.read_id(connection), found, made, confirmed,
        MappingProxyType(counts), MappingProxyType(segments),
    )  # fmt: skip


def _whole(number: int) -> int:
    """Return a number that SQLite can be asked for: it knows no NumPy, and reads a text as a
    number.
    """
    try:
        return max(-1, min(integer(number), _LARGEST))
    except TypeError:
        raise ListError(f"a generation is a whole number, not {type(number).__name__}") from None


def check_not_replaced(connection: sqlite3.Connection, folder: Path, opened: Identity) -> None:
    """Raise IndexFileError if a database holds no such generation: another list was put in the
    place of the one that was opened, and says nothing of what its index files hold.
    """
    known, number, made = opened
    there = connection.execute("SELECT time FROM generations WHERE number = ?", (number,))
    # A list of an older version is given its id by whoever writes to it first.
    same_list = known is None or known == database.read_id(connection)
    if there.fetchone() != (made,) or not same_list:
        raise IndexFileError(
            f"the list {folder} was replaced by another while it was open; refresh it, or open it"
            " anew"
        )


def check_purged_since(connection: sqlite3.Connection, folder: Path, number: int) -> None:
    """Raise IndexFileError unless something was purged after a generation: nothing else explains
    that no record holds what an index file of it does.
    """
    if not was_purged_since(connection, number):
        raise IndexFileError(
            f"an index of the list {folder} holds values that no record of its generation {number}"
            " holds; `screener verify` tells what is damaged"
        )


def was_purged_since(connection: sqlite3.Connection, number: int) -> bool:
    """Return whether something was purged after a generation, and so taken out of it as well."""
    purged = "SELECT 1 FROM generations WHERE what = 'purge' AND number > ? LIMIT 1"
    return connection.execute(purged, (number,)).fetchone() is not None


def _files(connection: sqlite3.Connection, number: int) -> dict[str, Parts]:
    """Return the files of a generation by kind. An import adds at most one index file to each."""
    found: dict[str, Parts] = {}
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
        if since > number:  # not asked of SQLite, by which a damaged one would be passed over
            continue
        before = found.get(kind, Parts())
        if part.file.endswith(".idx"):
            found[kind] = before._replace(indexes=(*before.indexes, part))
        else:
            found[kind] = before._replace(removed=part)
    return found


def publish(
    connection: sqlite3.Connection,
    number: int,
    *,
    what: str,
    states: Mapping[str, int],
    confirmed: float | None = None,
    by: str | None = None,
    note: str | None = None,
    came: census.Census | None = None,
) -> None:
    """Name a new generation; the transaction's commit makes it visible.

    `confirmed` is when its records were last known to be current: now unless given. `by` is who
    asked for it, `note` why. `came`: see `census.follow`.
    """
    now = time.time()
    counts = json.dumps({state: count for state, count in sorted(states.items()) if count})
    connection.execute(
        "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, now, now if confirmed is None else confirmed, what, counts, __version__, by, note),
    )
    census.update(connection, number, came)


def confirm(connection: sqlite3.Connection, number: int) -> None:
    """Note that an import of some rows found nothing to change: the generation stays, and is young
    again.
    """
    connection.execute(
        "UPDATE generations SET confirmed = ? WHERE number = ?", (time.time(), number)
    )


def make_segment_name(kind: str, number: int, *, ending: str = "idx") -> str:
    """Return a file name that no segment has had or will have."""
    return f"{kind}-{number:08d}-{secrets.token_hex(8)}.{ending}"
