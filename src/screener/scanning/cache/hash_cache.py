"""Hashes of scanned inputs, stored for a time, to match newer lists without opening a file.

A cache is one SQLite file, readable by its owner only. The hashes of matched inputs are listed
ones, or near them: protect it like a list.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener.arguments import as_float
from screener.errors import OutputError, PolicyError
from screener.hashing.hash import KINDS, HashKind
from screener.media.source import Name
from screener.scanning.cache import cache_rows
from screener.scanning.cache.cache_file import CacheFile
from screener.scanning.cache.cache_rows import made_by, serves
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.system.installation import is_here

MOST_DAYS = 36_525
_DAY_S = 86_400
# Others wait while so many inputs are removed.
_FORGOTTEN = 2_000
# More than any time in seconds; SQLite sorts a text behind it.
_NO_TIME = 1 << 53

# The key of the codes begins with the kind; a query without kinds would read the whole table.
_KINDS = ", ".join(f"'{name}'" for name in KINDS)

# Raised for values that were never stored.
_OTHER = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

_COLUMNS = ("name", "place", "hashed", "making", *cache_rows.COLUMNS)
_INSERT = f"INSERT INTO inputs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class HashCache:
    """The newest hashes of each input, by its name; a context manager.

    `HashCache.open(path)` opens or creates a file. Opening and closing remove inputs older than
    `keep` days. Threads and programs may share a file: nothing is locked between two calls. Every
    method raises OutputError if the file is damaged or closed, another program writes to it for
    half a minute, or this process was forked since it was opened.
    """

    def __init__(self, file: CacheFile) -> None:
        """Wrap a file; callers use `open`."""
        self._file = file
        self._maker: tuple[Hasher, str] | None = None
        self.forgotten = 0
        """How many inputs were removed since it was opened."""

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, keep: float | None = None, create: bool = True
    ) -> HashCache:
        """Open the cache at a path; create it if there is no file or an empty one, and `create`.
        `keep` is in days, from 0 to 36,525, and is stored; the default is 30.

        Raises OutputError, and leaves the file as it is, if it is no cache or of another version;
        PolicyError for another `keep`.
        """
        days = None if keep is None else check_keep(keep)
        cache = cls(CacheFile.open(Path(path), create=create))
        try:
            if days is not None:
                with cache._file.writing() as connection:
                    connection.execute("UPDATE settings SET keep = ?", (days,))
            cache.forget()
        except BaseException:
            cache._file.close()
            raise
        return cache

    def __repr__(self) -> str:
        """Return its path, and nothing of its content."""
        return f"<HashCache {str(self._file.path)!r}>"

    def __len__(self) -> int:
        """Return the number of inputs."""
        return int(self._one("SELECT count(*) FROM inputs"))

    def add(self, inputs: Iterable[HashedInput], hasher: Hasher) -> None:
        """Store the hashes of inputs in place of older ones. They are committed when this returns,
        even if the process is killed then. An input without hashes is stored too, to be counted;
        but one that is gone does not replace hashes from when it was there.
        """
        with self._file.writing() as connection:
            making = self._making(connection, hasher)
            now = int(time.time())
            for hashed in inputs:
                if hashed.name.text is not None:
                    key = cache_rows.key_of(hashed.name)
                    if _is_gone(hashed) and _has(connection, key):
                        continue
                    _remove(connection, "name = ? AND place = ?", key)
                    row = (*key, now, making, *cache_rows.columns(hashed, hasher.kinds))
                    number = connection.execute(_INSERT, row).lastrowid
                    codes = [(k, number, value) for k, value in cache_rows.values(hashed).items()]
                    connection.executemany("INSERT INTO codes VALUES (?, ?, ?)", codes)

    def holds(self, name: Name, hasher: Hasher) -> bool:
        """Return whether it has an input as of its size and time, with all that a Hasher would
        make, and without wanting an extra that is installed now.
        """
        key = cache_rows.key_of(name)
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT size, mtime_ns, made_by, extra FROM inputs"
                " JOIN makings ON makings.id = making WHERE name = ? AND place = ?",
                key,
            ).fetchone()
        if row is None or (row[:2] != cache_rows.state(name) and not name.has_no_state):
            return False
        made, extra = row[2:]
        return self._serves(made, self._made_by(hasher)) and (extra is None or not is_here(extra))

    def _made_by(self, hasher: Hasher) -> str:
        maker = self._maker  # another thread may replace it
        if maker is None or maker[0] is not hasher:
            self._maker = maker = (hasher, made_by(hasher))
        return maker[1]

    def _making(self, connection: sqlite3.Connection, hasher: Hasher) -> int:
        facts = (self._made_by(hasher),)
        connection.execute("INSERT OR IGNORE INTO makings (made_by) VALUES (?)", facts)
        rows = connection.execute("SELECT id FROM makings WHERE made_by = ?", facts)
        return int(rows.fetchone()[0])

    @property
    def keep(self) -> float:
        """Return after how many days an input is removed."""
        days = self._one("SELECT keep FROM settings")
        try:
            return check_keep(days)
        except PolicyError as error:
            raise self._file.damaged(error) from None

    def forget(self) -> int:
        """Remove inputs older than `keep` for good; return their number."""
        before = int(time.time() - _DAY_S * self.keep)
        late = "SELECT EXISTS (SELECT 1 FROM inputs WHERE hashed > ? OR hashed IS NULL)"
        if self._one(late, _NO_TIME):
            raise self._file.damaged("an invalid time")
        gone = 0
        which = f"id IN (SELECT id FROM inputs WHERE hashed < ? LIMIT {_FORGOTTEN})"
        while self._one("SELECT EXISTS (SELECT 1 FROM inputs WHERE hashed < ?)", before):
            with self._file.writing() as connection:
                gone += _remove(connection, which, (before,))
        if gone:
            self._file.overwrite()
        self.forgotten += gone
        return gone

    def makings(self) -> list[str]:
        """Return the settings by which inputs were hashed, as `made_by` does."""
        with self._file.reading() as connection:
            found = [one for (one,) in connection.execute("SELECT made_by FROM makings").fetchall()]
        for one in found:
            self._serves(one, one)
        return found

    def _serves(self, made: str, wanted: str) -> bool:
        """Return what `serves` does. Raise OutputError if a text holds no settings."""
        try:
            return serves(made, wanted)
        except _OTHER:
            raise self._file.damaged("settings of hashes") from None

    def counts(self) -> dict[tuple[str, str | None], int]:
        """Return the number of inputs by their settings and the extra that they want."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT made_by, extra, count(*) FROM"
                " (SELECT making, extra FROM inputs INDEXED BY inputs_by_making)"
                " LEFT JOIN makings ON makings.id = making GROUP BY making, extra"
            ).fetchall()
        if any(made is None or type(extra) not in (str, type(None)) for made, extra, _ in rows):
            raise self._file.damaged("settings of inputs")
        return {(made, extra): number for made, extra, number in rows}

    def last(self) -> int:
        """Return the largest number of an input. Numbers begin with 1 and are never reused."""
        return int(self._one("SELECT coalesce(max(id), 0) FROM inputs"))

    def codes(
        self, kind: HashKind, first: int, end: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the codes of a kind, (n, size) uint8, of the inputs from `first` to before `end`,
        and the input's number for each code.
        """
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT input, bytes FROM codes WHERE kind = ? AND input >= ? AND input < ?"
                " ORDER BY input",
                (kind.name, first, end),
            ).fetchall()
        try:
            numbers = np.array([number for number, _ in rows], np.int64)
            counts = np.array([len(value) // kind.size for _, value in rows], np.int64)
            codes = np.frombuffer(b"".join(value for _, value in rows), np.uint8)
            return np.repeat(numbers, counts), codes.reshape(-1, kind.size)
        except (ValueError, TypeError):
            raise self._file.damaged(f"hashes of the kind {kind.name}") from None

    def unclear(self, first: int, end: int, floor: int) -> list[int]:
        """Return those inputs that may be `unscreened` under a floor, and all videos and
        animations.
        """
        # A value that is no floor is loaded too, and found to be damage.
        unclear = "(clear < ? OR clear > ? OR clear IS NULL)"
        return self._numbers(
            f"id >= ? AND id < ? AND {unclear}", first, end, floor, cache_rows.EVERY
        )

    def load(self, numbers: Iterable[int], settings: set[str]) -> Iterator[HashedInput]:
        """Yield the inputs of some numbers, if they were hashed by any of some settings."""
        for number in numbers:
            with self._file.reading() as connection:
                row = connection.execute(
                    f"SELECT made_by, name, place, {', '.join(cache_rows.COLUMNS)} FROM inputs"
                    " LEFT JOIN makings ON makings.id = making WHERE inputs.id = ?",
                    (number,),
                ).fetchone()
                if row is None:
                    continue
                if row[0] is None:
                    raise self._file.damaged(f"input number {number}")
                if row[0] not in settings:
                    continue
                values = connection.execute(
                    f"SELECT kind, bytes FROM codes WHERE kind IN ({_KINDS}) AND input = ?",
                    (number,),
                ).fetchall()
            try:
                hashed = cache_rows.loaded(row[1:3], row[3:], dict(values))
            except _OTHER:
                raise self._file.damaged(f"input number {number}") from None
            yield hashed

    def numbers(self, first: int, end: int) -> list[int]:
        """Return the inputs from one number to before another."""
        return self._numbers("id >= ? AND id < ?", first, end)

    def _numbers(self, which: str, *values: int) -> list[int]:
        with self._file.reading() as connection:
            rows = connection.execute(f"SELECT id FROM inputs WHERE {which} ORDER BY id", values)
            return [number for (number,) in rows.fetchall()]

    def _one(self, question: str, *values: Any) -> Any:
        with self._file.reading() as connection:
            row = connection.execute(question, values).fetchone()
        if row is None:
            raise self._file.damaged("no settings")
        return row[0]

    def __enter__(self) -> HashCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file.closed:
            return
        try:
            self.forget()
        except OutputError:
            if kind is None:  # else the error under way says more
                raise
        finally:
            self._file.close()


def check_keep(days: float) -> float:
    """Return a number of days to keep hashes. Raise PolicyError for anything else."""
    found = as_float(days)
    if not 0 <= found <= MOST_DAYS:  # nor is NaN
        raise PolicyError(f"keep must be a number of days from 0 to {MOST_DAYS}, not {days!r}")
    return found


def _is_gone(hashed: HashedInput) -> bool:
    """Return whether nothing was there under that name."""
    return not hashed.hashes and hashed.name.has_no_state


def _has(connection: sqlite3.Connection, key: tuple[bytes, str]) -> bool:
    row = connection.execute("SELECT 1 FROM inputs WHERE name = ? AND place = ?", key).fetchone()
    return row is not None


def _remove(connection: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> int:
    """Remove inputs with their codes; return their number."""
    numbers = connection.execute(f"SELECT id FROM inputs WHERE {which}", values).fetchall()
    connection.executemany(f"DELETE FROM codes WHERE kind IN ({_KINDS}) AND input = ?", numbers)
    connection.executemany("DELETE FROM inputs WHERE id = ?", numbers)
    return len(numbers)
