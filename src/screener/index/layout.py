"""The layout of an index file: named arrays ("sections"), written atomically and mapped to read.

`docs/internals/format.md` describes it byte by byte. Opening checks the header, the directory and
every bound in milliseconds and reads no section; `Sections.verify` reads them all.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import stat
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener.errors import IndexFileError
from screener.system import files, locks
from screener.system.installation import __version__

Array = npt.NDArray[Any]
Identity = tuple[tuple[str, int, int], ...]

MAGIC: Final = b"\x89SCRN\r\n\x1a"
VERSION: Final = 1
ALIGNMENT: Final = 4096

# Magic, version, number of sections, content, writer's version, file length, checksums of the
# directory and of the header up to here.
_HEADER: Final = struct.Struct("<8sII16s16sQII")
# Name, type of the elements, dimensions, checksum, shape (2), offset, length.
_ENTRY: Final = struct.Struct("<16s8sIIQQQQ")
_MOST_SECTIONS: Final = 256
_DTYPES: Final = {"u1", "u2", "u4", "u8", "i8"}
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,15}")


@dataclass(frozen=True)
class Section:
    """The place and the form of one array in the file."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    length: int
    checksum: int


@dataclass(frozen=True)
class Sections:
    """An open index file: read-only arrays by name, backed by the mapped file.

    `path` is the caller's path, `absolute` the same from the root on. The file is locked as long as
    it is mapped: see `locks.open_locked`.
    """

    path: Path
    absolute: str
    directory: Mapping[str, Section]
    _bytes: mmap.mmap | npt.NDArray[np.uint8]
    _mapped: mmap.mmap

    def array(self, name: str, *, dtype: str, dimensions: int) -> Array:
        """Return a section; IndexFileError if it is absent or has another form."""
        section = self.directory.get(name)
        if section is None:
            raise IndexFileError(f"{self.path}: has no section {name!r}")
        if section.dtype != np.dtype("<" + dtype) or len(section.shape) != dimensions:
            raise IndexFileError(f"{self.path}: section {name!r} has an unexpected form")
        if section.length == 0:
            empty = np.empty(section.shape, section.dtype)
            empty.flags.writeable = False
            return empty
        count = section.length // section.dtype.itemsize
        flat = np.frombuffer(self._bytes, section.dtype, count, section.offset)
        return flat.reshape(section.shape)

    @property
    def identity(self) -> Identity:
        """Return the name, length and checksum of each section, which identify the content."""
        return tuple((one.name, one.length, one.checksum) for one in self.directory.values())

    @property
    def size(self) -> int:
        """Return the length of the file."""
        return len(self._bytes)

    def copied_to(self, memory: npt.NDArray[np.uint8]) -> Sections:
        """Return the sections in `memory` of that size, made read-only; the file stays locked."""
        memory[:] = np.frombuffer(self._bytes, np.uint8)
        # The mapping is not read any more. Fails for pages that a program locked in memory.
        with contextlib.suppress(AttributeError, OSError):
            self._mapped.madvise(mmap.MADV_DONTNEED)
        memory.flags.writeable = False
        return replace(self, _bytes=memory)

    def verify(self) -> None:
        """Read the whole file; IndexFileError names the section whose checksum differs."""
        view = np.frombuffer(self._bytes, np.uint8).data
        end = _HEADER.size + _ENTRY.size * len(self.directory)
        for section in self.directory.values():
            if bytes(view[end : section.offset]).strip(b"\0"):
                raise IndexFileError(f"{self.path}: the gap before {section.name!r} is damaged")
            end = section.offset + section.length
            if zlib.crc32(view[section.offset : end]) != section.checksum:
                raise IndexFileError(f"{self.path}: section {section.name!r} is damaged")


def check_index(sections: Sections | None, check: Callable[[], None]) -> None:
    """Check the checksums of the index's file, if it has one, and its arrays.

    An IndexFileError of either names the file.
    """
    if sections is not None:
        sections.verify()
    try:
        check()
    except IndexFileError as error:
        where = "the index" if sections is None else sections.path
        raise IndexFileError(f"{where}: {error}") from None


def write_sections(
    path: str | os.PathLike[str], content: str, sections: Mapping[str, Array]
) -> None:
    """Write arrays of one or two dimensions to a file with `content`, such as "hamming".

    The write is atomic, and only the owner may read the file. Processes that have mapped a file of
    that name keep the old one. Raises IndexFileError if the path is a folder, a device or a pipe,
    OSError if it cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise IndexFileError(f"{path}: is not a regular file; choose another path")
    arrays = {name: _storable(name, array) for name, array in sections.items()}
    disk, preamble = files.current, _preamble(content, arrays)
    with files.write_atomically(path) as (handle,):
        disk.write(handle, preamble)
        end = len(preamble)
        for array in arrays.values():
            disk.write(handle, bytes(-end % ALIGNMENT))
            disk.write(handle, _raw(array))
            end += -end % ALIGNMENT + array.nbytes


def open_sections(path: str | os.PathLike[str], content: str) -> Sections:
    """Map an index file with `content`, and check all but the sections themselves.

    The file is locked as long as it is mapped, by the descriptor of the mapping. Raises
    IndexFileError for a file that is not ours, is damaged, cut short or too long, has other content
    or was written by a newer version; OSError if it cannot be opened.
    """
    path = Path(path)
    with open(path, "rb", opener=locks.open_locked) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise IndexFileError(f"{path}: is not a file")
        header = file.read(_HEADER.size)
        _check_origin(path, header)
        count, actual, directory_checksum = _read_header(path, header, status.st_size)
        if actual != content:
            raise IndexFileError(f"{path}: holds {actual!r}, not {content!r}")
        raw = file.read(count * _ENTRY.size)
        if len(raw) != count * _ENTRY.size or zlib.crc32(raw) != directory_checksum:
            raise IndexFileError(f"{path}: the directory is damaged")
        directory = _read_directory(path, raw, status.st_size)
        mapped = mmap.mmap(file.fileno(), status.st_size, access=mmap.ACCESS_READ)
    return Sections(path, os.path.abspath(path), directory, mapped, mapped)


def _storable(name: str, array: Array) -> Array:
    """Return a contiguous, little-endian array; ValueError for an unknown type."""
    stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    if stored.dtype.str[1:] not in _DTYPES or stored.ndim not in (1, 2):
        raise ValueError(f"section {name!r}: {stored.ndim} dimensions of {stored.dtype}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a section name: {name!r}")
    return stored


def _raw(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _preamble(content: str, arrays: Mapping[str, Array]) -> bytes:
    end = _HEADER.size + _ENTRY.size * len(arrays)
    entries = bytearray()
    for name, array in arrays.items():
        offset = end + -end % ALIGNMENT
        end = offset + array.nbytes
        shape = (*array.shape, 0)[:2]
        entries += _ENTRY.pack(
            name.encode("ascii"),
            array.dtype.str[1:].encode("ascii"),
            array.ndim,
            zlib.crc32(_raw(array)),
            *shape,
            offset,
            array.nbytes,
        )
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        len(arrays),
        content.encode("ascii"),
        __version__.encode("ascii")[:16],
        end,
        zlib.crc32(entries),
        0,
    )[:-4]
    return header + struct.pack("<I", zlib.crc32(header)) + bytes(entries)


def _check_origin(path: Path, header: bytes) -> None:
    if header[: len(MAGIC)] != MAGIC:
        raise IndexFileError(f"{path}: is not a screener index file")
    version = int.from_bytes(header[8:12], "little")
    if version > VERSION:
        raise IndexFileError(
            f"{path}: was written in format version {version} by a newer screener;"
            f" this one reads up to version {VERSION}; upgrade screener to open it"
        )


def _read_header(path: Path, header: bytes, size: int) -> tuple[int, str, int]:
    """Return the number of sections, the content and the directory's checksum."""
    if len(header) != _HEADER.size or zlib.crc32(header[:-4]) != int.from_bytes(
        header[-4:], "little"
    ):
        raise IndexFileError(f"{path}: the header is damaged")
    _, version, count, content, _, length, checksum, _ = _HEADER.unpack(header)
    if version != VERSION or count > _MOST_SECTIONS:
        raise IndexFileError(f"{path}: the header is damaged: version {version}, {count} sections")
    if length != size:
        state = "cut short" if size < length else "too long"
        raise IndexFileError(f"{path}: is {state}: {size} bytes, not {length}")
    return count, _text(path, content), checksum


def _read_directory(path: Path, raw: bytes, size: int) -> dict[str, Section]:
    """Return the sections; each must lie where the layout puts it, and the last end the file."""
    directory: dict[str, Section] = {}
    end = _HEADER.size + len(raw)
    for fields in _ENTRY.iter_unpack(raw):
        section = _read_entry(path, fields)
        if section.offset != end + -end % ALIGNMENT or section.name in directory:
            raise IndexFileError(f"{path}: section {section.name!r} is out of place")
        end = section.offset + section.length
        directory[section.name] = section
    if end != size:
        raise IndexFileError(f"{path}: the sections do not fill the file")
    return directory


def _read_entry(path: Path, fields: tuple[Any, ...]) -> Section:
    """Return one entry of the directory, whose length must be that of its shape."""
    raw_name, raw_dtype, dimensions, checksum, rows, columns, offset, length = fields
    name, code = _text(path, raw_name), _text(path, raw_dtype)
    if code not in _DTYPES or dimensions not in (1, 2) or (dimensions == 1 and columns):
        raise IndexFileError(f"{path}: section {name!r} has an unknown form")
    dtype = np.dtype("<" + code)
    shape = (rows,) if dimensions == 1 else (rows, columns)
    if length != rows * (columns if dimensions == 2 else 1) * dtype.itemsize or rows >= 1 << 62:
        raise IndexFileError(f"{path}: section {name!r} has another length than its shape")
    return Section(name, dtype, shape, offset, length, checksum)


def _text(path: Path, raw: bytes) -> str:
    try:
        return raw.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        raise IndexFileError(f"{path}: is damaged: a name is not ASCII") from None
