"""The two things under test, a SegmentedIndex and a HashList, behind the same few calls.

Each applies a step of the schedule and returns, by itself, all that it contains.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from schedule import SIZE, Change, Schedule, codes_of, near

from screener import HashList, SegmentedIndex
from screener.index import tiers


def shrink_tiers() -> None:
    """Tiers so small that a few hundred codes fill several parts and every kind of merge occurs."""
    tiers.FACTOR, tiers.SMALLEST, tiers.AT_ONCE, tiers.MOST = 2, 16, 400, 4


class Wrong(Exception):
    """An answer or a state that is not one of those that may be."""


class IndexSubject:
    """A SegmentedIndex; items are found by their codes."""

    name = "SegmentedIndex"
    folder_of_files = "."

    def create(self, path: Path, schedule: Schedule) -> SegmentedIndex:
        """A new one with the first items."""
        index = SegmentedIndex.create(path, bits=8 * SIZE)
        return index.add(codes_of(sorted(schedule.items))) if schedule.items else index

    def open(self, path: Path) -> SegmentedIndex:
        """The newest state."""
        return SegmentedIndex.open(path)

    def apply(self, index: SegmentedIndex, change: Change) -> SegmentedIndex:
        """Take a step; the state that follows."""
        if change.added:
            return index.add(codes_of(change.added))
        return index.remove(codes_of(change.removed)) if change.removed else index.compact()

    def verify(self, index: SegmentedIndex) -> None:
        """Every byte and invariant."""
        index.verify()

    def holds(self, index: SegmentedIndex, items: set[int]) -> bool:
        """Whether exactly these items are in it."""
        wanted = sorted(code.tobytes() for code in codes_of(sorted(items)))
        return [code.tobytes() for code in index.all_codes()] == wanted

    def search(
        self, index: SegmentedIndex, query: np.ndarray, radius: int
    ) -> list[tuple[bytes, int]]:
        """The (code, distance) pairs that a search finds."""
        _, rows, distances = index.search(query, radius=radius)
        codes = index.codes(rows)
        return [(codes[at].tobytes(), int(distances[at])) for at in range(len(rows))]

    def expected(
        self, codes: np.ndarray, items: np.ndarray, query: np.ndarray, radius: int
    ) -> list[tuple[bytes, int]]:
        """What it must find."""
        pairs = near(codes, items, query, radius)
        return [(codes_of([item])[0].tobytes(), distance) for item, distance in pairs]


class ListSubject:
    """A HashList; items are entries with a PDQ and an MD5, found by the records that hold them."""

    name = "HashList"
    folder_of_files = "segments"

    def create(self, path: Path, schedule: Schedule) -> HashList:
        """A new one with the first items."""
        one = HashList.create(path)
        return (
            self.apply(one, Change(added=tuple(sorted(schedule.items)))) if schedule.items else one
        )

    def open(self, path: Path) -> HashList:
        """The newest generation."""
        return HashList.open(path)

    def apply(self, one: HashList, change: Change) -> HashList:
        """Take a step by an import or a compaction; the generation that follows."""
        if change.added or change.removed:
            file = one.path.with_name(one.path.name + ".csv")
            rows = [
                f"e{item},{code.tobytes().hex()},{code.tobytes()[16:].hex()},\n"
                for item, code in zip(change.added, codes_of(change.added), strict=True)
            ]
            rows += [f"e{item},,,withdrawn\n" for item in change.removed]
            file.write_text("id,pdq,md5,status\n" + "".join(rows))
            one.import_file(file, source="soak")
        else:
            one.compact()
        return one.refresh()

    def verify(self, one: HashList) -> None:
        """Every byte of the index files, SQLite's own check, and that its log is whole."""
        for snapshot in one._snapshots.values():
            snapshot.verify()
        with closing(sqlite3.connect(one.path / "records.sqlite")) as connection:
            (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            raise Wrong(f"SQLite finds its file damaged: {said}")

    def holds(self, one: HashList, items: set[int]) -> bool:
        """Whether exactly these items are in it: values, and the records that hold them."""
        sizes = {"pdq": len(items), "md5": len({item // 2 for item in items})} if items else {}
        if dict(one.kinds) != sizes:
            return False
        entries = {f"e{item}" for item in items}
        for kind, count in one.kinds.items():
            live = np.setdiff1d(
                np.arange(one._snapshots[kind]._bases[-1]), one._snapshots[kind].removed
            )
            held = one.holders(kind, live)
            if len(live) != count or not all(held):
                return False
            if {record.entry for records in held for record in records} != entries:
                return False
        return True

    def search(self, one: HashList, query: np.ndarray, radius: int) -> list[tuple[str, int]]:
        """The (entry, distance) pairs that a search and the records behind it give."""
        _, rows, distances = one.search("pdq", query, radius=radius)
        held = one.holders("pdq", rows)
        return [
            (record.entry, int(distance))
            for records, distance in zip(held, distances, strict=True)
            for record in records
        ]

    def expected(
        self, codes: np.ndarray, items: np.ndarray, query: np.ndarray, radius: int
    ) -> list[tuple[str, int]]:
        """What it must find."""
        return [(f"e{item}", distance) for item, distance in near(codes, items, query, radius)]


SUBJECTS = {"index": IndexSubject(), "list": ListSubject()}
