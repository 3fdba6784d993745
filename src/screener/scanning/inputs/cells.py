"""The cells of a column of bytes in Parquet files, each of which is an input."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.errors import MediaError, some
from screener.media.files.limits import Limits
from screener.media.files.open_file import OpenFile
from screener.media.name import Name, name_of, name_of_bytes
from screener.media.remote.copying import MAX_MEMORY_BYTES
from screener.scanning.inputs.bell import Bell
from screener.scanning.inputs.content import Content, RemoteContent, UnreadableContent
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.result_lines import PARQUET_MAGIC
from screener.system.installation import is_available, make_missing_error
from screener.system.private_copy import PrivateCopy

_BATCH_BYTES = 16 << 20
_MAX_BATCH_ROWS = 4096
_MAX_DICTIONARY_ROWS = 32
_BUFFER_BYTES = 1 << 20
_HASH_KEY = os.urandom(16)  # so that nobody can make two ids with one hash


@dataclass(frozen=True)
class Column:
    """The columns to read: of bytes, and of ids that name the rows, if there is one.

    A name with dots is a field of a structure, as `image.bytes`.
    """

    data: str
    id: str | None = None


class Cell:
    """A cell's bytes, which are copied when a worker is to get them."""

    disk = 0
    ready = True

    def __init__(self, name: Name, buffer: Any) -> None:
        self._name = name
        self._buffer = buffer
        self._copy: PrivateCopy | None = None
        self.memory = name.size or 0

    def identify(self) -> Name:
        """Return its name, with its size and the file's time."""
        return self._name

    def start(self, bell: Bell, limits: Limits, seconds: float) -> None:
        """Do nothing."""

    def take(self) -> tuple[Name, str | MediaError]:
        """Return its name and the path of a copy."""
        try:
            self._copy = PrivateCopy(on_disk=self.memory > MAX_MEMORY_BYTES)
            self._copy.write(self._buffer)
            self._copy.seal()
        except OSError as error:
            return self._name, MediaError("unreadable", f"no room for a copy: {error.strerror}")
        self._buffer = None
        return self._name, self._copy.path

    def close(self) -> None:
        """Free the copy."""
        if self._copy is not None:
            self._copy.close()


def find_cells(
    files: Iterator[FoundFile | Content | Awaited], column: Column, bell: Bell
) -> Iterator[FoundFile | Content | Awaited]:
    """Yield the cells of the files, and Awaited while a batch of rows is read.

    Each row is one input. A file that is no Parquet file, or has no such column, is one unreadable
    input, and so is what follows a place where a file is damaged. Other files whose names begin
    with `_` or `.`, which programs leave beside Parquet files, are passed over.
    """
    seen = _SeenIds()
    for file in files:
        if isinstance(file, FoundFile):
            yield from _read(_Table(file.path, name_of(file.path), column), seen, bell)
        elif isinstance(file, RemoteContent):
            yield from _read(_Table(file, file.identify(), column), seen, bell)
        else:
            yield file


def _read(table: _Table, seen: _SeenIds, bell: Bell) -> Iterator[Content | Awaited]:
    """Yield the cells of a file. Another thread reads the batches."""
    groups = _gather(table.read_batches())
    with ThreadPoolExecutor(1) as reader:
        while True:
            coming: Future[list[_Batch] | None] = reader.submit(next, groups, None)
            coming.add_done_callback(lambda _: bell.ring())
            while not coming.done():
                yield bell.awaited
            if (group := coming.result()) is None:
                return
            for is_error, run in groupby(group, lambda one: isinstance(one.rows, MediaError)):
                if is_error:
                    yield from (UnreadableContent(table.name, batch.rows) for batch in run)
                else:
                    yield from _make_cells(table, list(run), seen)


def _gather(batches: Iterator[_Batch]) -> Iterator[list[_Batch]]:
    """Yield batches in groups of `_BATCH_BYTES`, since to wait for another thread takes time."""
    group: list[_Batch] = []
    size = count = 0
    for batch in batches:
        group.append(batch)
        if not isinstance(batch.rows, MediaError):
            size, count = size + batch.rows.nbytes, count + len(batch.rows)
        if size >= _BATCH_BYTES or count >= _MAX_BATCH_ROWS:
            yield group
            group, size, count = [], 0, 0
    if group:
        yield group


def _make_cells(table: _Table, batches: list[_Batch], seen: _SeenIds) -> Iterator[Content]:
    names = iter(_name_rows(table, batches, seen))
    time = table.name.mtime_ns
    for batch in batches:
        for value in table.select(batch.rows, table.column.data):
            buffer = value.as_buffer() if value.is_valid else None
            name = name_of_bytes(next(names), None if buffer is None else buffer.size, time)
            if buffer is None:
                yield UnreadableContent(name, MediaError("unreadable", "the cell is null"))
            else:
                yield Cell(name, buffer)


def _name_rows(table: _Table, batches: list[_Batch], seen: _SeenIds) -> list[bytes]:
    """Return the ids of rows, or else their numbers; each name once, even if an id is forged."""
    file = table.name.as_bytes
    numbers = [number for one in batches for number in range(one.first, one.first + len(one.rows))]
    if table.column.id is None:
        return [b"%b#%d" % (file, number) for number in numbers]
    ids = [one for batch in batches for one in _read_ids(table.select(batch.rows, table.column.id))]
    is_new = seen.add(ids)
    names = [
        one if new and one is not None else b"%b#%d" % (file, number)
        for one, new, number in zip(ids, is_new, numbers, strict=True)
    ]
    while others := [index for index, new in enumerate(is_new) if not new]:
        for index, new in zip(others, seen.add([names[index] for index in others]), strict=True):
            is_new[index] = new
            if not new:
                names[index] += b"#"
    return names


def _read_ids(column: Any) -> list[bytes | None]:
    """Return ids as bytes, or None for one that is null or has no text."""
    import pyarrow

    for kind in (column.type, pyarrow.binary(), pyarrow.string()):
        try:
            values = column.cast(kind).to_pylist()
        except Exception:  # of Arrow: no UTF-8, or a time that Python has not
            continue
        return [
            one if one is None or isinstance(one, bytes) else str(one).encode() for one in values
        ]
    return [None] * len(column)


class _Batch(NamedTuple):
    """Rows, the first of which has this number, or the error why there are none."""

    first: int
    rows: Any


def _as_media_error(error: Exception) -> MediaError:
    if isinstance(error, MediaError):
        return error.alone()
    return MediaError("unreadable", f"damaged, or could not be read ({type(error).__name__})")


class _Table:
    """A Parquet file, by its path or as an object in a store."""

    def __init__(self, file: str | RemoteContent, name: Name, column: Column) -> None:
        self._file = file
        self.name = name
        self.column = column

    def read_batches(self) -> Iterator[_Batch]:
        """Yield the rows in batches, and the error of the file or of rows that are damaged."""
        try:
            if not is_available("arrow"):
                raise make_missing_error("arrow", "reading Parquet files")
            with self._open() as stream:
                if stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
                    stream.seek(0)
                    yield from self._read_groups(stream)
                elif not _is_passed_over(os.path.basename(self.name.text or "")):
                    raise MediaError("unsupported", "not a Parquet file, as --column needs")
        except Exception as error:  # of Arrow, or of any library that a store uses
            yield _Batch(0, _as_media_error(error))

    def _read_groups(self, stream: Any) -> Iterator[_Batch]:
        import pyarrow.parquet

        # With a buffer, no row group is in memory as a whole.
        file = pyarrow.parquet.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        columns = [self.column.data, *([self.column.id] if self.column.id else [])]
        for column in columns:
            _check_column(file.schema_arrow, column, is_data=column == self.column.data)
        end = 0
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            first, end = end, end + group.num_rows
            rows = _count_batch_rows(group, self.column.data)
            try:
                for batch in file.iter_batches(
                    rows, row_groups=[number], columns=columns, use_threads=False
                ):
                    yield _Batch(first, batch)
                    first += len(batch)
                if first != end:
                    raise MediaError("unreadable", "the file has fewer rows than it says")
            except Exception as error:  # of Arrow, or of any library that a store uses
                reason = _as_media_error(error)
                detail = f"rows {first} to {end - 1} cannot be read: {reason.detail}"
                yield _Batch(first, MediaError(reason.reason, detail))
        if end != file.metadata.num_rows:
            raise MediaError(
                "unreadable", f"{end} rows found, and it says {file.metadata.num_rows}"
            )

    def _open(self) -> Any:
        import pyarrow

        if isinstance(self._file, str):
            OpenFile(self._file).close()  # which refuses devices and the like
            return pyarrow.OSFile(os.fsencode(self._file))
        return self._file.open()

    def select(self, batch: Any, column: str) -> Any:
        """Return a column of a batch, or the field of a structure."""
        import pyarrow.compute

        if column in batch.schema.names:
            values = batch.column(column)
        else:
            first, *fields = column.split(".")
            values = pyarrow.compute.struct_field(batch.column(first), fields)
        return values.dictionary_decode() if hasattr(values, "dictionary_decode") else values


def _is_passed_over(name: str) -> bool:
    return name.startswith(("_", ".")) and not name.lower().endswith(".parquet")


def _check_column(schema: Any, column: str, *, is_data: bool) -> None:
    """Raise MediaError if a file has no such column, or its data are no bytes."""
    import pyarrow

    names = [column] if column in schema.names else column.split(".")
    fields: Any = schema
    for name in names:
        index = fields.get_field_index(name) if hasattr(fields, "get_field_index") else -1
        if index < 0:
            detail = f"there is no column {column!r}; the columns are {some(schema.names)}"
            raise MediaError("unreadable", detail)
        kind = fields.field(index).type
        fields = kind
    kind = getattr(kind, "value_type", kind)  # of a dictionary
    tests = ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view")
    if is_data and not any(getattr(pyarrow.types, test)(kind) for test in tests):
        raise MediaError("unreadable", f"the column {column!r} has {kind}, not bytes")


def _count_batch_rows(group: Any, column: str) -> int:
    """Return the number of rows of a row group that take about `_BATCH_BYTES`.

    If there is a dictionary, it is less: many rows may have one large value, which the size of the
    column counts once.
    """
    chunks = (group.column(index) for index in range(group.num_columns))
    count, size, most = int(group.num_rows), 0, _MAX_BATCH_ROWS
    for chunk in chunks:
        if chunk.path_in_schema == column:
            size += chunk.total_uncompressed_size
            if any("DICTIONARY" in encoding for encoding in chunk.encodings):
                most = _MAX_DICTIONARY_ROWS
    return min(max(_BATCH_BYTES * count // max(size, 1), 1), most)


class _SeenIds:
    """The ids of rows so far, in 8 bytes each: sorted runs of hashes, each half of the one before.

    Two rows of one id would be one input with two states, of which only the newest would count.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, names: Sequence[bytes | None]) -> list[bool]:
        """Return for each id whether it is the first of its kind."""
        digests = [
            hashlib.blake2b(name or b"", digest_size=8, key=_HASH_KEY).digest() for name in names
        ]
        hashes = np.frombuffer(b"".join(digests), np.uint64)
        unique, first = np.unique(hashes, return_index=True)
        is_new = np.zeros(len(hashes), np.bool_)
        is_new[first] = True
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            is_new &= run[places] != hashes
        self._runs.append(unique)
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) > len(self._runs[-2]):
            self._runs[-2:] = [np.union1d(*self._runs[-2:])]
        return [bool(new) and name is not None for name, new in zip(names, is_new, strict=True)]
