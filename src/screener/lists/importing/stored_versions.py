"""The current versions of a source's entries, as an import finds them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from screener.lists.states import State
from screener.lists.store.database import split_values
from screener.lists.store.records import LOW_INFORMATION, Row, has_records
from screener.lists.times import parse_past_time

COLUMNS = "entry, id, state, said, updated, fingerprint, since, import"  # see `StoredVersion`
_MARK_BITS = 1 << 27  # 16 MiB


class StoredVersion(NamedTuple):
    """The current version of an entry."""

    entry: str
    record: int
    state: str
    stated: str
    updated: str | None
    fingerprint: bytes
    since: int
    import_id: int


class StoredVersions:
    """Look-ups of the current versions of one source's entries."""

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self._source = source
        # The first file of a source finds only its own entries, so others need no look-up.
        self._seen_entries = None if has_records(connection, source) else SeenEntries()

    def look_up(self, entries: list[str]) -> dict[str, StoredVersion]:
        """Return the current versions of those entries that the list has."""
        if self._seen_entries is not None:
            was_seen = self._seen_entries.add_and_test(entries).tolist()
            entries = [entry for entry, seen in zip(entries, was_seen, strict=True) if seen]
        versions: dict[str, StoredVersion] = {}
        for group, marks in split_values(entries):
            for fields in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE source = ? AND until IS NULL"
                f" AND entry IN ({marks})",
                (self._source, *group),
            ):
                versions[fields[0]] = StoredVersion(*fields)
        return versions

    def read_entry(self, entry: str) -> StoredVersion:
        """Return the current version of an entry that the list has."""
        fields = self._connection.execute(
            f"SELECT {COLUMNS} FROM records WHERE source = ? AND until IS NULL AND entry = ?",
            (self._source, entry),
        ).fetchone()
        return StoredVersion(*fields)

    def read_record(self, record: int) -> StoredVersion:
        """Return the version with that number."""
        fields = self._connection.execute(
            f"SELECT {COLUMNS} FROM records WHERE id = ?", (record,)
        ).fetchone()
        return StoredVersion(*fields)

    def count_low_information(self, version: StoredVersion | None) -> int:
        """Return the number of a version's hashes that have too little detail to compare."""
        if version is None:
            return 0
        (count,) = self._connection.execute(
            "SELECT count(*) FROM hashes WHERE record = ? AND why_not = ?",
            (version.record, LOW_INFORMATION),
        ).fetchone()
        return int(count)

    def compare(
        self, entries: Sequence[str], fingerprints: Sequence[bytes], mask: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Compare the rows in `mask` with the current versions of their entries.

        Returns which rows have an entry in the list, and the numbers of the current versions that
        are equal to their rows (0 for other rows).
        """
        is_stored = np.zeros(len(entries), bool)
        equal_records = np.zeros(len(entries), np.int64)
        if self._seen_entries is not None:
            mask = mask & self._seen_entries.add_and_test(list(entries))
        indices = np.flatnonzero(mask)
        if not indices.size:
            return is_stored, equal_records
        some_entries = [entries[index] for index in indices.tolist()]
        packed = b"".join([fingerprints[index] for index in indices.tolist()])
        joined = (
            "FROM json_each(?) j CROSS JOIN records r"
            " ON r.source = ? AND r.entry = j.value AND r.until IS NULL"
        )
        equal = self._connection.execute(
            f"SELECT j.key, r.id {joined} WHERE r.fingerprint = substr(?, j.key * 16 + 1, 16)",
            (encode_json(some_entries), self._source, packed),
        ).fetchall()
        if equal:
            keys, records = np.array(equal, np.int64).T
            equal_records[indices[keys]] = records
        if len(equal) == len(some_entries):
            is_stored[indices] = True
        else:
            keys = self._connection.execute(
                f"SELECT j.key {joined}", (encode_json(some_entries), self._source)
            ).fetchall()
            is_stored[indices[[key for (key,) in keys]]] = True
        return is_stored, equal_records

    def finish(self) -> None:
        """Free the memory of the look-ups."""
        self._seen_entries = None


class SeenEntries:
    """A Bloom filter of the entries of the first file of a source."""

    def __init__(self) -> None:
        self._marks = np.zeros(_MARK_BITS // 8, np.uint8)

    def add_and_test(self, entries: list[str]) -> npt.NDArray[np.bool_]:
        """Add entries; return which of them an earlier call added (a few are false positives)."""
        bit_numbers = np.fromiter(map(hash, entries), np.int64, len(entries)) % _MARK_BITS
        byte_numbers = bit_numbers >> 3
        bits = np.left_shift(1, bit_numbers & 7).astype(np.uint8)
        was_seen: npt.NDArray[np.bool_] = (self._marks[byte_numbers] & bits) != 0
        np.bitwise_or.at(self._marks, byte_numbers, bits)
        return was_seen


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


def encode_json(entries: Sequence[str]) -> str:
    """Return texts as one JSON array, the form in which SQLite reads many at once."""
    return json.dumps(list(entries), ensure_ascii=False)
