"""HashCache: the hashes of inputs that were scanned, kept for a time, so that a newer list can be
matched against them without opening a file.

One SQLite file, readable by its owner only. The hashes of a matched input are listed ones, or next
to them: it is to be kept like a list.
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
from screener.scanning.cache import rows as cached
from screener.scanning.cache.file import CacheFile
from screener.scanning.cache.rows import made_by, serves
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.system.installation import is_here

MOST_DAYS = 36_525
_DAY_S = 86_400
# Nobody else can write while so many inputs are forgotten.
_FORGOTTEN = 2_000
# More than any time in seconds, and less than what SQLite takes a text for.
_NO_TIME = 1 << 53

# All that there are: the key of the codes begins with the kind, and a question that names none
# would read the whole table.
_KINDS = ", ".join(f"'{name}'" for name in KINDS)

# What is raised of what was never kept.
_OTHER = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

_COLUMNS = ("name", "place", "hashed", "making", *cached.COLUMNS)
_INSERT = f"INSERT INTO inputs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def check_open(cache: object) -> None:
    """TypeError for anything but a HashCache, such as its path, which commands take."""
    if not isinstance(cache, HashCache):
        found = "its path" if isinstance(cache, str | PathLike) else type(cache).__name__
        raise TypeError(f"a cache is a HashCache, HashCache.open(path) say, and not {found}")


class HashCache:
    """Hashes by the name of their input, the newest of each; a context manager.

    `HashCache.open(path)` begins a file or goes on with one, and forgets what is older than its
    `keep` days, also when it is closed. Threads may share it, and several programs may use one file
    at the same time: nothing is held between two calls. All raise OutputError where the file is
    damaged, another program has been writing to it for half a minute, this process was forked
    since it was opened, or it is closed.
    """

    def __init__(self, file: CacheFile) -> None:
        """Not for callers: use `open`."""
        self._file = file
        self._maker: tuple[Hasher, str] | None = None
        self.forgotten = 0
        """How many inputs were forgotten since it was opened."""

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, keep: float | None = None, create: bool = True
    ) -> HashCache:
        """Open the cache at a path, made where there is none or an empty file, unless `create` is
        False; `keep` is in days, from 0 to 36,525, and stays: 30 where it was never given.

        OutputError where the file is no cache, or of another version: it is left as it is.
        PolicyError where `keep` is no such number.
        """
        days = None if keep is None else checked_keep(keep)
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
        """Where it is; nothing of its content."""
        return f"<HashCache {str(self._file.path)!r}>"

    def __len__(self) -> int:
        """How many inputs it holds."""
        return int(self._one("SELECT count(*) FROM inputs"))

    def add(self, inputs: Iterable[HashedInput], hasher: Hasher) -> None:
        """Keep what was made of some inputs, in the place of what was kept of them before: all of
        them, when this returns, even if the process is killed. An input without a hash is kept too,
        to be counted; but where there was nothing, what is kept of what was there stays.
        """
        with self._file.writing() as connection:
            making = self._making(connection, hasher)
            now = int(time.time())
            for hashed in inputs:
                if hashed.name.text is not None:
                    key = cached.key_of(hashed.name)
                    if _is_gone(hashed) and _has(connection, key):
                        continue
                    _remove(connection, "name = ? AND place = ?", key)
                    row = (*key, now, making, *cached.columns(hashed, hasher.kinds))
                    number = connection.execute(_INSERT, row).lastrowid
                    codes = [(k, number, value) for k, value in cached.values(hashed).items()]
                    connection.executemany("INSERT INTO codes VALUES (?, ?, ?)", codes)

    def holds(self, name: Name, hasher: Hasher) -> bool:
        """Whether it has an input as it is now, by its size and time, with all that a Hasher would
        make of it, as far as it did not want an extra that is here now.
        """
        key = cached.key_of(name)
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT size, mtime_ns, made_by, extra FROM inputs"
                " JOIN makings ON makings.id = making WHERE name = ? AND place = ?",
                key,
            ).fetchone()
        if row is None or (row[:2] != cached.state(name) and not name.has_no_state):
            return False
        made, extra = row[2:]
        return self._serves(made, self._made_by(hasher)) and (extra is None or not is_here(extra))

    def _made_by(self, hasher: Hasher) -> str:
        maker = self._maker  # which another thread may replace
        if maker is None or maker[0] is not hasher:
            self._maker = maker = (hasher, made_by(hasher))
        return maker[1]

    def _making(self, connection: sqlite3.Connection, hasher: Hasher) -> int:
        facts = (self._made_by(hasher),)
        connection.execute("INSERT OR IGNORE INTO makings (made_by) VALUES (?)", facts)
        asked = connection.execute("SELECT id FROM makings WHERE made_by = ?", facts)
        return int(asked.fetchone()[0])

    @property
    def keep(self) -> float:
        """After how many days an input is forgotten."""
        kept = self._one("SELECT keep FROM settings")
        try:
            return checked_keep(kept)
        except PolicyError as error:
            raise self._file.damaged(error) from None

    def forget(self) -> int:
        """Remove what is older than `keep` for good; how many inputs."""
        before = int(time.time() - _DAY_S * self.keep)
        late = "SELECT EXISTS (SELECT 1 FROM inputs WHERE hashed > ? OR hashed IS NULL)"
        if self._one(late, _NO_TIME):
            raise self._file.damaged("a time that is none, which nothing would be forgotten by")
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
        """The settings by which inputs were hashed, as `made_by` tells them."""
        with self._file.reading() as connection:
            found = [one for (one,) in connection.execute("SELECT made_by FROM makings").fetchall()]
        for one in found:
            self._serves(one, one)
        return found

    def _serves(self, made: str, wanted: str) -> bool:
        """As `serves`; OutputError where they are no settings."""
        try:
            return serves(made, wanted)
        except _OTHER:
            raise self._file.damaged("settings of hashes") from None

    def counts(self) -> dict[tuple[str, str | None], int]:
        """How many inputs were hashed by which settings, and want which extra."""
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
        """The largest number of an input; numbers begin with 1, and none is used again."""
        return int(self._one("SELECT coalesce(max(id), 0) FROM inputs"))

    def codes(
        self, kind: HashKind, first: int, end: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The codes of a kind of the inputs from one number to before another: of each code the
        number of its input, and the codes, (n, size) uint8.
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
        """The inputs of those numbers that may be `unscreened` under a floor, and all videos and
        animations.
        """
        # What no floor is like is to be loaded, and found to be damage.
        unclear = "(clear < ? OR clear > ? OR clear IS NULL)"
        return self._numbers(f"id >= ? AND id < ? AND {unclear}", first, end, floor, cached.EVERY)

    def load(self, numbers: Iterable[int], settings: set[str]) -> Iterator[HashedInput]:
        """What was kept of some inputs, as far as it was made by any of some settings."""
        for number in numbers:
            with self._file.reading() as connection:
                row = connection.execute(
                    f"SELECT made_by, name, place, {', '.join(cached.COLUMNS)} FROM inputs"
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
                hashed = cached.loaded(row[1:3], row[3:], dict(values))
            except _OTHER:
                raise self._file.damaged(f"input number {number}") from None
            yield hashed

    def numbers(self, first: int, end: int) -> list[int]:
        """The inputs from one number to before another."""
        return self._numbers("id >= ? AND id < ?", first, end)

    def _numbers(self, which: str, *values: int) -> list[int]:
        with self._file.reading() as connection:
            asked = connection.execute(f"SELECT id FROM inputs WHERE {which} ORDER BY id", values)
            return [number for (number,) in asked.fetchall()]

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
            if kind is None:  # else the error that is under way says more
                raise
        finally:
            self._file.close()


def checked_keep(days: float) -> float:
    """A number of days that a cache can keep something for; PolicyError where that is none."""
    found = as_float(days)
    if not 0 <= found <= MOST_DAYS:  # which NaN is not, either
        raise PolicyError(f"keep is a number of days from 0 to {MOST_DAYS}, not {days!r}")
    return found


def _is_gone(hashed: HashedInput) -> bool:
    """Whether there was nothing to be hashed under that name."""
    return not hashed.hashes and hashed.name.has_no_state


def _has(connection: sqlite3.Connection, key: tuple[bytes, str]) -> bool:
    row = connection.execute("SELECT 1 FROM inputs WHERE name = ? AND place = ?", key).fetchone()
    return row is not None


def _remove(connection: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> int:
    """Remove inputs with their codes; how many."""
    numbers = connection.execute(f"SELECT id FROM inputs WHERE {which}", values).fetchall()
    connection.executemany(f"DELETE FROM codes WHERE kind IN ({_KINDS}) AND input = ?", numbers)
    connection.executemany("DELETE FROM inputs WHERE id = ?", numbers)
    return len(numbers)
