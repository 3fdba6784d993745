"""SegmentedIndex: a folder of index files that codes can be added to and removed from.

The folder holds index files, files of removed rows, and manifests. A change writes its files under
names never used before, synced, and then a manifest with the next number that names all files of
the new state: its appearance is the commit. The highest number is the state of the index; nothing
that a manifest names is ever replaced, so a reader keeps what it has, and no reader waits. Writers
take turns. The next one sweeps what no recent manifest names and no reader holds.

`docs/internals/segments.md` describes the folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from screener import arguments
from screener.arguments import integer_within
from screener.errors import HashError, IndexFileError
from screener.index import manifests, tiers
from screener.index.hamming import WIDTHS
from screener.index.manifests import Manifest
from screener.index.parts import Parts, open_indexes, open_removed, snapshot, write_step
from screener.index.snapshot import Distances, Snapshot
from screener.index.tiers import Step
from screener.index.values import Codes, Index, Rows, Values, as_codes, as_values
from screener.system import files
from screener.system.locks import lock_file

_ATTEMPTS: Final = 5


class SegmentedIndex:
    """A set of codes of one width in a folder, searched exactly, as one state of it stood.

    An object never changes: `add`, `remove` and `compact` give the one that follows, and
    `refresh` the newest, whoever wrote it. Threads may share an object; while it lives, its files
    stay. A code is in the set once, however often it was added, and its value is its name: rows
    are those of one object, and the next may number the same codes otherwise. A pickle of it is
    its folder and the names of its files, which are mapped where it is read.
    """

    __slots__ = ("_folder", "_hugepages", "_manifest", "_opened", "_snapshot")

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        opened: Mapping[str, Index],
        hugepages: bool,
    ) -> None:
        """Not for callers: use `create` or `open`. Indexes among `opened` are not opened again."""
        self._folder = folder
        self._manifest = manifest
        self._hugepages = hugepages
        size = manifest.bits // 8
        self._opened = open_indexes(folder, manifest.parts, opened, size=size, hugepages=hugepages)
        self._snapshot = snapshot(folder, manifest.parts, self._opened, size=size)

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, bits: int) -> SegmentedIndex:
        """Make an empty index of codes of 64, 128, 256 or 512 bits in a new folder.

        Raises HashError for another width, FileExistsError where the path exists.
        """
        wide = integer_within(bits, 0)
        if wide is None or wide not in {8 * width for width in WIDTHS}:
            raise HashError(f"codes have 64, 128, 256 or 512 bits, not {bits!r}")
        folder = Path(os.path.abspath(path))
        with files.make_folder_atomically(folder) as fresh:
            manifests.publish(fresh, Manifest(0, wide, Parts()))
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, hugepages: bool = False) -> SegmentedIndex:
        """Open the newest state; IndexFileError where there is none or a file is damaged.

        With `hugepages` the files, and those that `refresh` and changes open later, are copied
        into memory of this process: see `HammingIndex.open`.
        """
        return cls._open(Path(os.path.abspath(path)), {}, hugepages)

    @classmethod
    def _open(cls, folder: Path, opened: Mapping[str, Index], hugepages: bool) -> SegmentedIndex:
        for _ in range(_ATTEMPTS):
            number = manifests.newest(folder)
            # A writer may make it old and sweep it after we have seen its name: look again.
            with contextlib.suppress(FileNotFoundError):
                return cls(folder, manifests.read(folder, number), opened, hugepages)
            if manifests.newest(folder) == number:
                raise IndexFileError(f"{folder} has lost a file of its newest state")
        raise IndexFileError(f"{folder} changes faster than it can be opened")

    def __reduce__(self) -> tuple[Callable[..., SegmentedIndex], tuple[str, Manifest]]:
        """A pickle opens the same state again; IndexFileError where its files are gone."""
        return _again, (str(self._folder), self._manifest)

    def __copy__(self) -> SegmentedIndex:
        """It never changes, so it is its own copy."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> SegmentedIndex:
        return self

    def __len__(self) -> int:
        """How many codes."""
        return len(self._snapshot)

    def __repr__(self) -> str:
        """Where, which and how many; never a code."""
        return f"<SegmentedIndex {str(self._folder)!r}, generation {self.generation}>"

    @property
    def bits(self) -> int:
        """The width of the codes."""
        return self._manifest.bits

    @property
    def generation(self) -> int:
        """The number of this state: 0 for a new index; every change raises it."""
        return self._manifest.generation

    @property
    def parts(self) -> int:
        """How many files a search visits."""
        return len(self._manifest.parts.indexes)

    def search(
        self, queries: Codes, *, radius: int, threads: int = 1
    ) -> tuple[Rows, Rows, Distances]:
        """All codes within `radius` bits (`<=`) of each query: see `HammingIndex.search`.

        Rows are those of this object, ascending; `codes` tells what they hold.
        """
        return self._snapshot.search(queries, radius=radius, threads=threads)

    def codes(self, rows: Sequence[int] | Rows) -> Codes:
        """The codes of rows that a search of this object found, (n, bits / 8)."""
        return self._snapshot.codes(rows)

    def all_codes(self) -> Codes:
        """All codes, ascending, (n, bits / 8); read from the files, which takes a while."""
        return as_codes(self._snapshot.live())

    def verify(self) -> None:
        """Read all files; IndexFileError where a byte has changed."""
        self._snapshot.verify()
        if self._manifest.parts.removed is not None:
            open_removed(self._folder / self._manifest.parts.removed.file)

    def refresh(self) -> SegmentedIndex:
        """The newest state, this very object if it is that. Opens only files that are new.

        Where another index has taken the place of the folder, one that was made anew, say, it is
        that one's.
        """
        number = manifests.newest(self._folder)
        if number == self.generation:
            # Another index may have come as far, so that the number alone says nothing.
            with contextlib.suppress(FileNotFoundError):  # swept meanwhile: there is a newer one
                if manifests.read(self._folder, number) == self._manifest:
                    return self
        return SegmentedIndex._open(self._folder, self._opened, self._hugepages)

    def add(self, codes: Codes) -> SegmentedIndex:
        """Add codes, uint8 (n, bits / 8), to the newest state on disk; the state that follows.

        When it returns the change is on the disk and every reader's `refresh` sees it. Raises
        HashError for codes of another form, IndexFileError where another writer is at work for
        long or an index of another width has taken the folder's place, OSError where the disk is
        full or broken; then nothing has changed, but that the failure of the very last step, the
        sync of a folder, leaves open whether it has.
        """
        values = self._values(codes)
        return self._change(lambda now: tiers.step(now, values, values[:0]))

    def remove(self, codes: Codes) -> SegmentedIndex:
        """Remove codes, of which some may not be there; otherwise as `add`."""
        values = self._values(codes)
        return self._change(lambda now: tiers.step(now, values[:0], values))

    def compact(self) -> SegmentedIndex:
        """Merge all files into one without removed codes: takes as long as building it anew."""
        return self._change(tiers.compacted)

    def _values(self, codes: Any) -> Values:
        size = self.bits // 8
        if not arguments.is_bytes(codes):
            raise HashError(f"codes are a uint8 array, not {arguments.type_name(codes)}")
        if codes.ndim != 2 or codes.shape[1] != size:
            raise HashError(f"codes have the shape (n, {size}), not {codes.shape}")
        return np.unique(as_values(codes))

    def _change(self, stepping: Callable[[Snapshot], Step | None]) -> SegmentedIndex:
        with lock_file(self._folder / "lock"):
            newest = self.refresh()
            if newest.bits != self.bits:
                raise IndexFileError(
                    f"{self._folder} is another index by now, of {newest.bits} bits and not"
                    f" {self.bits}: open it"
                )
            manifests.sweep(self._folder, newest.generation)
            step = stepping(newest._snapshot)
            if step is None:
                return newest
            number = newest.generation + 1
            path_of = partial(manifests.new_name, self._folder, number)
            parts = write_step(newest._manifest.parts, step, path_of)
            manifest = Manifest(number, self.bits, parts)
            after = SegmentedIndex(self._folder, manifest, newest._opened, self._hugepages)
            manifests.publish(self._folder, manifest)
            return after


def _again(folder: str, manifest: Manifest) -> SegmentedIndex:
    """The same state, opened once more where a pickle of it is read. Files have names never used
    before, so that those of another index are not taken for its own.
    """
    try:
        return SegmentedIndex(Path(folder), manifest, {}, False)
    except FileNotFoundError:
        raise IndexFileError(
            f"the files of generation {manifest.generation} of {folder} are gone; open the newest"
        ) from None
