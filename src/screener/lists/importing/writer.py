"""Write the new versions of one import into the database, and end old ones."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from screener.hashing.hash import KINDS
from screener.lists.importing.stored_versions import StoredVersion, encode_json
from screener.lists.states import State, resolve_state
from screener.lists.store import video_frames
from screener.lists.store.columns import Batch, StoredColumn
from screener.lists.store.stored_rows import StoredHash, Version, read_hashes

_EQUAL_WITHDRAWALS = (
    "SELECT id FROM records WHERE source = ? AND entry = ? AND fingerprint = ? AND until = since"
)


_T = TypeVar("_T")
Judgement = Callable[[str, bytes, int | None, str | None], str | None]
_NO_QUALITY = 127  # in seven bits
_MAX_QUEUED = 5_000  # versions
_TEXTS = {state: str(state) for state in State}  # a StrEnum is slow in sqlite3


class Writer:
    """Writes the records of a source that one import changes, towards generation `number`.

    `next` is the number of the next version.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: str,
        *,
        number: int,
        import_id: int,
    ) -> None:
        self._connection = connection
        self._source = source
        self._number = number
        self._import_id = import_id
        newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
        self.next = (newest or 0) + 1
        self._clear_queues()

    def _clear_queues(self) -> None:
        self._ended_versions: list[tuple[int, int]] = []
        self._record_rows: list[tuple[object, ...]] = []
        self._hash_rows: list[tuple[object, ...]] = []
        self._frame_rows: list[video_frames.FrameRow] = []

    def write(self, entry: str, version: Version, state: State) -> None:
        """Queue a version, with the state that counts, for the next flush."""
        if len(self._record_rows) >= _MAX_QUEUED:
            self.flush()
        record = self._queue(entry, version, state, until=None)
        videos = [
            value
            for kind, value, _, why_not in version.hashes
            if kind == "vpdq" and why_not is None
        ]
        if videos:
            self._frame_rows += video_frames.build_rows(record, videos)

    def write_batch(
        self,
        batch: Batch,
        rows: Sequence[int],
        judge: Judgement,
        opinions: Mapping[str, Sequence[State]],
    ) -> None:
        """Write rows as versions of entries that the list does not have."""
        ids = dict(zip(rows, range(self.next, self.next + len(rows)), strict=True))
        entries, stated = _pick(batch.entries, rows), _pick(batch.states, rows)
        states = [
            str(resolve_state(state, opinions[entry])) if entry in opinions else _TEXTS[state]
            for entry, state in zip(entries, stated, strict=True)
        ]
        fields = [_pick(column, rows) for column in (batch.categories, batch.labels, batch.updated)]
        # One parameter of many values takes a third of the time of one for each.
        self._connection.execute(
            "INSERT INTO records SELECT :first + key, :source, json_extract(value, '$[0]'),"
            " json_extract(value, '$[1]'), json_extract(value, '$[2]'),"
            " json_extract(value, '$[3]'), json_extract(value, '$[4]'),"
            " substr(:digests, key * 16 + 1, 16), :import, :number, NULL,"
            " json_extract(value, '$[5]') FROM json_each(:rows)",
            {
                "first": self.next,
                "source": self._source,
                "digests": b"".join(_pick(batch.digests, rows)),
                "import": self._import_id,
                "number": self._number,
                "rows": encode_json(zip(entries, states, *fields, stated, strict=True)),
            },
        )
        self.next += len(rows)
        for column in batch.hashes:
            self._write_hashes(column, ids, judge)
        self.flush()

    def _write_hashes(self, column: StoredColumn, ids: Mapping[int, int], judge: Judgement) -> None:
        """Write the hashes of new versions, whose numbers are `ids` by row."""
        kind, compared, videos = column.kind, [], defaultdict(list)
        for row, value, quality, why_not in zip(*column[1:], strict=True):
            if row not in ids:
                continue
            judged = judge(kind, value, quality, why_not)
            if judged is not None or len(value) != KINDS[kind].size:
                self._hash_rows.append((ids[row], kind, value, quality, judged))
            else:
                code = _NO_QUALITY if quality is None else quality
                compared.append((ids[row] << 7 | code, value))
            if kind == "vpdq" and judged is None:
                videos[ids[row]].append(value)
        for record, values in videos.items():
            self._frame_rows += video_frames.build_rows(record, values)
        if compared:
            codes, packed = zip(*compared, strict=True)
            self._connection.execute(
                "INSERT INTO hashes SELECT value >> 7, :kind,"
                f" substr(:values, key * :size + 1, :size), nullif(value & 127, {_NO_QUALITY}),"
                " NULL FROM json_each(:codes)",
                {
                    "kind": kind,
                    "size": KINDS[kind].size,
                    "values": b"".join(packed),
                    "codes": str(list(codes)),
                },
            )

    def write_unapplied(self, entry: str, version: Version) -> None:
        """Write a withdrawal without effect, as a version of no generation.

        It takes effect if a rollback undoes what overrules it, since a rollback never restores
        withdrawn entries. Of equal withdrawals only the last is stored.
        """
        equal_records = self._connection.execute(
            _EQUAL_WITHDRAWALS, (self._source, entry, version.digest)
        )
        for (record,) in equal_records.fetchall():
            self._delete(record)
        self._queue(entry, version, State.WITHDRAWN, until=self._number)
        self.flush()

    def _queue(self, entry: str, version: Version, state: State, *, until: int | None) -> int:
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
                version.digest,
                self._import_id,
                self._number,
                until,
                str(version.state),
            )
        )
        self._hash_rows += [(record, *hash_) for hash_ in version.hashes]
        return record

    def end(self, stored: StoredVersion) -> Sequence[StoredHash]:
        """End a version of an earlier generation; return its hashes."""
        self._ended_versions.append((self._number, stored.record))
        return read_hashes(self._connection, stored.record)

    def remove(self, stored: StoredVersion) -> None:
        """Remove a flushed version of this import."""
        self._delete(stored.record)

    def _delete(self, record: int) -> None:
        for table, column in (("hashes", "record"), ("frames", "record"), ("records", "id")):
            self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (record,))

    def flush(self) -> None:
        """Write the queues; ends come first, since an entry has only one current version."""
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
        self._clear_queues()


def _pick(column: Sequence[_T], rows: Sequence[int]) -> Sequence[_T]:
    return column if len(rows) == len(column) else [column[row] for row in rows]
