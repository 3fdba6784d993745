"""Write and open segments: the index files with the searchable values of each kind.

The values of a kind (see `searchable_values`) are in one or more files, each sorted, and no value
is in two. Another file may list removed rows. An import writes the changes, and sometimes merges
files: see `screener.index.tiers`. If a file cannot be read, it is rebuilt from the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from screener.errors import ScreenerError
from screener.hashing.hash import HashKind, kind_named
from screener.index import tiers
from screener.index.parts import Parts, open_indexes, snapshot, write_step
from screener.index.snapshot import NONE_REMOVED, Snapshot
from screener.index.tiers import Step
from screener.index.values import Index, Values, contains
from screener.lists.store import searchable_values, sharing
from screener.lists.store.database import SEGMENTS, ask, find_damaged_rows
from screener.lists.store.generations import Generation, make_segment_name
from screener.lists.store.searchable_values import find_stored, make_distinct, read_all
from screener.system.progress import Progress, Steps

Open = Mapping[str, Index]  # by file name


def open_all(
    folder: Path, generation: Generation, have: Open, *, hugepages: bool = False
) -> dict[str, Index]:
    """Open and lock the index files of a generation, and return them by name.

    Files in `have` are not opened again. With `hugepages`, files of perceptual kinds are copied
    into memory: see `HammingIndex.open`. Raises FileNotFoundError if a file is gone, IndexFileError
    if one is damaged.
    """
    opened: dict[str, Index] = {}
    for name, parts in generation.segments.items():
        kind = kind_named(name)
        opened |= open_indexes(
            folder / SEGMENTS, parts, have,
            size=kind.code_size, digest=kind.digest, hugepages=hugepages,
        )  # fmt: skip
    return opened


def build_snapshot(folder: Path, kind: HashKind, parts: Parts, opened: Open) -> Snapshot:
    """Return the opened index files of a kind as one snapshot; raises like `open_all`."""
    return snapshot(folder / SEGMENTS, parts, opened, size=kind.code_size, digest=kind.digest)


@dataclass(frozen=True)
class WrittenFiles:
    """The files of a kind before and after a change; new files are not registered yet."""

    kind: HashKind
    before: Parts
    after: Parts


def write_changed(
    connection: sqlite3.Connection, folder: Path, current: Generation, number: int
) -> None:
    """Write the values that generation `number` changed, and register the files for it.

    The work is proportional to the change; many values are merged later: see `is_merge_due`.
    """
    gained = searchable_values.find_gained(connection, number)
    doubtful = searchable_values.find_doubtful(connection, number)
    # The largest kind comes last, when the memory of the others is free.
    for name in sorted(
        gained.keys() | doubtful.keys(), key=lambda name: len(gained.get(name, b""))
    ):
        kind, files = kind_named(name), current.segments.get(name, Parts())
        came = make_distinct(gained.pop(name, bytearray()), kind)
        went = make_distinct(doubtful.pop(name, bytearray()), kind)
        step = _plan_change(connection, folder, files, came, went, kind)
        if step is not None:
            register(connection, _write(folder, kind, files, step, number), number)
        del step, came, went  # frees their memory before the values of the next kind are sorted


def _plan_change(
    connection: sqlite3.Connection,
    folder: Path,
    files: Parts,
    gained: Values,
    doubtful: Values,
    kind: HashKind,
) -> Step | None:
    try:
        stored = _open_stored(folder, files, kind)
        doubtful = doubtful[~contains(gained, doubtful)]
        lost = doubtful[~contains(find_stored(connection, kind, doubtful), doubtful)]
        if files.indexes or lost.size:
            return tiers.step(stored, gained, lost, at_once=True)
        # The first values of their kind may be very many; `tiers.step` would copy them.
        return Step(0, gained, NONE_REMOVED) if gained.size else None
    except (ScreenerError, OSError, ValueError):
        return _rebuild(connection, kind)


def is_merge_due(files: Parts) -> bool:
    """Return whether the files of a kind must be merged: see `tiers.overdue`."""
    sizes = [part.rows for part in files.indexes]
    removed = files.removed.rows if files.removed else 0
    return tiers.kept_when_due(sizes, removed) < len(sizes)


def merge(
    folder: Path,
    current: Generation,
    plan: Callable[[Snapshot], Step | None],
    progress: Progress | None = None,
) -> list[WrittenFiles]:
    """Write the files of the step that `plan` returns for each kind, outside a transaction.

    The caller has the writer's lock. Unless the files are registered, the next sweep removes them.
    """
    written = []
    steps = Steps(progress, sum(files.rows for files in current.segments.values()))
    for kind_name, files in current.segments.items():
        kind = kind_named(kind_name)
        try:
            step = plan(_open_stored(folder, files, kind))
        except (ScreenerError, OSError, ValueError):
            step = ask(folder, partial(_rebuild, kind=kind))
        if step is not None:
            written.append(_write(folder, kind, files, step, current.next_number))
        steps.add(files.rows)
    return written


def register(connection: sqlite3.Connection, written: WrittenFiles, number: int) -> None:
    """Add new files to the database, and end the files that they replace."""
    before, after = written.before, written.after
    connection.executemany(
        "UPDATE segments SET until = ? WHERE file = ?",
        [(number, file) for file in before.names - after.names],
    )
    connection.executemany(
        "INSERT INTO segments(file, kind, rows, since) VALUES (?, ?, ?, ?)",
        [
            (part.file, written.kind.name, part.rows, number)
            for part in after.files
            if part not in before.files
        ],
    )


def rewrite(connection: sqlite3.Connection, folder: Path, kind: HashKind, number: int) -> None:
    """Rebuild the files of a kind from sound records, and forget those of all generations."""
    connection.execute("DELETE FROM segments WHERE kind = ?", (kind.name,))
    step = Step(0, read_all(connection, kind), NONE_REMOVED)
    register(connection, _write(folder, kind, Parts(), step, number), number)


def _open_stored(folder: Path, files: Parts, kind: HashKind) -> Snapshot:
    opened = open_indexes(folder / SEGMENTS, files, {}, size=kind.code_size, digest=kind.digest)
    return build_snapshot(folder, kind, files, opened)


def _rebuild(connection: sqlite3.Connection, kind: HashKind) -> Step:
    """Return a step that writes all searchable values of the current records to one file.

    Raises ValueError if the database is damaged, since it may lack values of the lost file.
    """
    if any(find_damaged_rows(connection)):
        raise ValueError("damaged rows")
    return Step(0, read_all(connection, kind), NONE_REMOVED)


def _write(folder: Path, kind: HashKind, files: Parts, step: Step, number: int) -> WrittenFiles:
    """Write the new files of a step, and sync them and their names."""

    def make_path(ending: str) -> Path:
        return folder / SEGMENTS / make_segment_name(kind.name, number, ending=ending)

    after = write_step(files, step, make_path, digest=kind.digest)
    for name in after.names - files.names:
        sharing.share_file(folder, folder / SEGMENTS / name)
    return WrittenFiles(kind, files, after)
