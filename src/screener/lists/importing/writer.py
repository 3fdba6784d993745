"""Write the new versions of one import into the database, and end old ones."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.importing.stored_versions import StoredVersion, encode_json
from screener.lists.states import State
from screener.lists.store import video_frames
from screener.lists.store.census import Group
from screener.lists.store.columns import Columns, HashColumn
from screener.lists.store.records import LOW_INFORMATION
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version
from screener.lists.store.value_index import FirstIndex, Ints

# An index of withdrawals that belong to no generation: see `Writer.write_unapplied`.
_UNAPPLIED_INDEX = (
    "CREATE INDEX IF NOT EXISTS records_words ON records(source, entry) WHERE until = since"
)
_EQUAL_WITHDRAWALS = (
    "SELECT id FROM records WHERE source = ? AND entry = ? AND fingerprint = ? AND until = since"
)
_NO_QUALITY_CODE = 999


class Writer:
    """Writes the records of a source that one import changes, towards generation `number`.

    `first` and `next` are the numbers of the first and the next version. `states` counts the
    records of the whole list by state. `census` counts the versions of this import.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: str,
        *,
        number: int,
        import_id: int,
        states: Counter[str],
        changes: Changes,
        index: FirstIndex | None,
    ) -> None:
        """`index`: the index of the list's first import, otherwise None."""
        self.states = states
        self.changes = changes
        self.census: Counter[Group] = Counter()
        self.removed: list[int] = []  # versions that this import wrote and removed
        self._connection = connection
        self._source = source
        self._number = number
        self._import_id = import_id
        self._index = index
        newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
        self.first = self.next = (newest or 0) + 1
        self._clear_queues()

    def _clear_queues(self) -> None:
        self._ended_versions: list[tuple[int, int]] = []
        self._record_rows: list[tuple[object, ...]] = []
        self._hash_rows: list[tuple[object, ...]] = []
        self._frame_rows: list[video_frames.FrameRow] = []
        self._new_hashes: dict[HashKind, list[tuple[Hash, int, bool]]] = defaultdict(list)

    def write(self, entry: str, version: Version, state: State) -> int:
        """Queue a version, with the state that counts, for the next flush; return its number."""
        record = self._queue_version(entry, version, state, until=None)
        self.states[state] += 1
        pairs = zip(version.hashes, version.why_not, strict=True)
        compared = [hash_ for hash_, why_not in pairs if why_not is None]
        self.census[self._build_census_key(state, compared, len(version.hashes))] += 1
        videos = [hash_.value for hash_ in compared if hash_.kind.video]
        if videos:
            self._frame_rows += video_frames.build_rows(record, videos)
        return record

    def write_unapplied(self, entry: str, version: Version) -> None:
        """Write a withdrawal without effect, as a version of no generation.

        It takes effect if a rollback undoes what overrules it, since a rollback never restores
        withdrawn entries. Of equal withdrawals only the last is stored.
        """
        self._connection.execute(_UNAPPLIED_INDEX)
        equal_records = self._connection.execute(
            _EQUAL_WITHDRAWALS, (self._source, entry, version.fingerprint)
        )
        self._delete([record for (record,) in equal_records])
        self._queue_version(entry, version, State.WITHDRAWN, until=self._number)
        self.flush()

    def _queue_version(
        self, entry: str, version: Version, state: State, *, until: int | None
    ) -> int:
        record = self.next
        self.next += 1
        self._record_rows.append(
            (
                record,
                self._source,
                entry,
                str(state),  # a StrEnum is slow in sqlite3
                version.categories,
                version.labels,
                version.updated,
                version.fingerprint,
                self._import_id,
                self._number,
                until,
                str(version.state),
            )
        )
        live = version.state is not State.WITHDRAWN
        for hash_, why_not in zip(version.hashes, version.why_not, strict=True):
            self._hash_rows.append((record, hash_.kind.name, hash_.value, hash_.quality, why_not))
            self._new_hashes[hash_.kind].append((hash_, record, live and why_not is None))
        return record

    def end(self, stored: StoredVersion) -> list[tuple[str, bytes, str | None]]:
        """End a version of an earlier generation; return its hashes: kind, value, exclusion."""
        self._ended_versions.append((self._number, stored.record))
        return self._end_hashes(stored)

    def remove(self, stored: StoredVersion) -> list[tuple[str, bytes, str | None]]:
        """Remove a flushed version of this import; return its hashes: kind, value, exclusion."""
        hashes = self._end_hashes(stored)
        compared = [Hash(KINDS[kind], value) for kind, value, why_not in hashes if why_not is None]
        self.census[self._build_census_key(stored.state, compared, len(hashes))] -= 1
        self._delete([stored.record])
        return hashes

    def _end_hashes(self, stored: StoredVersion) -> list[tuple[str, bytes, str | None]]:
        self.states[stored.state] -= 1
        hashes = self._connection.execute(
            "SELECT kind, value, why_not FROM hashes WHERE record = ?", (stored.record,)
        ).fetchall()
        if stored.state != State.WITHDRAWN:
            self.changes.doubt(
                Hash(KINDS[kind], value) for kind, value, why_not in hashes if why_not is None
            )
        return hashes

    def reopen(self, stored: StoredVersion) -> None:
        """Make a version current again that this import ended."""
        self.states[stored.state] += 1
        self._connection.execute("UPDATE records SET until = NULL WHERE id = ?", (stored.record,))
        if stored.state != State.WITHDRAWN:
            rows = self._connection.execute(
                "SELECT kind, value FROM hashes WHERE record = ? AND why_not IS NULL",
                (stored.record,),
            )
            self.changes.gain([Hash(KINDS[kind], value) for kind, value in rows])

    def _delete(self, records: Sequence[int]) -> None:
        self.flush()
        self.removed += records
        for table, column in (("hashes", "record"), ("frames", "record"), ("records", "id")):
            self._connection.executemany(
                f"DELETE FROM {table} WHERE {column} = ?", [(record,) for record in records]
            )

    def flush(self) -> None:
        """Write the queues; ends come first, since an entry has only one current version."""
        if not (self._ended_versions or self._record_rows):
            return
        write = self._connection.executemany
        write("UPDATE records SET until = ? WHERE id = ?", self._ended_versions)
        queues: dict[str, Sequence[tuple[object, ...]]] = {
            "records": self._record_rows,
            "hashes": self._hash_rows,
            "frames": self._frame_rows,
        }
        for table, rows in queues.items():
            if rows:
                write(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        for kind, new_hashes in self._new_hashes.items():
            hashes, records, is_searched = zip(*new_hashes, strict=True)
            packed = b"".join([hash_.value for hash_ in hashes])
            if self._index is None or not self._index.add(
                kind, packed, np.array(records), np.array(is_searched)
            ):
                self.changes.gain([hash_ for hash_, _, searched in new_hashes if searched])
        self._clear_queues()

    def _build_census_key(self, state: str, compared: Sequence[Hash], hashes: int) -> Group:
        kinds = tuple(sorted({hash_.kind.name for hash_ in compared}))
        return Group(self._source, str(state), kinds, hashes > len(compared))

    # --- versions in columns

    def write_columns(self, columns: Columns, fingerprints: Sequence[bytes]) -> None:
        """Write rows as versions of entries that the list does not have."""
        count, first = len(columns), self.next
        self.next += count
        self._write_records(columns, fingerprints, first)
        self._write_hashes(columns, first)
        self._count_columns(columns)

    def _write_records(self, columns: Columns, fingerprints: Sequence[bytes], first: int) -> None:
        """Insert records, with one statement if only entry and fingerprint differ."""
        if columns.shared is not None:
            state, categories, labels, updated = columns.shared
            self._connection.execute(
                "INSERT INTO records SELECT :first + key, :source, value, :state, :categories,"
                " :labels, :updated, substr(:fingerprints, key * 16 + 1, 16), :import, :number,"
                " NULL, :state FROM json_each(:entries)",
                {
                    "first": first,
                    "source": self._source,
                    "state": state,
                    "categories": categories,
                    "labels": labels,
                    "updated": updated,
                    "fingerprints": b"".join(fingerprints),
                    "import": self._import_id,
                    "number": self._number,
                    "entries": encode_json(columns.entries),
                },
            )
            return
        import_fields = (self._import_id, self._number)
        rows = zip(
            range(first, self.next), columns.entries, columns.stored, fingerprints, strict=True
        )
        self._connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (
                (
                    record,
                    self._source,
                    entry,
                    *shared_fields,
                    fingerprint,
                    *import_fields,
                    shared_fields[0],
                )
                for record, entry, shared_fields, fingerprint in rows
            ),
        )

    def _write_hashes(self, columns: Columns, first: int) -> None:
        """Insert the hashes of new records, ordered by record and kind.

        SQLite gets the values of a kind as one parameter and slices it: one parameter per value
        takes three times as long.
        """
        hashes = sorted(columns.hashes, key=lambda column: column.kind.name)
        arguments: dict[str, object] = {"first": first, "last": first + len(columns) - 1}
        kinds, values, qualities, present = "", "", "", ""
        for index, column in enumerate(hashes):
            size = column.kind.size
            kinds += f" WHEN {index} THEN '{column.kind.name}'"
            values += f" WHEN {index} THEN {_slice_sql(f'values{index}', size)}"
            arguments[f"values{index}"] = column.codes.tobytes()
            if column.quality is not None:
                read = f"CAST(CAST({_slice_sql(f'quality{index}', 3)} AS TEXT) AS INTEGER)"
                qualities += f" WHEN {index} THEN nullif({read}, {_NO_QUALITY_CODE})"
                arguments[f"quality{index}"] = _encode_qualities(column.quality)
            if column.present is not None:
                present += f" WHEN {index} THEN {_slice_sql(f'present{index}', 1)} = x'01'"
                arguments[f"present{index}"] = column.present.tobytes()
        kind_rows = ", ".join(f"({index})" for index in range(len(hashes)))
        quality = f"CASE n.column1{qualities} END" if qualities else "NULL"
        condition = f" AND CASE n.column1{present} ELSE 1 END" if present else ""
        self._connection.execute(
            f"INSERT INTO hashes SELECT r.id, CASE n.column1{kinds} END,"
            f" CASE n.column1{values} END, {quality}, NULL"
            f" FROM records r CROSS JOIN (VALUES {kind_rows}) n"
            f" WHERE r.id BETWEEN :first AND :last{condition}",
            arguments,
        )
        for column in hashes:
            low_rows = np.flatnonzero(column.low)
            self._connection.executemany(
                "UPDATE hashes SET why_not = ? WHERE record = ? AND kind = ? AND value = ?",
                [
                    (LOW_INFORMATION, first + row, column.kind.name, column.values[row])
                    for row in low_rows.tolist()
                ],
            )
            self._add_to_index(column, ~columns.withdrawn, first)

    def _add_to_index(self, column: HashColumn, live: npt.NDArray[np.bool_], first: int) -> None:
        """Add the hashes of new records to the first index, or else to the changes."""
        records: Ints = np.arange(first, first + len(live))
        codes, is_searched = column.codes, column.compared & live
        if column.present is not None:
            present = column.present
            records, codes, is_searched = records[present], codes[present], is_searched[present]
        packed = codes.tobytes()
        if self._index is None or not self._index.add(column.kind, packed, records, is_searched):
            packed = packed if is_searched.all() else codes[is_searched].tobytes()
            self.changes.gain_packed(column.kind, packed)

    def _count_columns(self, columns: Columns) -> None:
        """Count new versions by state, and in the census also by their compared kinds."""
        count = len(columns)
        bits = np.zeros(count, np.int64)
        for index, column in enumerate(columns.hashes):
            bits |= column.compared.astype(np.int64) << index
            bits |= column.low.astype(np.int64) << 62
        if columns.shared is None:
            groups = Counter(zip(map(str, columns.states), bits.tolist(), strict=True))
        else:
            state = columns.shared[0]
            groups = Counter(
                {(state, bits_): times_ for bits_, times_ in _count_values(bits).items()}
            )
        for (state, bits_), count_ in groups.items():
            kinds = [
                column.kind.name
                for index, column in enumerate(columns.hashes)
                if bits_ >> index & 1
            ]
            self.states[state] += count_
            self.census[Group(self._source, state, tuple(sorted(kinds)), bits_ >> 62 > 0)] += count_


def _count_values(numbers: Ints) -> dict[int, int]:
    values, counts = np.unique(numbers, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _slice_sql(parameter: str, size: int) -> str:
    """Return the SQL for the slice of a packed parameter that belongs to record `r`."""
    return f"substr(:{parameter}, (r.id - :first) * {size} + 1, {size})"


def _encode_qualities(quality: np.ndarray[tuple[int], np.dtype[np.int16]]) -> bytes:
    """Return qualities as three digits each, for SQLite to slice."""
    codes = np.where(quality < 0, _NO_QUALITY_CODE, quality)
    return "".join(map(str.zfill, map(str, codes.tolist()), repeat(3))).encode()
