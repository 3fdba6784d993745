"""Versions: what an import makes of the entries of one source, inside its transaction.

The same content changes nothing, another makes a new version of the record, and a further row of
the same file on an entry is united with what the file said of it before. Memory is bounded by the
batch, one byte for each version there was, eight for each replaced, and the packed values that
changed.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from screener.hashing.hash import KINDS, Hash
from screener.lists.records import Row, State, Version, stored_row, united, version_of
from screener.lists.segments import Changes

_AT_ONCE = 500  # entries asked of SQLite in one question


class _Stored(NamedTuple):
    """What the list holds of an entry now."""

    record: int
    state: str
    fingerprint: bytes
    since: int


class Versions:
    """The records of a source, as one import changes them towards generation `number`.

    `counts` are added, changed, unchanged, repeated and low_information; `states` follows how
    many records of the whole list are in each state, and `changes` its searchable values.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: str,
        *,
        number: int,
        import_id: int,
        states: Mapping[str, int],
    ) -> None:
        """Begin with the states of the generation before."""
        self.counts: Counter[str] = Counter()
        self.states = Counter(states)
        self.changes = Changes()
        self._connection = connection
        self._source = source
        self._number = number
        self._import = import_id
        newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
        self._next = (newest or 0) + 1
        self._met = bytearray(self._next)  # which versions a row of this file met unchanged
        self._remade = False
        self._replaced = array("q")  # versions of generations before that this import ended
        self._clear()

    def _clear(self) -> None:
        self._ended: list[tuple[int, int]] = []
        self._removed: list[tuple[int]] = []
        self._records: list[tuple[object, ...]] = []
        self._hashes: list[tuple[object, ...]] = []

    def take(self, entries: Mapping[str, Row]) -> None:
        """Store a batch: each entry once, with what the rows of the batch say of it."""
        stored = dict(self._lookup(list(entries)))
        for entry, row in entries.items():
            have = stored.get(entry)
            if have is not None and self._touched(have):
                self._unite(entry, have, row)
                continue
            version = version_of(row)
            self.counts["low_information"] += version.why_not.count("low information")
            if have is None:
                self.counts["added"] += 1
                self._insert(entry, version)
            elif have.fingerprint == version.fingerprint:
                self.counts["unchanged"] += 1
                self._met[have.record] = True
            else:
                self.counts["changed"] += 1
                self._replace(entry, have, version)
        self._flush()

    def finish(self) -> bool:
        """Whether anything changed after all."""
        if self._remade:
            self._undo_round_trips()
        return bool(self.counts["added"] or self.counts["changed"])

    def _lookup(self, entries: list[str]) -> Iterator[tuple[str, _Stored]]:
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            for entry, *have in self._connection.execute(
                "SELECT entry, id, state, fingerprint, since FROM records"
                " WHERE source = ? AND until IS NULL"
                f" AND entry IN ({','.join('?' * len(some))})",
                (self._source, *some),
            ):
                yield entry, _Stored(*have)

    def _touched(self, have: _Stored) -> bool:
        return have.since == self._number or bool(self._met[have.record])

    def _unite(self, entry: str, have: _Stored, row: Row) -> None:
        """Add to an entry what a row of a later batch says of it."""
        self.counts["repeated"] += 1
        version = version_of(united(stored_row(self._connection, have.record), row))
        if version.fingerprint == have.fingerprint:
            return
        if have.since < self._number:
            self.counts["unchanged"] -= 1
            self.counts["changed"] += 1
        self._replace(entry, have, version)

    def _replace(self, entry: str, have: _Stored, version: Version) -> None:
        self.states[have.state] -= 1
        if have.since == self._number:
            self._removed.append((have.record,))
            self._remade = True
        else:
            self._ended.append((self._number, have.record))
            self._replaced.append(have.record)
        old = set() if have.state == State.WITHDRAWN else self._searchable(have.record)
        self.changes.doubt(old.difference(version.hittable))
        self._insert(entry, version, had=old)

    def _searchable(self, record: int) -> set[Hash]:
        return {
            Hash(KINDS[kind], value)
            for kind, value in self._connection.execute(
                "SELECT kind, value FROM hashes WHERE record = ? AND why_not IS NULL", (record,)
            )
        }

    def _insert(self, entry: str, version: Version, had: Container[Hash] = ()) -> None:
        record = self._next
        self._next += 1
        self.states[version.state] += 1
        self.changes.gain(item for item in version.hittable if not had or item not in had)
        said = (version.state, version.categories, version.labels, version.updated)
        made = (version.fingerprint, self._import, self._number)
        self._records.append((record, self._source, entry, *said, *made))
        for item, why_not in zip(version.hashes, version.why_not, strict=True):
            self._hashes.append((record, item.kind.name, item.value, item.quality, why_not))

    def _flush(self) -> None:
        """Write the batch; what it ends goes first, since an entry has one current version."""
        write = self._connection.executemany
        write("UPDATE records SET until = ? WHERE id = ?", self._ended)
        write("DELETE FROM hashes WHERE record = ?", self._removed)
        write("DELETE FROM records WHERE id = ?", self._removed)
        write("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", self._records)
        write("INSERT INTO hashes VALUES (?, ?, ?, ?, ?)", self._hashes)
        self._clear()

    def _undo_round_trips(self) -> None:
        """Drop new versions that, once all rows of the entry were united, equal the old one."""
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(self._replaced), _AT_ONCE):
            some = self._replaced[start : start + _AT_ONCE]
            pairs += self._connection.execute(
                "SELECT new.id, old.id FROM records old CROSS JOIN records new"
                " ON new.source = old.source AND new.entry = old.entry AND new.until IS NULL"
                f" WHERE old.id IN ({','.join('?' * len(some))})"
                " AND old.fingerprint = new.fingerprint",
                some,
            )
        self._removed = [(new,) for new, _ in pairs]
        self._flush()
        self._connection.executemany(
            "UPDATE records SET until = NULL WHERE id = ?", [(old,) for _, old in pairs]
        )
        self.counts["changed"] -= len(pairs)
        self.counts["unchanged"] += len(pairs)
