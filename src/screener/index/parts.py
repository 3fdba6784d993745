"""The files that hold a set of values: index files, oldest first, and one of removed rows.

`SegmentedIndex` names them in a manifest, a hash list in its database, for each kind of hash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from screener.errors import IndexFileError
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.layout import open_sections, write_sections
from screener.index.snapshot import NONE_REMOVED, Snapshot
from screener.index.tiers import Step
from screener.index.values import Codes, Index, Rows, as_codes, values_of

_REMOVED: Final = "removed"  # the content of a file


class Part(NamedTuple):
    """The name of a file in its folder, and how many values or removed rows it holds."""

    file: str
    rows: int


class Parts(NamedTuple):
    """Index files, oldest first, and the file of their removed rows."""

    indexes: tuple[Part, ...] = ()
    removed: Part | None = None

    @property
    def rows(self) -> int:
        """Return how many values can be found."""
        return sum(part.rows for part in self.indexes) - (self.removed.rows if self.removed else 0)

    @property
    def files(self) -> tuple[Part, ...]:
        """Return all files."""
        return (*self.indexes, *([self.removed] if self.removed else []))

    @property
    def names(self) -> set[str]:
        """Return the names of all files."""
        return {part.file for part in self.files}


def open_indexes(
    folder: Path,
    parts: Parts,
    opened: Mapping[str, Index],
    *,
    size: int,
    digest: bool = False,
    hugepages: bool = False,
) -> dict[str, Index]:
    """Return the indexes by file name; those among `opened` are not opened again.

    Values have `size` bytes; they are digests, or codes of a perceptual kind, which are copied into
    memory with `hugepages`: see `HammingIndex.open`. Raises FileNotFoundError if a file is gone,
    IndexFileError if one is damaged or holds another number or size of values.
    """
    indexes = {}
    for file, rows in parts.indexes:
        path = folder / file
        index = opened.get(file)
        if index is None:
            index = (
                DigestIndex.open(path) if digest else HammingIndex.open(path, hugepages=hugepages)
            )
        if values_of(index).shape != (rows, size):
            raise IndexFileError(f"{path} does not hold {rows} values of {size} bytes")
        indexes[file] = index
    return indexes


def snapshot(
    folder: Path, parts: Parts, opened: Mapping[str, Index], *, size: int, digest: bool = False
) -> Snapshot:
    """Return the opened indexes as one, without the removed rows; raises as `open_indexes`."""
    removed = NONE_REMOVED
    if parts.removed is not None:
        path = folder / parts.removed.file
        removed = open_removed(path)
        if removed.size != parts.removed.rows:
            raise IndexFileError(f"{path} does not hold {parts.removed.rows} removed rows")
    indexes = [opened[part.file] for part in parts.indexes]
    return Snapshot(indexes or [_build(np.empty((0, size), np.uint8), digest)], removed)


def write_step(
    parts: Parts, step: Step, path_of: Callable[[str], Path], *, digest: bool = False
) -> Parts:
    """Write the new files of a step and return the parts that follow.

    `path_of` returns a new path for a file with the given ending. Files and their names survive a
    power cut when this returns.
    """
    indexes, removed = parts.indexes[: step.kept], None
    if step.fresh.size:
        path = path_of("idx")
        _build(as_codes(step.fresh), digest).save(path)
        indexes = (*indexes, Part(path.name, step.fresh.size))
    if step.removed.size:
        path = path_of("gone")
        save_removed(path, step.removed)
        removed = Part(path.name, step.removed.size)
    return Parts(indexes, removed)


def save_removed(path: str | os.PathLike[str], removed: Rows) -> None:
    """Write removed rows to a file that appears whole or not at all."""
    write_sections(path, _REMOVED, {"rows": removed.astype(np.uint64)})


def open_removed(path: str | os.PathLike[str]) -> Rows:
    """Read removed rows, checking every byte: a wrong one would hide a listed value."""
    sections = open_sections(path, _REMOVED)
    sections.verify()
    rows = sections.array("rows", dtype="u8", dimensions=1)
    if rows.size and rows.max() >= 1 << 62:
        raise IndexFileError(f"{path}: a row is out of range")
    return rows.view(np.int64)


def _build(values: Codes, digest: bool) -> Index:
    return DigestIndex.build(values) if digest else HammingIndex.build(values, copy=False)
