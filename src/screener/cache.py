"""HashCache: the hashes of inputs that were scanned, kept for a time, so that a newer list can be
matched against them without opening a file.

One SQLite file, readable by its owner only. The hashes of a matched input are listed ones, or next
to them: it is to be kept like a list.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener.errors import MediaError, OutputError
from screener.hashed import Hashed
from screener.hasher import Hasher
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.located import Located
from screener.media import pixels
from screener.media.source import Name
from screener.result import MediaFacts

_APPLICATION = 0x53435248
_FORMAT = 1
_DAY_S = 86_400
_KEEP = 30.0  # days
# What is not on the disk yet is lost with the process: so many seconds of it.
_COMMIT_S = 1.0
# Settings of a policy that say how hashes are compared, and not how they are made.
_COMPARING = ("radius", "known_good_radius", "floor", "max_list_age", "digests_only")

# All that there are, since the key of the codes begins with the kind.
_KINDS = ", ".join(f"'{name}'" for name in KINDS)

_TABLES = """
CREATE TABLE inputs (
    id INTEGER PRIMARY KEY, name BLOB UNIQUE, text TEXT, size INTEGER, mtime_ns INTEGER,
    hashed INTEGER, made_by TEXT, frames INTEGER, media TEXT, reason TEXT, detail TEXT, located TEXT
);
CREATE TABLE settings (keep REAL);
CREATE INDEX inputs_by_time ON inputs (hashed);
CREATE TABLE codes (
    kind TEXT, input INTEGER, bytes BLOB, PRIMARY KEY (kind, input)
) WITHOUT ROWID;
"""


class HashCache:
    """Hashes by the name of their input, the newest of each; a context manager.

    `HashCache.open(path)` begins a file or goes on with one, and forgets what is older than its
    `keep` days, also when it is closed. OutputError where the file is no cache.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Not for callers: use `open`."""
        self._path = path
        self._connection = connection
        self._committed = time.monotonic()

    @classmethod
    def open(cls, path: str | PathLike[str], *, keep: float | None = None) -> HashCache:
        """Open the cache at a path, made where there is none; `keep` is in days, and stays: 30
        where it was never given.
        """
        path = Path(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        if hasattr(os, "fchmod"):
            path.chmod(0o600)
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            _prepare(connection, path)
            cache = cls(path, connection)
            if keep is not None:
                connection.execute("UPDATE settings SET keep = ?", (keep,))
            cache.forget()
        except sqlite3.Error as error:
            connection.close()
            raise OutputError(f"{path} is no cache of hashes: {error}") from None
        except BaseException:
            connection.close()
            raise
        return cache

    def __len__(self) -> int:
        """How many inputs it holds."""
        return int(self._one("SELECT count(*) FROM inputs"))

    def add(self, hashed: Hashed, hasher: Hasher) -> None:
        """Keep what was made of an input, in the place of what was kept of it before."""
        name = hashed.name.raw or (hashed.name.text or "").encode("utf-8", "replace")
        if name and hashed.hashes:
            with self._writing():
                self._add(name, hashed, hasher)

    def _add(self, name: bytes, hashed: Hashed, hasher: Hasher) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._remove("name = ?", (name,))
        media, trouble = hashed.media, hashed.trouble
        number = self._connection.execute(
            "INSERT INTO inputs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name, hashed.name.text, hashed.name.size, hashed.name.mtime_ns, int(time.time()),
                made_by(hasher), None if media is None else media.frames,
                None if media is None else json.dumps({f.name: getattr(media, f.name)
                                                       for f in fields(media)}),
                None if trouble is None else trouble.reason,
                None if trouble is None else trouble.detail,
                json.dumps([_place(one) for one in hashed.hashes]),
            ),
        ).lastrowid  # fmt: skip
        by_kind: dict[str, bytes] = {}
        for one in hashed.hashes:
            kind = one.hash.kind.name
            by_kind[kind] = by_kind.get(kind, b"") + one.hash.value
        self._connection.executemany(
            "INSERT INTO codes VALUES (?, ?, ?)", [(k, number, v) for k, v in by_kind.items()]
        )
        if time.monotonic() - self._committed > _COMMIT_S:
            self.commit()

    def commit(self) -> None:
        """Have what was added last. OutputError where the disk does not take it."""
        with self._writing():
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        self._committed = time.monotonic()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say of what the system refuses to write where it was to go."""
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(f"{self._path}: cannot keep hashes: {error}") from None

    @property
    def keep(self) -> float:
        """After how many days an input is forgotten."""
        return float(self._one("SELECT keep FROM settings"))

    def forget(self) -> int:
        """Remove what is older than `keep` for good; how many inputs."""
        before = time.time() - _DAY_S * self.keep
        self.commit()
        with self._writing():
            self._connection.execute("BEGIN IMMEDIATE")
            gone = self._remove("hashed < ?", (int(before),))
        self.commit()
        return gone

    def _remove(self, which: str, values: tuple[Any, ...]) -> int:
        inside = f"SELECT id FROM inputs WHERE {which}"
        self._connection.execute(
            f"DELETE FROM codes WHERE kind IN ({_KINDS}) AND input IN ({inside})", values
        )
        return self._connection.execute(f"DELETE FROM inputs WHERE {which}", values).rowcount

    def made_by(self) -> dict[str, int]:
        """How many inputs were hashed by which settings."""
        asked = self._connection.execute("SELECT made_by, count(*) FROM inputs GROUP BY made_by")
        return dict(asked.fetchall())

    def last(self) -> int:
        """The largest number of an input; numbers begin with 1."""
        return int(self._one("SELECT coalesce(max(id), 0) FROM inputs"))

    def codes(
        self, kind: HashKind, first: int, end: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The codes of a kind of the inputs from one number to before another: of each code the
        number of its input, and the codes, (n, size) uint8.
        """
        rows = self._connection.execute(
            "SELECT input, bytes FROM codes WHERE kind = ? AND input >= ? AND input < ?"
            " ORDER BY input",
            (kind.name, first, end),
        ).fetchall()
        numbers = np.array([number for number, _ in rows], np.int64)
        counts = np.array([len(value) // kind.size for _, value in rows], np.int64)
        codes = np.frombuffer(b"".join(value for _, value in rows), np.uint8)
        return np.repeat(numbers, counts), codes.reshape(-1, kind.size)

    def many_parts(self, first: int, end: int) -> list[int]:
        """The inputs of those numbers that are videos or animations: what they match is for all of
        their frames to say.
        """
        asked = self._connection.execute(
            "SELECT id FROM inputs WHERE id >= ? AND id < ? AND frames > 1", (first, end)
        )
        return [number for (number,) in asked]

    def load(self, numbers: Iterable[int], settings: set[str]) -> Iterator[Hashed]:
        """What was kept of some inputs, as far as it was made by any of some settings."""
        for number in numbers:
            row = self._connection.execute(
                "SELECT name, text, size, mtime_ns, made_by, media, reason, detail, located"
                " FROM inputs WHERE id = ?",
                (number,),
            ).fetchone()
            if row is not None and row[4] in settings:
                values = self._connection.execute(
                    f"SELECT kind, bytes FROM codes WHERE kind IN ({_KINDS}) AND input = ?",
                    (number,),
                )
                yield _loaded(row, dict(values.fetchall()))

    def numbers(self, first: int, end: int) -> list[int]:
        """The inputs from one number to before another."""
        asked = self._connection.execute(
            "SELECT id FROM inputs WHERE id >= ? AND id < ? ORDER BY id", (first, end)
        )
        return [number for (number,) in asked]

    def _one(self, question: str) -> Any:
        return self._connection.execute(question).fetchone()[0]

    def __enter__(self) -> HashCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.forget()
        except OutputError:
            if error is None:  # else the error that is under way says more
                raise
        finally:
            self._connection.close()


def made_by(hasher: Hasher) -> str:
    """What decides how hashes come out: the kinds, the settings of a policy that make them, and the
    version of the pixel pipeline.
    """
    settings = {k: v for k, v in hasher.policy.to_dict().items() if k not in _COMPARING}
    kinds = sorted(kind.name for kind in hasher.kinds)
    facts = {"kinds": kinds, "pixels": pixels.VERSION, "policy": settings}
    return json.dumps(facts, sort_keys=True)


def serves(kept: str, wanted: str) -> bool:
    """Whether hashes made by some settings have all that others would make."""
    one, other = json.loads(kept), json.loads(wanted)
    has_all = set(one.pop("kinds")) >= set(other.pop("kinds"))
    return has_all and bool(one == other)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and not application:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO settings VALUES (?)", (_KEEP,))
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    elif (application, version) != (_APPLICATION, _FORMAT):
        connection.execute("ROLLBACK")
        raise OutputError(f"{path} is no cache of hashes, or one of another version")
    connection.execute("COMMIT")


def _place(one: Located) -> dict[str, Any]:
    """A hash without its value, and where it was made; what is as usual is left out."""
    told: dict[str, Any] = {"kind": one.hash.kind.name}
    if one.hash.quality is not None:
        told["quality"] = one.hash.quality
    if one.hash.pixels is not None:
        told["pixels"] = one.hash.pixels
    for name, default in one._field_defaults.items():
        value = getattr(one, name)
        if value != default:
            told[f".{name}"] = value
    return told


def _loaded(row: tuple[Any, ...], values: dict[str, bytes]) -> Hashed:
    name, text, size, mtime_ns, _, media, reason, detail, located = row
    at = dict.fromkeys(values, 0)
    hashes = []
    for told in json.loads(located):
        kind = KINDS[told["kind"]]
        start = at[kind.name]
        at[kind.name] = start + kind.size
        value = values[kind.name][start : start + kind.size]
        hash = Hash(kind, value, quality=told.get("quality"), pixels=told.get("pixels"))
        where = {k[1:]: _tuple(v) for k, v in told.items() if k.startswith(".")}
        hashes.append(Located(hash, **where))
    raw = None if text is not None and text.encode("utf-8") == name else name
    return Hashed(
        Name(text, raw, size, mtime_ns),
        tuple(hashes),
        None if media is None else MediaFacts(**json.loads(media)),
        None if reason is None else MediaError(reason, detail),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
