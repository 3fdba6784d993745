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

import numpy as np

from screener.errors import IndexFileError, ScreenerError
from screener.hashing.hash import HashKind, kind_named
from screener.index import tiers
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.snapshot import NONE_REMOVED, Snapshot, open_removed, save_removed
from screener.index.tiers import Step
from screener.index.values import Codes, Index, Values, contains, values_of
from screener.lists.store import sharing
from screener.lists.store.database import SEGMENTS, ask, wrong_rows
from screener.lists.store.generations import NO_FILES, Files, Generation, Segment, new_segment_name
from screener.lists.store.searchable_values import Changes, all_held, held_among
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
    return {
        segment.file: have[segment.file]
        if segment.file in have
        else _open_index(folder / SEGMENTS / segment.file, segment=segment, hugepages=hugepages)
        for files in generation.segments.values()
        for segment in files.parts
    }


def _open_index(path: Path, *, segment: Segment, hugepages: bool = False) -> Index:
    kind = kind_named(segment.kind)
    index: Index = (
        DigestIndex.open(path) if kind.digest else HammingIndex.open(path, hugepages=hugepages)
    )
    if values_of(index).shape != (segment.rows, kind.code_size):
        raise IndexFileError(f"{path} does not hold what the list says")
    return index


def snapshot_of(folder: Path, files: Files, opened: Mapping[str, Index]) -> Snapshot:
    """Return the open index files of a kind, by name, as one; raises as `open_all`."""
    removed = NONE_REMOVED
    if files.removed is not None:
        path = folder / SEGMENTS / files.removed.file
        removed = open_removed(path)
        if removed.size != files.removed.rows:
            raise IndexFileError(f"{path} does not hold what the list says")
    return Snapshot([opened[segment.file] for segment in files.parts], removed)


@dataclass(frozen=True)
class Written:
    """New files of a kind, on the disk and not yet named: behind the oldest `kept` of `before`."""

    kind: HashKind
    before: Files
    kept: int
    new: tuple[Segment, ...]


def write_changed(
    connection: sqlite3.Connection, folder: Path, current: Generation, changes: Changes, number: int
) -> None:
    """Write what changed of each kind, and name it in the transaction as of generation `number`.

    A kind whose set of values is the same after all keeps its files. What is written is in
    proportion to the change; the merging of many values is left to `merge`, see `is_due`.
    """
    for kind in changes.kinds():
        files = current.segments.get(kind.name, NO_FILES)
        step = _changed(connection, folder, current, changes, kind)
        if step is not None:
            name(connection, _write(folder, kind, files, step, number), number)
        del step  # before the values of the next kind are sorted


def _changed(
    connection: sqlite3.Connection,
    folder: Path,
    current: Generation,
    changes: Changes,
    kind: HashKind,
) -> Step | None:
    files = current.segments.get(kind.name, NO_FILES)
    try:
        snapshot = _stored(folder, files, kind)
        doubtful = changes.doubtful(kind)
        gone = doubtful[~contains(held_among(connection, kind, doubtful, current), doubtful)]
        if files.parts or gone.size:
            return tiers.step(snapshot, changes.gained(kind), gone, at_once=True)
        # The first of their kind, perhaps very many: without the copies of a step.
        return _all_new(changes.gained(kind))
    except (ScreenerError, OSError, ValueError):
        return _from_records(connection, kind)


def is_due(files: Files) -> bool:
    """Return whether files of a kind are to be merged, whatever that costs: `tiers.overdue` says
    how.
    """
    sizes = [part.rows for part in files.parts]
    removed = files.removed.rows if files.removed else 0
    return tiers.kept_when_due(sizes, removed) < len(sizes)


def merge(
    folder: Path,
    current: Generation,
    stepping: Callable[[Snapshot], Step | None],
    progress: Progress | None = None,
) -> list[Written]:
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
            written.append(_write(folder, kind, files, step, current.number + 1))
        steps.add(files.rows)
    return written


def name(connection: sqlite3.Connection, written: Written, number: int) -> None:
    """Name new files in the transaction, and end those that they stand for."""
    ended = [segment.file for segment in written.before.parts[written.kept :]]
    if written.before.removed is not None:
        ended.append(written.before.removed.file)
    connection.executemany(
        "UPDATE segments SET until = ? WHERE file = ?", [(number, file) for file in ended]
    )
    connection.executemany(
        "INSERT INTO segments(file, kind, rows, since) VALUES (?, ?, ?, ?)",
        [(one.file, one.kind, one.rows, number) for one in written.new],
    )


def rewrite(connection: sqlite3.Connection, folder: Path, kind: HashKind, number: int) -> None:
    """Write a kind from the records alone, which are known to be sound, and name nothing older any
    more, in any generation.
    """
    connection.execute("DELETE FROM segments WHERE kind = ?", (kind.name,))
    step = Step(0, all_held(connection, kind), NONE_REMOVED)
    name(connection, _write(folder, kind, NO_FILES, step, number), number)


def _stored(folder: Path, files: Files, kind: HashKind) -> Snapshot:
    """Return the values of a kind as they stand; an error if a file is lost or damaged."""
    if not files.parts:
        return Snapshot([_build(kind, np.empty((0, kind.code_size), np.uint8))])
    opened = {
        segment.file: _open_index(folder / SEGMENTS / segment.file, segment=segment)
        for segment in files.parts
    }
    return snapshot_of(folder, files, opened)


def _from_records(connection: sqlite3.Connection, kind: HashKind) -> Step:
    """Return every searchable value of a kind that a visible record holds, in one file to be;
    ValueError where the database is damaged: it may not say any more what the file that is
    lost did.
    """
    if any(wrong_rows(connection)):
        raise ValueError("damaged rows")
    return Step(0, all_held(connection, kind), NONE_REMOVED)


def _all_new(values: Values) -> Step | None:
    return Step(0, values, NONE_REMOVED) if values.size else None


def _build(kind: HashKind, codes: Codes) -> Index:
    return DigestIndex.build(codes) if kind.digest else HammingIndex.build(codes, copy=False)


def _write(folder: Path, kind: HashKind, files: Files, step: Step, number: int) -> Written:
    """Write the new files of a step; when it returns they are synced, and so are their names."""
    new: list[Segment] = []
    if step.fresh.size:
        path = folder / SEGMENTS / new_segment_name(kind.name, number)
        codes = step.fresh.view(np.uint8).reshape(-1, kind.code_size)
        _build(kind, codes).save(path)
        sharing.keep(folder, path)
        new.append(Segment(kind.name, path.name, step.fresh.size))
    if step.removed.size:
        path = folder / SEGMENTS / new_segment_name(kind.name, number, ending="gone")
        save_removed(path, step.removed)
        sharing.keep(folder, path)
        new.append(Segment(kind.name, path.name, step.removed.size))
    return Written(kind, files, step.kept, tuple(new))
