"""Segments: the index files that hold the values of each kind that can be hit in a generation.

The values of one kind, which `searchable` tells, stand in one or several files, each in ascending
order and none in two; one more file may name rows that no longer count. An import writes what
changed, and now and then merges: see `screener.index.tiers`. If a file of a kind cannot be read,
the values come from the database anew.
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
from screener.lists.store import sharing
from screener.lists.store.database import SEGMENTS, ask, find_damaged_rows
from screener.lists.store.generations import Generation, make_segment_name
from screener.lists.store.searchable_values import Changes, find_stored, read_all
from screener.system.progress import Progress, Steps

Open = Mapping[str, Index]  # by file name


def open_all(
    folder: Path, generation: Generation, have: Open, *, hugepages: bool = False
) -> dict[str, Index]:
    """Return the index files of a generation, by name, held; those among `have` are not opened
    again.

    With `hugepages` those of perceptual kinds are copied into memory: see `HammingIndex.open`.
    Raises FileNotFoundError if one is gone, IndexFileError if one is damaged.
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
    """Return the opened index files of a kind as one; raises as `open_all`."""
    return snapshot(folder / SEGMENTS, parts, opened, size=kind.code_size, digest=kind.digest)


@dataclass(frozen=True)
class WrittenFiles:
    """The files of a kind before and after a change: new ones are on the disk, not yet named."""

    kind: HashKind
    before: Parts
    after: Parts


def write_changed(
    connection: sqlite3.Connection, folder: Path, current: Generation, changes: Changes, number: int
) -> None:
    """Write what changed of each kind, and name it in the transaction as of generation `number`.

    A kind whose set of values is the same after all keeps its files. What is written is in
    proportion to the change; the merging of many values is left to `merge`, see `is_due`.
    """
    for kind in changes.kinds():
        files = current.segments.get(kind.name, Parts())
        step = _changed(connection, folder, files, current, changes, kind)
        if step is not None:
            register(connection, _write(folder, kind, files, step, number), number)
        del step  # before the values of the next kind are sorted


def _changed(
    connection: sqlite3.Connection,
    folder: Path,
    files: Parts,
    current: Generation,
    changes: Changes,
    kind: HashKind,
) -> Step | None:
    try:
        stored = _stored(folder, files, kind)
        doubtful = changes.doubtful(kind)
        gone = doubtful[~contains(find_stored(connection, kind, doubtful, current), doubtful)]
        if files.indexes or gone.size:
            return tiers.step(stored, changes.gained(kind), gone, at_once=True)
        # The first of their kind, perhaps very many: without the copies of a step.
        return _all_new(changes.gained(kind))
    except (ScreenerError, OSError, ValueError):
        return _from_records(connection, kind)


def is_merge_due(files: Parts) -> bool:
    """Return whether files of a kind must be merged, whatever that costs: see `tiers.overdue`."""
    sizes = [part.rows for part in files.indexes]
    removed = files.removed.rows if files.removed else 0
    return tiers.kept_when_due(sizes, removed) < len(sizes)


def merge(
    folder: Path,
    current: Generation,
    stepping: Callable[[Snapshot], Step | None],
    progress: Progress | None = None,
) -> list[WrittenFiles]:
    """Write the files that a step makes of each kind, for the one writer, in no transaction.

    Nothing is named yet: until then they are what the next sweep removes.
    """
    written = []
    steps = Steps(progress, sum(files.rows for files in current.segments.values()))
    for kind_name, files in current.segments.items():
        kind = kind_named(kind_name)
        try:
            step = stepping(_stored(folder, files, kind))
        except (ScreenerError, OSError, ValueError):
            step = ask(folder, partial(_from_records, kind=kind))
        if step is not None:
            written.append(_write(folder, kind, files, step, current.next_number))
        steps.add(files.rows)
    return written


def register(connection: sqlite3.Connection, written: WrittenFiles, number: int) -> None:
    """Name new files in the transaction, and end those that they stand for."""
    before, after = written.before, written.after
    connection.executemany(
        "UPDATE segments SET until = ? WHERE file = ?",
        [(number, file) for file in before.names - after.names],
    )
    connection.executemany(
        "INSERT INTO segments(file, kind, rows, since) VALUES (?, ?, ?, ?)",
        [
            (one.file, written.kind.name, one.rows, number)
            for one in after.files
            if one not in before.files
        ],
    )


def rewrite(connection: sqlite3.Connection, folder: Path, kind: HashKind, number: int) -> None:
    """Write a kind from the records alone, which are known to be sound, and name nothing older any
    more, in any generation.
    """
    connection.execute("DELETE FROM segments WHERE kind = ?", (kind.name,))
    step = Step(0, read_all(connection, kind), NONE_REMOVED)
    register(connection, _write(folder, kind, Parts(), step, number), number)


def _stored(folder: Path, files: Parts, kind: HashKind) -> Snapshot:
    """Return the values of a kind as they stand; an error if a file is lost or damaged."""
    opened = open_indexes(folder / SEGMENTS, files, {}, size=kind.code_size, digest=kind.digest)
    return build_snapshot(folder, kind, files, opened)


def _from_records(connection: sqlite3.Connection, kind: HashKind) -> Step:
    """Return every searchable value of a kind that a visible record holds, in one file to be;
    ValueError where the database is damaged: it may not say any more what the file that is
    lost did.
    """
    if any(find_damaged_rows(connection)):
        raise ValueError("damaged rows")
    return Step(0, read_all(connection, kind), NONE_REMOVED)


def _all_new(values: Values) -> Step | None:
    return Step(0, values, NONE_REMOVED) if values.size else None


def _write(folder: Path, kind: HashKind, files: Parts, step: Step, number: int) -> WrittenFiles:
    """Write the new files of a step; when it returns they are synced, and so are their names."""

    def path_of(ending: str) -> Path:
        return folder / SEGMENTS / make_segment_name(kind.name, number, ending=ending)

    after = write_step(files, step, path_of, digest=kind.digest)
    for name in after.names - files.names:
        sharing.share_file(folder, folder / SEGMENTS / name)
    return WrittenFiles(kind, files, after)
