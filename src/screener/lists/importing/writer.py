"""Writing the new versions of one import into the database, and the ends of old ones."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.importing.stored_versions import Stored
from screener.lists.states import State
from screener.lists.store import video_frames
from screener.lists.store.census import Group
from screener.lists.store.columns import Columns, HashColumn
from screener.lists.store.records import LOW_INFORMATION
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version
from screener.lists.store.value_index import FirstIndex, Ints

# Withdrawals that are no version of any generation: see `Writer.write_unapplied`.
_UNAPPLIED = (
    "CREATE INDEX IF NOT EXISTS records_words ON records(source, entry) WHERE until = since"
)
_EQUAL = (
    "SELECT id FROM records WHERE source = ? AND entry = ? AND fingerprint = ? AND until = since"
)
_NO_QUALITY = 999


class Writer:
    """What one import writes of the records of a source, towards generation `number`.

    `next` is the number that the next version will have, `first` that of the first. `states` counts
    the records of the whole list by state, `came` those that this import made, as a census does.
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
        """`index` is that of a list's first import."""
        self.states = states
        self.changes = changes
        self.came: Counter[Group] = Counter()
        self.removed: list[int] = []  # versions of this import
        self._connection = connection
        self._source = source
        self._number = number
        self._import = import_id
        self._index = index
        newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
        self.first = self.next = (newest or 0) + 1
        self._clear()

    def _clear(self) -> None:
        self._ended: list[tuple[int, int]] = []
        self._records: list[tuple[object, ...]] = []
        self._hashes: list[tuple[object, ...]] = []
        self._frames: list[video_frames.FrameRow] = []
        self._new: dict[HashKind, list[tuple[Hash, int, bool]]] = defaultdict(list)

    def write(self, entry: str, version: Version, state: State) -> int:
        """Write a version, in effect in that state, with the next flush; return its number."""
        record = self._write(entry, version, state, until=None)
        self.states[state] += 1
        pairs = zip(version.hashes, version.why_not, strict=True)
        compared = [item for item, why_not in pairs if why_not is None]
        self.came[self._alike(state, compared, len(version.hashes))] += 1
        videos = [item.value for item in compared if item.kind.video]
        if videos:
            self._frames += video_frames.build_rows(record, videos)
        return record

    def write_unapplied(self, entry: str, version: Version) -> None:
        """Write a withdrawal that changes nothing now, as a version of no generation.

        It counts once a rollback takes back what overrules it, since a rollback lists nothing that
        was withdrawn. Of equal ones the last is kept.
        """
        self._connection.execute(_UNAPPLIED)
        equal = self._connection.execute(_EQUAL, (self._source, entry, version.fingerprint))
        self._delete([record for (record,) in equal])
        self._write(entry, version, State.WITHDRAWN, until=self._number)
        self.flush()

    def _write(self, entry: str, version: Version, state: State, *, until: int | None) -> int:
        record = self.next
        self.next += 1
        self._records.append(
            (
                record,
                self._source,
                entry,
                str(state),  # SQLite's module is slow with what is not a plain text
                version.categories,
                version.labels,
                version.updated,
                version.fingerprint,
                self._import,
                self._number,
                until,
                str(version.state),
            )
        )
        live = version.state is not State.WITHDRAWN
        for item, why_not in zip(version.hashes, version.why_not, strict=True):
            self._hashes.append((record, item.kind.name, item.value, item.quality, why_not))
            self._new[item.kind].append((item, record, live and why_not is None))
        return record

    def end(self, have: Stored) -> list[tuple[str, bytes, str | None]]:
        """Have a version of a generation before end; return its hashes: kind, value, why not."""
        self._ended.append((self._number, have.record))
        return self._leave(have)

    def remove(self, have: Stored) -> list[tuple[str, bytes, str | None]]:
        """Take away a version of this import, which is flushed; likewise."""
        hashes = self._leave(have)
        compared = [Hash(KINDS[kind], value) for kind, value, why_not in hashes if why_not is None]
        self.came[self._alike(have.state, compared, len(hashes))] -= 1
        self._delete([have.record])
        return hashes

    def _leave(self, have: Stored) -> list[tuple[str, bytes, str | None]]:
        self.states[have.state] -= 1
        hashes = self._connection.execute(
            "SELECT kind, value, why_not FROM hashes WHERE record = ?", (have.record,)
        ).fetchall()
        if have.state != State.WITHDRAWN:
            self.changes.doubt(
                Hash(KINDS[kind], value) for kind, value, why_not in hashes if why_not is None
            )
        return hashes

    def reopen(self, have: Stored) -> None:
        """Have a version count again that this import ended."""
        self.states[have.state] += 1
        self._connection.execute("UPDATE records SET until = NULL WHERE id = ?", (have.record,))
        if have.state != State.WITHDRAWN:
            rows = self._connection.execute(
                "SELECT kind, value FROM hashes WHERE record = ? AND why_not IS NULL",
                (have.record,),
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
        """Write what is due; what it ends goes first, since an entry has one current version."""
        if not (self._ended or self._records):
            return
        write = self._connection.executemany
        write("UPDATE records SET until = ? WHERE id = ?", self._ended)
        for table, rows in (
            ("records", self._records), ("hashes", self._hashes), ("frames", self._frames)
        ):  # fmt: skip
            if rows:
                write(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        for kind, some in self._new.items():
            hashes, records, searched = zip(*some, strict=True)
            raw = b"".join([item.value for item in hashes])
            if self._index is None or not self._index.add(
                kind, raw, np.array(records), np.array(searched)
            ):
                self.changes.gain([item for item, _, is_searched in some if is_searched])
        self._clear()

    def _alike(self, state: str, compared: Sequence[Hash], hashes: int) -> Group:
        kinds = tuple(sorted({item.kind.name for item in compared}))
        return Group(self._source, str(state), kinds, hashes > len(compared))

    # --- many at once

    def write_columns(self, columns: Columns, fingerprints: Sequence[bytes]) -> None:
        """Write rows as versions of entries that the list does not have."""
        count, first = len(columns), self.next
        self.next += count
        self._write_records(columns, fingerprints, first)
        self._write_hashes(columns, first)
        self._count_columns(columns)

    def _write_records(self, columns: Columns, fingerprints: Sequence[bytes], first: int) -> None:
        """Insert records: in one statement if they differ in entry and fingerprint alone."""
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
                    "import": self._import,
                    "number": self._number,
                    "entries": as_json(columns.entries),
                },
            )
            return
        of_import = (self._import, self._number)
        rows = zip(
            range(first, self.next), columns.entries, columns.stored, fingerprints, strict=True
        )
        self._connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (
                (record, self._source, entry, *facts, fingerprint, *of_import, facts[0])
                for record, entry, facts, fingerprint in rows
            ),
        )

    def _write_hashes(self, columns: Columns, first: int) -> None:
        """Insert the hashes of new records, all kinds of a record one after the other.

        The values go to SQLite packed, and it cuts them: a parameter for each takes three times
        as long.
        """
        hashes = sorted(columns.hashes, key=lambda column: column.kind.name)
        arguments: dict[str, object] = {"first": first, "last": first + len(columns) - 1}
        kinds, values, qualities, present = "", "", "", ""
        for number, column in enumerate(hashes):
            size = column.kind.size
            kinds += f" WHEN {number} THEN '{column.kind.name}'"
            values += f" WHEN {number} THEN {_cut(f'values{number}', size)}"
            arguments[f"values{number}"] = column.codes.tobytes()
            if column.quality is not None:
                read = f"CAST(CAST({_cut(f'quality{number}', 3)} AS TEXT) AS INTEGER)"
                qualities += f" WHEN {number} THEN nullif({read}, {_NO_QUALITY})"
                arguments[f"quality{number}"] = _digits(column.quality)
            if column.present is not None:
                present += f" WHEN {number} THEN {_cut(f'present{number}', 1)} = x'01'"
                arguments[f"present{number}"] = column.present.tobytes()
        of_kind = ", ".join(f"({number})" for number in range(len(hashes)))
        quality = f"CASE n.column1{qualities} END" if qualities else "NULL"
        there = f" AND CASE n.column1{present} ELSE 1 END" if present else ""
        self._connection.execute(
            f"INSERT INTO hashes SELECT r.id, CASE n.column1{kinds} END,"
            f" CASE n.column1{values} END, {quality}, NULL"
            f" FROM records r CROSS JOIN (VALUES {of_kind}) n"
            f" WHERE r.id BETWEEN :first AND :last{there}",
            arguments,
        )
        for column in hashes:
            low = np.flatnonzero(column.low)
            self._connection.executemany(
                "UPDATE hashes SET why_not = ? WHERE record = ? AND kind = ? AND value = ?",
                [
                    (LOW_INFORMATION, first + row, column.kind.name, column.values[row])
                    for row in low.tolist()
                ],
            )
            self._gain(column, ~columns.withdrawn, first)

    def _gain(self, column: HashColumn, live: npt.NDArray[np.bool_], first: int) -> None:
        """Note the hashes of new records for the index, and those that can be searched."""
        records: Ints = np.arange(first, first + len(live))
        codes, searched = column.codes, column.compared & live
        if column.present is not None:
            there = column.present
            records, codes, searched = records[there], codes[there], searched[there]
        raw = codes.tobytes()
        if self._index is None or not self._index.add(column.kind, raw, records, searched):
            raw = raw if searched.all() else codes[searched].tobytes()
            self.changes.gain_packed(column.kind, raw)

    def _count_columns(self, columns: Columns) -> None:
        """Count new versions by state, and in the census by kinds that are compared too."""
        count = len(columns)
        bits = np.zeros(count, np.int64)
        for number, column in enumerate(columns.hashes):
            bits |= column.compared.astype(np.int64) << number
            bits |= column.low.astype(np.int64) << 62
        if columns.shared is None:
            groups = Counter(zip(map(str, columns.states), bits.tolist(), strict=True))
        else:
            state = columns.shared[0]
            groups = Counter({(state, some): n for some, n in _times(bits).items()})
        for (state, some), times in groups.items():
            kinds = [
                column.kind.name
                for number, column in enumerate(columns.hashes)
                if some >> number & 1
            ]
            self.states[state] += times
            self.came[Group(self._source, state, tuple(sorted(kinds)), some >> 62 > 0)] += times


def _times(numbers: Ints) -> dict[int, int]:
    found, times = np.unique(numbers, return_counts=True)
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def _cut(parameter: str, size: int) -> str:
    """Return the SQL of what a packed parameter has for the record `r`."""
    return f"substr(:{parameter}, (r.id - :first) * {size} + 1, {size})"


def as_json(entries: Sequence[str]) -> str:
    """Return texts as SQLite takes many at once."""
    return json.dumps(list(entries), ensure_ascii=False)


def _digits(quality: np.ndarray[tuple[int], np.dtype[np.int16]]) -> bytes:
    """Return qualities as three digits each, for SQLite to cut."""
    known = np.where(quality < 0, _NO_QUALITY, quality)
    return "".join(map(str.zfill, map(str, known.tolist()), repeat(3))).encode()
