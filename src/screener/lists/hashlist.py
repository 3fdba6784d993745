"""HashList: a hash list on disk, as one generation of it stood."""

from __future__ import annotations

import contextlib
import mmap
import os
import sqlite3
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from screener.errors import HashError, IndexFileError, ListError
from screener.hashing.hash import HashKind, kind_named
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.lists import database, generations, importing, info, records, segments
from screener.lists.generations import Generation
from screener.lists.importing import ImportReport
from screener.lists.info import ListInfo
from screener.lists.records import MATCHING, Record

_ATTEMPTS = 5


class HashList:
    """One generation of a hash list: a folder with records in SQLite and index files beside.

    It never changes: an import makes a new generation, which `refresh` opens. It may be shared
    between threads and carried over a fork; a pickle of it is its path and generation. While it
    lives, its index files stay. Searching touches the index files only, `holders` the database.
    """

    def __init__(self, path: Path, generation: Generation, held: dict[str, _Held]) -> None:
        """Not for callers: use `create` or `open`."""
        self._path = path
        self._generation = generation
        self._indexes = {kind: index for kind, (index, _) in held.items()}
        descriptors = [descriptor for _, descriptor in held.values()]
        weakref.finalize(self, _close, descriptors)

    @classmethod
    def create(cls, path: str | PathLike[str]) -> HashList:
        """Make an empty list, generation 0; ListError where the path exists already."""
        database.create(_absolute(path))
        return cls.open(path)

    @classmethod
    def open(cls, path: str | PathLike[str], *, generation: int | None = None) -> HashList:
        """Open the newest generation of a list, or the one given while its files are kept.

        Raises ListError where there is no list, IndexFileError where an index is damaged.
        """
        folder = _absolute(path)
        for _ in range(_ATTEMPTS):
            found = database.ask(folder, partial(_at, folder, generation))
            held: dict[str, _Held] = {}
            try:
                for segment in found.segments.values():
                    held[segment.kind] = _hold(folder, segment)
                return cls(folder, found, held)
            except FileNotFoundError:
                # An import made it old and swept it after we had read its name: look again.
                _close([descriptor for _, descriptor in held.values()])
            except BaseException:
                _close([descriptor for _, descriptor in held.values()])
                raise
            if database.ask(folder, partial(_at, folder, None)).number == found.number:
                raise IndexFileError(f"{folder} has lost an index file of its newest generation")
            if generation is not None:
                break
        raise ListError(f"generation {generation} of {folder} is no longer kept; open the newest")

    def __reduce__(self) -> tuple[partial[HashList], tuple[str]]:
        """A pickle opens the same generation again."""
        return partial(HashList.open, generation=self.generation), (str(self._path),)

    def __repr__(self) -> str:
        """Where and which; nothing of its content."""
        return f"<HashList {str(self._path)!r}, generation {self.generation}>"

    @property
    def path(self) -> Path:
        """The list's folder, absolute."""
        return self._path

    @property
    def name(self) -> str:
        """The folder's name without its ending: `known` for `lists/known.list`."""
        return os.fsencode(self._path.stem).decode("utf-8", "replace")

    @property
    def generation(self) -> int:
        """The number of this generation: 0 for a new list; every change raises it."""
        return self._generation.number

    def age_s(self) -> float:
        """Seconds since this generation was made, or, if an import found nothing to change in it
        before this was opened, since that."""
        return max(0.0, time.time() - self._generation.time)

    def refresh(self) -> HashList:
        """The newest generation: this very object where there is nothing newer to tell."""
        newest = database.ask(self._path, partial(_at, self._path, None))
        same = (newest.number, newest.time) == (self.generation, self._generation.time)
        return self if same else HashList.open(self._path)

    def import_file(
        self,
        path: str | PathLike[str],
        *,
        source: str | None = None,
        format: str | None = None,
        strict: bool = False,
    ) -> ImportReport:
        """Import a file into the list on disk: all of it or, with ListError, nothing.

        The format is told by content unless `format` names it (`csv`, `tx`); the source is the
        file's name without its ending unless given. A row that cannot be read is set aside and
        reported; with `strict` the first one refuses the file. This object stays as it is:
        `refresh` gives the new generation.
        """
        return importing.import_file(
            self._path, Path(path), source=source, format=format, strict=strict
        )

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many distinct values can be searched, by kind; kinds without any are left out."""
        return MappingProxyType({kind: len(index) for kind, index in self._indexes.items()})

    @property
    def matchable(self) -> bool:
        """Whether any record is confirmed or disputed, so that a match is possible at all."""
        return any(self._generation.states.get(state, 0) for state in MATCHING)

    def can_match(self, kind: str, *, floor: int = 0) -> bool:
        """Whether a hash of that kind can make a match at all: whether a confirmed or disputed
        record holds one that is searched, with a quality of at least `floor` or none recorded.
        """
        found = kind_named(kind)
        if kind not in self._indexes:
            return False
        return database.ask(
            self._path,
            lambda connection: records.can_match(connection, found, floor, self.generation),
        )

    def search(
        self, kind: str, codes: NDArray[np.uint8], *, radius: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """Values of a perceptual kind within `radius` bits of each code, as CSR arrays.

        `codes` is uint8 (q, bits / 8), or one code. Hits of query i are rows[offsets[i] :
        offsets[i + 1]], with their distances in bits; `holders` tells whose they are.
        """
        if not kind_named(kind).perceptual:
            raise HashError(f"{kind} has no distances to search by; use lookup")
        index = self._indexes.get(kind)
        if not isinstance(index, HammingIndex):
            rows = np.empty(0, np.int64)
            return _no_offsets(kind_named(kind), codes), rows, np.empty(0, np.uint16)
        return index.search(codes, radius=radius)

    def lookup(
        self, kind: str, values: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of equal values of a digest kind, as CSR arrays: see `search`."""
        if not kind_named(kind).digest:
            raise HashError(f"{kind} is not a digest; use search")
        index = self._indexes.get(kind)
        if not isinstance(index, DigestIndex):
            return _no_offsets(kind_named(kind), values), np.empty(0, np.int64)
        return index.search(values)

    def holders(
        self, kind: str, rows: Sequence[int] | NDArray[np.int64]
    ) -> list[tuple[Record, ...]]:
        """The records of this generation that hold the value of each row, by source and entry.

        Their `quality` is the recorded one of that value. Withdrawn records hold nothing.
        """
        if not len(rows):
            return []
        found = kind_named(kind)
        index = self._indexes.get(kind)
        if index is None:
            raise HashError(f"the list holds no {kind} to have rows")
        codes = segments.codes_of(index)
        values = [codes[row].tobytes() for row in rows]
        by_value = database.ask(
            self._path,
            lambda connection: records.holders(connection, found, values, self.generation),
        )
        return [by_value[value] for value in values]

    def warm(self) -> None:
        """Read the index files once, so that the first searches find them in memory."""
        for index in self._indexes.values():
            # One byte of each page is enough to bring it in.
            segments.codes_of(index).reshape(-1)[:: mmap.PAGESIZE].max(initial=0)

    def info(self) -> ListInfo:
        """Counts by state, source and kind, and what the list can reach; reads all records."""
        return database.ask(
            self._path, lambda connection: info.gather(connection, self._path, self._generation)
        )


_Held = tuple[HammingIndex | DigestIndex, int]


def _absolute(path: str | PathLike[str]) -> Path:
    return Path(os.path.abspath(path))


def _at(folder: Path, number: int | None, connection: sqlite3.Connection) -> Generation:
    connection.execute("BEGIN")  # both questions see one state of the database
    return generations.at(connection, folder, number)


def _hold(folder: Path, segment: generations.Segment) -> _Held:
    path = folder / database.SEGMENTS / segment.file
    descriptor = generations.hold(path)
    try:
        kind = kind_named(segment.kind)
        index = segments.open_index(path, kind)
        if len(index) != segment.rows or segments.codes_of(index).shape[1] != kind.size:
            raise IndexFileError(f"{path} does not hold what the list says")
        return index, descriptor
    except BaseException:
        _close([descriptor])
        raise


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _no_offsets(kind: HashKind, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The offsets of an answer without hits; HashError where the codes have the wrong form."""
    if codes.dtype != np.uint8 or codes.ndim not in (1, 2) or codes.shape[-1] != kind.size:
        raise HashError(f"{kind.name} codes are uint8 of shape (n, {kind.size})")
    return np.zeros(len(np.atleast_2d(codes)) + 1, np.int64)
