"""Hashes of scanned inputs, stored for some days to match newer lists without opening a file.

A cache is one SQLite file, readable by its owner only. Protect it like a list: the hashes of
matched inputs are equal or near to listed ones.
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
from screener.hashing.pdq import PDQ
from screener.media.name import Name
from screener.scanning.cache import cache_rows
from screener.scanning.cache.cache_file import CacheFile
from screener.scanning.cache.cache_rows import covers, describe_settings
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.screening.policy import Effort
from screener.system.installation import is_available

MAX_DAYS = 36_525
_DAY_SECONDS = 86_400
# Inputs that one transaction removes, for which other programs wait.
_MAX_REMOVED = 2_000
# Later than any time in seconds. SQLite sorts texts after numbers.
_MAX_TIME = 1 << 53

# The key of `codes` begins with the kind, so a query without kinds would read the whole table.
_KINDS = ", ".join(f"'{name}'" for name in (*KINDS, cache_rows.WEIGHTS))

# Raised when content is decoded that this program never stores.
_DECODE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

_COLUMNS = ("name", "place", "hashed", "making", *cache_rows.COLUMNS)
_INSERT = f"INSERT INTO inputs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class HashCache:
    """The newest hashes of each input, by its name; a context manager.

    `HashCache.open(path)` opens or creates a file. Opening and closing remove inputs older than
    `keep` days. Threads and programs may share a file, since nothing is locked between two calls.
    Every method raises OutputError if the file is damaged or closed, if another program writes to
    it for half a minute, or if this process was forked since it was opened.
    """

    def __init__(self, file: CacheFile) -> None:
        """Wrap an open file; callers use `open`."""
        self._file = file
        self._described: tuple[Hasher, str] | None = None
        self.forgotten = 0
        """The number of inputs that were removed since the cache was opened."""

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        keep: float | None = None,
        weights: bool | None = None,
        create: bool = True,
    ) -> HashCache:
        """Open the cache at a path, or create it.

        Parameters:
            path: The file.
            keep: The number of days after which inputs are removed, from 0 to 36,525; it is stored.
                A new cache has 30 by default.
            weights: Whether scans with an effort above `distance` also store the weights of the
                bits of PDQs, so that `rescan` can compare by evidence; it is stored. False erases
                stored weights. A new cache stores none by default. They are a blurred picture:
                docs/privacy.md describes them.
            create: Create the cache if the file is missing or empty.

        Raises:
            OutputError: If the file is not a cache or is of another version; it stays as it is.
            PolicyError: If `keep` is not a valid number of days.
            TypeError: If `weights` is not a bool or None.
        """
        days = None if keep is None else check_keep(keep)
        if not isinstance(weights, bool | None):
            raise TypeError(f"weights must be True, False or None, not {weights!r}")
        cache = cls(CacheFile.open(Path(path), create=create))
        try:
            if days is not None:
                with cache._file.writing() as connection:
                    connection.execute("UPDATE settings SET keep = ?", (days,))
            if weights is not None and weights != cache.weights:
                cache._set_weights(weights)
            cache.forget()
        except BaseException:
            cache._file.close()
            raise
        return cache

    def __repr__(self) -> str:
        """Return the path, but no content."""
        return f"<HashCache {str(self._file.path)!r}>"

    def __len__(self) -> int:
        """Return the number of inputs."""
        return int(self._select_one("SELECT count(*) FROM inputs"))

    def add(self, inputs: Iterable[HashedInput], hasher: Hasher) -> None:
        """Store the hashes of inputs in place of older ones, and commit them.

        An input without hashes is stored too, so that it is counted. But if the input no longer
        exists, its earlier hashes stay.
        """
        with self._file.writing() as connection:
            settings_id = self._settings_id(connection, hasher)
            with_weights = self._needs_weights(hasher)
            now = int(time.time())
            for hashed in inputs:
                if hashed.name.text is not None:
                    key = cache_rows.cache_key(hashed.name)
                    if _is_missing(hashed) and _contains(connection, key):
                        continue
                    _delete(connection, "name = ? AND place = ?", key)
                    row = (*key, now, settings_id, *cache_rows.encode_columns(hashed, hasher.kinds))
                    number = connection.execute(_INSERT, row).lastrowid
                    values = cache_rows.join_values(hashed)
                    if with_weights:
                        values[cache_rows.WEIGHTS] = cache_rows.encode_weights(hashed)
                    codes = [(kind, number, value) for kind, value in values.items()]
                    connection.executemany("INSERT INTO codes VALUES (?, ?, ?)", codes)

    def holds(self, name: Name, hasher: Hasher) -> bool:
        """Return whether the cache has all hashes that a Hasher would compute of an input now.

        The input must have the same size and time, and need no extra that is now installed. Weights
        are included if the cache stores them.
        """
        key = cache_rows.cache_key(name)
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT size, mtime_ns, made_by, extra,"
                " EXISTS (SELECT 1 FROM codes WHERE kind = ? AND input = inputs.id) FROM inputs"
                " JOIN makings ON makings.id = making WHERE name = ? AND place = ?",
                (cache_rows.WEIGHTS, *key),
            ).fetchone()
        if row is None or (row[:2] != cache_rows.encode_state(name) and not name.has_no_state):
            return False
        stored, extra, has_weights = row[2:]
        if not has_weights and self._needs_weights(hasher):
            return False
        required = self._describe_settings(hasher)
        return self._covers(stored, required) and (extra is None or not is_available(extra))

    def _describe_settings(self, hasher: Hasher) -> str:
        described = self._described  # Another thread may replace it.
        if described is None or described[0] is not hasher:
            self._described = described = (hasher, describe_settings(hasher))
        return described[1]

    def _settings_id(self, connection: sqlite3.Connection, hasher: Hasher) -> int:
        values = (self._describe_settings(hasher),)
        connection.execute("INSERT OR IGNORE INTO makings (made_by) VALUES (?)", values)
        rows = connection.execute("SELECT id FROM makings WHERE made_by = ?", values)
        return int(rows.fetchone()[0])

    @property
    def keep(self) -> float:
        """The number of days after which an input is removed."""
        days = self._select_one("SELECT keep FROM settings")
        try:
            return check_keep(days)
        except PolicyError as error:
            raise self._file.damaged_error(error) from None

    @property
    def weights(self) -> bool:
        """Whether scans with an effort above `distance` store the weights of the bits of PDQs."""
        return self._file.has_weights()

    def _set_weights(self, stored: bool) -> None:
        """Store the setting; erase stored weights if it is off."""
        some = f"SELECT input FROM codes WHERE kind = ? LIMIT {_MAX_REMOVED}"
        erase = f"DELETE FROM codes WHERE kind = ? AND input IN ({some})"
        is_set = False
        while not is_set:
            with self._file.writing() as connection:
                kinds = (cache_rows.WEIGHTS,) * 2
                if is_set := stored or not connection.execute(erase, kinds).rowcount:
                    self._file.set_weights(stored)
        self._file.overwrite()

    def _needs_weights(self, hasher: Hasher) -> bool:
        """Return whether the weights of a Hasher's PDQs are stored."""
        has_evidence = PDQ in hasher.kinds and hasher.policy.effort is not Effort.DISTANCE
        return has_evidence and self.weights

    def forget(self) -> int:
        """Erase inputs older than `keep` days; return their number."""
        before = int(time.time() - _DAY_SECONDS * self.keep)
        invalid = "SELECT EXISTS (SELECT 1 FROM inputs WHERE hashed > ? OR hashed IS NULL)"
        if self._select_one(invalid, _MAX_TIME):
            raise self._file.damaged_error("an invalid time")
        removed = 0
        condition = f"id IN (SELECT id FROM inputs WHERE hashed < ? LIMIT {_MAX_REMOVED})"
        while self._select_one("SELECT EXISTS (SELECT 1 FROM inputs WHERE hashed < ?)", before):
            with self._file.writing() as connection:
                removed += _delete(connection, condition, (before,))
        if removed:
            self._file.overwrite()
        self.forgotten += removed
        return removed

    def list_settings(self) -> list[str]:
        """Return all settings with which inputs were hashed (see `describe_settings`)."""
        with self._file.reading() as connection:
            rows = connection.execute("SELECT made_by FROM makings").fetchall()
        all_settings = [settings for (settings,) in rows]
        for settings in all_settings:
            self._covers(settings, settings)  # raises an error if they are damaged
        return all_settings

    def _covers(self, stored: str, required: str) -> bool:
        """Return what `covers` returns. Raises OutputError if the stored settings are damaged."""
        try:
            return covers(stored, required)
        except _DECODE_ERRORS:
            raise self._file.damaged_error("settings of hashes") from None

    def count_by_settings(self) -> dict[tuple[str, str | None], int]:
        """Return the number of inputs by their settings and the missing extra that they need."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT made_by, extra, count(*) FROM"
                " (SELECT making, extra FROM inputs INDEXED BY inputs_by_making)"
                " LEFT JOIN makings ON makings.id = making GROUP BY making, extra"
            ).fetchall()
        if any(
            settings is None or type(extra) not in (str, type(None)) for settings, extra, _ in rows
        ):
            raise self._file.damaged_error("settings of inputs")
        return {(settings, extra): number for settings, extra, number in rows}

    def last_number(self) -> int:
        """Return the largest input number, or 0. Numbers begin with 1 and are never reused."""
        return int(self._select_one("SELECT coalesce(max(id), 0) FROM inputs"))

    def load_codes(
        self, kind: HashKind, first: int, end: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return the codes of a kind and their inputs' numbers, for inputs `first` to `end` - 1.

        Returns the input's number for each code, and the codes as (n, size) uint8.
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
            raise self._file.damaged_error(f"hashes of the kind {kind.name}") from None

    def find_unclear(self, first: int, end: int, floor: int) -> list[int]:
        """Return the inputs that may be `unscreened` under a floor, and all videos and animations.

        They are those with numbers from `first` to `end` - 1.
        """
        # An invalid floor is selected too, and is reported as damage when it is loaded.
        unclear = "(clear < ? OR clear > ? OR clear IS NULL)"
        return self._select_numbers(
            f"id >= ? AND id < ? AND {unclear}", first, end, floor, cache_rows.EVERY_FLOOR
        )

    def find_weighted(self, first: int, end: int) -> list[int]:
        """Return the inputs that were stored with weights, from number `first` to `end` - 1."""
        weighted = "id IN (SELECT input FROM codes WHERE kind = ? AND input >= ? AND input < ?)"
        return self._select_numbers(weighted, cache_rows.WEIGHTS, first, end)

    def count_unweighted(self) -> int:
        """Return the number of inputs that were stored without weights."""
        weighted = "SELECT count(*) FROM codes WHERE kind = ?"
        return len(self) - int(self._select_one(weighted, cache_rows.WEIGHTS))

    def load_inputs(self, numbers: Iterable[int], settings: set[str]) -> Iterator[HashedInput]:
        """Yield the inputs with these numbers that were hashed with any of these settings."""
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
                    raise self._file.damaged_error(f"input number {number}")
                if row[0] not in settings:
                    continue
                values = connection.execute(
                    f"SELECT kind, bytes FROM codes WHERE kind IN ({_KINDS}) AND input = ?",
                    (number,),
                ).fetchall()
            try:
                hashed = cache_rows.decode_row(row[1:3], row[3:], dict(values))
            except _DECODE_ERRORS:
                raise self._file.damaged_error(f"input number {number}") from None
            yield hashed

    def list_numbers(self, first: int, end: int) -> list[int]:
        """Return the numbers of the inputs from `first` to `end` - 1."""
        return self._select_numbers("id >= ? AND id < ?", first, end)

    def _select_numbers(self, condition: str, *values: int | str) -> list[int]:
        with self._file.reading() as connection:
            rows = connection.execute(
                f"SELECT id FROM inputs WHERE {condition} ORDER BY id", values
            )
            return [number for (number,) in rows.fetchall()]

    def _select_one(self, query: str, *values: Any) -> Any:
        with self._file.reading() as connection:
            row = connection.execute(query, values).fetchone()
        if row is None:
            raise self._file.damaged_error("no settings")
        return row[0]

    def __enter__(self) -> HashCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file.closed:
            return
        try:
            self.forget()
        except OutputError:
            if kind is None:  # Otherwise the error in progress says more.
                raise
        finally:
            self._file.close()


def check_keep(days: float) -> float:
    """Return a valid number of days to keep hashes. Raises PolicyError if it is invalid."""
    number = as_float(days)
    if not 0 <= number <= MAX_DAYS:  # NaN is refused too
        raise PolicyError(f"keep must be a number of days from 0 to {MAX_DAYS}, not {days!r}")
    return number


def _is_missing(hashed: HashedInput) -> bool:
    """Return whether the input did not exist."""
    return not hashed.hashes and hashed.name.has_no_state


def _contains(connection: sqlite3.Connection, key: tuple[bytes, str]) -> bool:
    row = connection.execute("SELECT 1 FROM inputs WHERE name = ? AND place = ?", key).fetchone()
    return row is not None


def _delete(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> int:
    """Delete inputs with their codes; return their number."""
    numbers = connection.execute(f"SELECT id FROM inputs WHERE {condition}", values).fetchall()
    connection.executemany(f"DELETE FROM codes WHERE kind IN ({_KINDS}) AND input = ?", numbers)
    connection.executemany("DELETE FROM inputs WHERE id = ?", numbers)
    return len(numbers)
