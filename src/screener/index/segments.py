"""SegmentedIndex: a folder of index files that codes can be added to and removed from.

The folder contains index files, files of removed rows, and manifests. A change writes and syncs
files with new names, then commits by writing the next manifest, which names all files of the new
state. The manifest with the highest number is the current state. No file is ever replaced, so
readers never wait. Writers take turns; each first removes the files that no recent manifest names
and no reader has locked. `docs/internals/segments.md` describes the folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener import arguments
from screener.arguments import integer_within
from screener.errors import HashError, IndexFileError
from screener.index import manifests, tiers
from screener.index.hamming import WIDTHS
from screener.index.manifests import Manifest
from screener.index.parts import Parts, open_indexes, open_removed, snapshot, write_step
from screener.index.snapshot import Distances, Snapshot, Weights
from screener.index.tiers import Step
from screener.index.values import Codes, Index, Rows, Values, as_codes, as_values
from screener.system import files
from screener.system.locks import lock_file

_ATTEMPTS: Final = 5


class SegmentedIndex:
    """One state of a set of codes of one width in a folder, searched exactly.

    An object never changes: `add`, `remove` and `compact` return the next state, `refresh` the
    newest of any writer. Threads may share an object; while it lives, its files stay. A code is in
    the set once, however often it was added. Rows are valid for one object: the next may number the
    same codes differently. A pickle contains the folder and file names, and maps them again.
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

        Raises HashError for another width, FileExistsError if the path exists.
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
        """Open the newest state; IndexFileError if there is none or a file is damaged.

        With `hugepages` the files, and those that `refresh` and changes open later, are copied into
        memory of this process: see `HammingIndex.open`.
        """
        return cls._open(Path(os.path.abspath(path)), {}, hugepages)

    @classmethod
    def _open(cls, folder: Path, opened: Mapping[str, Index], hugepages: bool) -> SegmentedIndex:
        for _ in range(_ATTEMPTS):
            number = manifests.newest(folder)
            # A writer may have removed it since its name was read: look again.
            with contextlib.suppress(FileNotFoundError):
                return cls(folder, manifests.read(folder, number), opened, hugepages)
            if manifests.newest(folder) == number:
                raise IndexFileError(f"{folder} has lost a file of its newest state")
        raise IndexFileError(f"{folder} changes faster than it can be opened")

    def __reduce__(self) -> tuple[Callable[..., SegmentedIndex], tuple[str, Manifest]]:
        """Pickle the state by its files; reading raises IndexFileError if they are gone."""
        return _again, (str(self._folder), self._manifest)

    def __copy__(self) -> SegmentedIndex:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> SegmentedIndex:
        return self

    def __len__(self) -> int:
        return len(self._snapshot)

    def __repr__(self) -> str:
        return f"<SegmentedIndex {str(self._folder)!r}, generation {self.generation}>"

    @property
    def bits(self) -> int:
        """Return the width of the codes."""
        return self._manifest.bits

    @property
    def generation(self) -> int:
        """Return the number of this state: 0 for a new index, raised by every change."""
        return self._manifest.generation

    @property
    def parts(self) -> int:
        """Return how many files a search visits."""
        return len(self._manifest.parts.indexes)

    def search(
        self, queries: Codes, *, radius: int, threads: int = 1
    ) -> tuple[Rows, Rows, Distances]:
        """Return all codes within `radius` bits (`<=`) of each query: see `HammingIndex.search`.

        Rows are those of this object, ascending; `codes` returns their codes.
        """
        return self._snapshot.search(queries, radius=radius, threads=threads)

    def search_weighted(
        self,
        codes: Codes,
        weights: npt.NDArray[np.uint8],
        budgets: npt.ArrayLike,
        *,
        threads: int = 1,
    ) -> tuple[Rows, Rows, Weights]:
        """Return all codes within its budget of each query: see `HammingIndex.search_weighted`.

        Rows are those of this object, ascending; `codes` returns their codes.
        """
        return self._snapshot.search_weighted(codes, weights, budgets, threads=threads)

    def codes(self, rows: Sequence[int] | Rows) -> Codes:
        """Return the codes of rows that a search of this object returned, (n, bits / 8)."""
        return self._snapshot.codes(rows)

    def all_codes(self) -> Codes:
        """Return all codes, ascending, (n, bits / 8); reads all files."""
        return as_codes(self._snapshot.live())

    def verify(self) -> None:
        """Read all files; IndexFileError if a byte has changed."""
        self._snapshot.verify()
        if self._manifest.parts.removed is not None:
            open_removed(self._folder / self._manifest.parts.removed.file)

    def refresh(self) -> SegmentedIndex:
        """Return the newest state, opening only new files; this object if it is the newest.

        If another index has replaced the folder, returns that one's state.
        """
        number = manifests.newest(self._folder)
        if number == self.generation:
            # Another index in this folder may have the same number.
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile: there is a newer one
                if manifests.read(self._folder, number) == self._manifest:
                    return self
        return SegmentedIndex._open(self._folder, self._opened, self._hugepages)

    def add(self, codes: Codes) -> SegmentedIndex:
        """Add codes, uint8 (n, bits / 8), to the newest state on disk and return the next state.

        The change survives a power cut when this returns, and every reader's `refresh` sees it.
        Raises HashError for codes of another form, IndexFileError if another writer is at work for
        long or an index of another width has replaced the folder, OSError if the disk is full or
        broken. After an error nothing has changed, unless the last step failed, the sync of the
        folder: then the change may or may not survive.
        """
        values = self._values(codes)
        return self._change(lambda now: tiers.step(now, values, values[:0]))

    def remove(self, codes: Codes) -> SegmentedIndex:
        """Remove codes, some of which may be missing; otherwise like `add`."""
        values = self._values(codes)
        return self._change(lambda now: tiers.step(now, values[:0], values))

    def compact(self) -> SegmentedIndex:
        """Merge all files into one without removed codes, in the time of building it anew."""
        return self._change(tiers.compacted)

    def _values(self, codes: Any) -> Values:
        size = self.bits // 8
        if not arguments.is_bytes(codes):
            raise HashError(f"codes must be a uint8 array, not {arguments.type_name(codes)}")
        if codes.ndim != 2 or codes.shape[1] != size:
            raise HashError(f"codes must have the shape (n, {size}), not {codes.shape}")
        return np.unique(as_values(codes))

    def _change(self, stepping: Callable[[Snapshot], Step | None]) -> SegmentedIndex:
        with lock_file(self._folder / "lock"):
            newest = self.refresh()
            if newest.bits != self.bits:
                raise IndexFileError(
                    f"{self._folder} was replaced by an index of {newest.bits} bits, not"
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
    # File names are never reused, so these cannot be files of another index.
    try:
        return SegmentedIndex(Path(folder), manifest, {}, False)
    except FileNotFoundError:
        raise IndexFileError(
            f"the files of generation {manifest.generation} of {folder} are gone; open the newest"
        ) from None
