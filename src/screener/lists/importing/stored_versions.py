"""The current versions of a source's entries, as an import finds them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from screener.lists.states import State
from screener.lists.store.records import LOW_INFORMATION, Row
from screener.lists.times import parse_past_time

_COLUMNS = "entry, id, state, said, updated, fingerprint, since, import"  # see `StoredVersion`

_JOINED = (
    "FROM json_each(?) j CROSS JOIN records r"
    " ON r.source = ? AND r.entry = j.value AND r.until IS NULL"
)


class StoredVersion(NamedTuple):
    """The current version of an entry."""

    entry: str
    record: int
    state: str
    stated: str
    updated: str | None
    digest: bytes
    since: int
    import_id: int


class StoredVersions:
    """Look-ups of the current versions of one source's entries."""

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self._source = source

    def find_equal(self, entries: Sequence[str], digests: Sequence[bytes]) -> list[tuple[int, int]]:
        """Return rows that equal the current version of their entry, with its number."""
        return self._connection.execute(
            f"SELECT j.key, r.id {_JOINED} WHERE r.fingerprint = substr(?, j.key * 16 + 1, 16)",
            (encode_json(entries), self._source, b"".join(digests)),
        ).fetchall()

    def look_up(self, entries: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the current versions of those entries with any."""
        query = f"SELECT r.entry, r.id {_JOINED}"
        return dict(self._connection.execute(query, (encode_json(entries), self._source)))

    def read_entry(self, entry: str) -> StoredVersion:
        """Return the current version of an entry that the list has."""
        return self._read("source = ? AND until IS NULL AND entry = ?", self._source, entry)

    def read_record(self, record: int) -> StoredVersion:
        """Return the version with that number."""
        return self._read("id = ?", record)

    def _read(self, condition: str, *parameters: object) -> StoredVersion:
        query = f"SELECT {_COLUMNS} FROM records WHERE {condition}"
        return StoredVersion(*self._connection.execute(query, parameters).fetchone())

    def count_low_information(self, version: StoredVersion) -> int:
        """Return the number of a version's hashes that have too little detail to compare."""
        (count,) = self._connection.execute(
            "SELECT count(*) FROM hashes WHERE record = ? AND why_not = ?",
            (version.record, LOW_INFORMATION),
        ).fetchone()
        return int(count)


class Ages:
    """Compares the ages of a source's statements about an entry, by the source's own times."""

    def __init__(self, connection: sqlite3.Connection, import_id: int, *, full: bool) -> None:
        """`full`: the import's file contains all entries of the source."""
        self._connection = connection
        self._import_id = import_id
        self._full = full
        self._imports: dict[int, tuple[float, int]] = {}  # read when first needed

    def is_outdated(self, stored: StoredVersion, row: Row) -> bool:
        """Return whether a row is older than the stored version by the source's own times.

        If the times cannot be compared, the later import counts. A withdrawal stands against a row
        of the same time. A withdrawal without a time counts from its import: only a row of a later
        time, or of a full list, restores the entry.
        """
        time_s = None if row.updated is None else parse_past_time(row.updated)
        if time_s is None:
            return False
        stored_time_s = None if stored.updated is None else parse_past_time(stored.updated)
        would_restore = stored.stated == State.WITHDRAWN and row.state is not State.WITHDRAWN
        if stored_time_s is None:
            if not would_restore or self._full:
                return False
            stored_time_s, _ = self.find_import(stored.import_id)
        return time_s < stored_time_s or (time_s == stored_time_s and would_restore)

    def is_restored(self, stored: StoredVersion) -> bool:
        """Return whether a rollback restored the version after its import."""
        _, generation = self.find_import(stored.import_id)
        return generation < stored.since

    def find_import(self, import_id: int) -> tuple[float, int]:
        """Return the time of an import, and the generation after it."""
        if not self._imports:
            rows = self._connection.execute("SELECT id, time, generation FROM imports")
            self._imports = {number: (time_s, after) for number, time_s, after in rows}
            self._imports.setdefault(self._import_id, (time.time(), 0))
        return self._imports[import_id]


def encode_json(rows: Iterable[object]) -> str:
    """Return rows as one JSON array, the form in which SQLite reads many at once."""
    return json.dumps(list(rows), ensure_ascii=False)
