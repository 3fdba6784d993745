"""Index files: whole or absent, and no damage to one goes unseen or crashes the reader."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
import struct
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from timing import soonest

from screener.errors import IndexFileError
from screener.index.layout import Sections, open_sections, write_sections
from screener.system.files import remove_unlocked

SECTIONS: dict[str, npt.NDArray[np.generic]] = {
    "bytes": np.arange(70, dtype=np.uint8).reshape(7, 10),
    "empty": np.empty((0, 8), np.uint8),
    "numbers": np.array([1, 2**40, 2**63], np.uint64),
    "signed": np.array([-1, 5], np.int64),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file of a few sections."""
    written = tmp_path / "some.idx"
    write_sections(written, "test", SECTIONS)
    return written


def test_round_trip(path: Path) -> None:
    """What was written is read back: values, types, shapes, read-only."""
    opened = open_sections(path, "test")
    opened.verify()
    assert list(opened.directory) == list(SECTIONS)
    for name, array in SECTIONS.items():
        read = opened.array(name, dtype=array.dtype.str[1:], dimensions=array.ndim)
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype
        assert read.shape == array.shape
        assert not read.flags.writeable


def test_big_endian_arrays_are_stored_little_endian(tmp_path: Path) -> None:
    """The order of bytes in the file does not depend on that of the array."""
    write_sections(tmp_path / "a", "test", {"x": np.array([1, 256], ">u4")})
    assert (tmp_path / "a").read_bytes()[-8:] == bytes([1, 0, 0, 0, 0, 1, 0, 0])


def test_the_file_is_laid_out_as_documented(path: Path) -> None:
    """Fields have the places of docs/internals/format.md, read here without the library."""
    raw = path.read_bytes()
    assert raw[:8] == b"\x89SCRN\r\n\x1a"
    version, count = struct.unpack_from("<II", raw, 8)
    assert (version, count) == (1, len(SECTIONS))
    assert raw[16:32].rstrip(b"\0") == b"test"
    length, directory_sum, header_sum = struct.unpack_from("<QII", raw, 48)
    assert length == len(raw)
    assert header_sum == zlib.crc32(raw[:60])
    assert directory_sum == zlib.crc32(raw[64 : 64 + 64 * count])
    name, dtype, dimensions, checksum, rows, columns, offset, size = struct.unpack_from(
        "<16s8sIIQQQQ", raw, 64
    )
    assert (name.rstrip(b"\0"), dtype.rstrip(b"\0"), dimensions) == (b"bytes", b"u1", 2)
    assert (rows, columns, size) == (7, 10, 70)
    assert offset == 4096
    assert raw[offset : offset + size] == bytes(range(70))
    assert checksum == zlib.crc32(bytes(range(70)))


def read_all(path: Path) -> Sections:
    """Open and verify, as a careful reader does."""
    opened = open_sections(path, "test")
    opened.verify()
    return opened


def test_any_changed_byte_is_noticed(path: Path) -> None:
    """A byte changed anywhere, in header, directory, gap or section, is refused or found."""
    raw = path.read_bytes()
    meaningful = [at for at in range(len(raw)) if raw[at] or at < 400 or at % 4096 < 80]
    gaps = range(400, len(raw), 97)
    for at in sorted({*meaningful, *gaps}):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(raw)
            damaged[at] ^= flip
            path.write_bytes(damaged)
            with pytest.raises(IndexFileError):
                read_all(path)


def test_changes_in_header_and_directory_are_noticed_at_open(path: Path) -> None:
    """What open relies on is checked at open, without reading any section."""
    raw = path.read_bytes()
    for at in range(64 + 64 * len(SECTIONS)):
        damaged = bytearray(raw)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(IndexFileError):
            open_sections(path, "test")


def test_truncated_anywhere_is_refused_at_open(path: Path) -> None:
    """A file cut short at any length, down to nothing, is refused at open."""
    raw = path.read_bytes()
    for length in {*range(400), *range(400, len(raw), 211), len(raw) - 1}:
        path.write_bytes(raw[:length])
        with pytest.raises(IndexFileError):
            open_sections(path, "test")


def test_longer_file_is_refused_at_open(path: Path) -> None:
    """Bytes after the end are refused too: they are no part of what was written."""
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(IndexFileError, match="too long"):
        open_sections(path, "test")


def resealed(raw: bytes, change: Callable[[bytearray], None]) -> bytes:
    """The file with a change to its header or directory, and right checksums over them."""
    changed = bytearray(raw)
    change(changed)
    count = int.from_bytes(changed[12:16], "little")
    struct.pack_into("<I", changed, 56, zlib.crc32(changed[64 : 64 + 64 * count]))
    struct.pack_into("<I", changed, 60, zlib.crc32(changed[:60]))
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "layout_code", "value"),
    [
        (64 + 16, "8s", b"f8"),  # an element type that there is not
        (64 + 16, "8s", b"O"),
        (64 + 24, "I", 3),  # dimensions
        (64 + 32, "Q", 8),  # rows
        (64 + 32, "Q", 2**63),
        (64 + 40, "Q", 11),  # columns
        (64 + 48, "Q", 0),  # offset: over the header
        (64 + 48, "Q", 8192),
        (64 + 48, "Q", 2**64 - 1),
        (64 + 56, "Q", 2**64 - 1),  # length
        (64 + 64, "16s", b"bytes"),  # a name twice
        (64, "16s", b"\xff"),
        (12, "I", 3),  # sections: one fewer than fill the file
        (12, "I", 5),
        (12, "I", 2**32 - 1),
        (8, "I", 0),  # version
    ],
)
def test_well_sealed_nonsense_is_refused(
    path: Path, offset: int, layout_code: str, value: object
) -> None:
    """A directory that leads out of the file is refused even with right checksums."""
    raw = resealed(
        path.read_bytes(), lambda file: struct.pack_into("<" + layout_code, file, offset, value)
    )
    path.write_bytes(raw)
    with pytest.raises(IndexFileError):
        open_sections(path, "test")


def test_a_well_sealed_part_of_a_header_is_refused(path: Path) -> None:
    """A checksum does not make a header of it."""
    start = path.read_bytes()[:40]
    path.write_bytes(start + struct.pack("<I", zlib.crc32(start)))
    with pytest.raises(IndexFileError, match="the header is damaged"):
        open_sections(path, "test")


def test_newer_version_says_so(path: Path) -> None:
    """A file of a newer version is refused with that reason, whatever its content."""
    path.write_bytes(path.read_bytes()[:8] + b"\x02\0\0\0 any other header")
    with pytest.raises(IndexFileError, match="format version 2 by a newer screener"):
        open_sections(path, "test")


@pytest.mark.parametrize("raw", [b"", b"x", b"\x89PNG\r\n\x1a\n" + bytes(100), b"hash,type\n" * 50])
def test_another_file_says_so(tmp_path: Path, raw: bytes) -> None:
    """Any other file is refused, since it is not ours."""
    (tmp_path / "other").write_bytes(raw)
    with pytest.raises(IndexFileError, match="is not a screener index file"):
        open_sections(tmp_path / "other", "test")


def test_other_content_says_so(path: Path) -> None:
    """A file that holds something else is refused, and both are named."""
    with pytest.raises(IndexFileError, match="holds 'test', not 'hamming'"):
        open_sections(path, "hamming")


def test_absent_files_and_folders(tmp_path: Path) -> None:
    """What cannot be opened raises OSError as ever, a device is refused."""
    with pytest.raises(FileNotFoundError):
        open_sections(tmp_path / "absent", "test")
    with pytest.raises(IsADirectoryError):
        open_sections(tmp_path, "test")
    with pytest.raises(IndexFileError, match="is not a file"):
        open_sections("/dev/null", "test")


@pytest.mark.parametrize("copied", [False, True])
def test_a_file_is_held_by_one_descriptor_as_long_as_it_is_open(path: Path, copied: bool) -> None:
    """A file stays for others to open as long as a list has it mapped or copied; one array of it is
    enough.
    """

    def open_here() -> int:
        links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
        return sum(link.exists() and link.samefile(path) for link in links)

    opened = open_sections(path, "test")
    if copied:
        opened = opened.copied_to(np.empty(opened.size, np.uint8))
    read = opened.array("bytes", dtype="u1", dimensions=2)
    assert read.tolist() == SECTIONS["bytes"].tolist()
    assert open_here() == 1
    kept: list[object] = [read] if not copied else [opened]
    del opened, read
    remove_unlocked(path)
    assert path.exists()
    kept.clear()
    assert open_here() == 0
    remove_unlocked(path)
    assert not path.exists()


def test_a_file_that_somebody_has_locked_is_opened_at_once(path: Path) -> None:
    """A program may be run under `flock codes.idx`, and opens that very file."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        asking = threading.Thread(target=open_sections, args=(path, "test"), daemon=True)
        asking.start()
        asking.join(10)
        assert not asking.is_alive()


def test_a_file_without_a_name_is_opened_by_its_descriptor(path: Path) -> None:
    """It is not gone, as one is that was swept while it was opened."""
    with path.open("rb") as file:
        path.unlink()
        opened = open_sections(f"/proc/self/fd/{file.fileno()}", "test")
    assert opened.array("bytes", dtype="u1", dimensions=2).tolist() == SECTIONS["bytes"].tolist()


def test_a_file_is_copied_also_where_its_pages_are_locked_in_memory(path: Path) -> None:
    """By a program that has all of its memory so: the system lets go of none then."""

    class Locked:
        def madvise(self, _: int) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    opened = replace(open_sections(path, "test"), _mapped=cast(mmap.mmap, Locked()))
    copied = opened.copied_to(np.empty(opened.size, np.uint8))
    assert copied.array("bytes", dtype="u1", dimensions=2).tolist() == SECTIONS["bytes"].tolist()


def test_a_pipe_is_refused_without_waiting_on_it(tmp_path: Path) -> None:
    """Nobody writes into it, and whoever opens it as a file is held until somebody does."""
    os.mkfifo(tmp_path / "pipe")
    told: list[str] = []

    def ask() -> None:
        with pytest.raises(IndexFileError) as refused:
            open_sections(tmp_path / "pipe", "test")
        told.append(str(refused.value))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(10)
    assert told == [f"{tmp_path / 'pipe'}: is not a file"]


@pytest.mark.parametrize(
    ("name", "dtype", "dimensions"), [("absent", "u1", 2), ("bytes", "u2", 2), ("bytes", "u1", 1)]
)
def test_sections_of_another_form_are_refused(
    path: Path, name: str, dtype: str, dimensions: int
) -> None:
    """A section that is absent or of another type or shape than expected is refused."""
    with pytest.raises(IndexFileError):
        open_sections(path, "test").array(name, dtype=dtype, dimensions=dimensions)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.zeros(3, np.float64)),
        ("x", np.zeros((1, 1, 1), np.uint8)),
        ("Upper", np.zeros(1, np.uint8)),
        ("a-name-of-17-char", np.zeros(1, np.uint8)),
    ],
)
def test_what_cannot_be_stored_is_refused(
    tmp_path: Path, name: str, array: npt.NDArray[np.generic]
) -> None:
    """Other element types, shapes and names are refused and leave nothing behind."""
    with pytest.raises(ValueError, match="section"):
        write_sections(tmp_path / "a", "test", {name: array})
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_a_file_is_replaced(tmp_path: Path) -> None:
    """A pipe or a device of that name stays: a root user's /dev/null would be a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for taken in (pipe, tmp_path):
        with pytest.raises(IndexFileError, match="is not a regular file"):
            write_sections(taken, "test", SECTIONS)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_write_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A write that fails before its end leaves the file of that name, and nothing beside it; the
    error has the name, once.
    """
    before = path.read_bytes()

    def fails(what: object, to: object = None) -> None:
        raise OSError(28, "No space left on device", *([] if to is None else [what, None, to]))

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(OSError, match="No space left") as told:
        write_sections(path, "test", {"x": np.zeros(5, np.uint8)})
    assert str(told.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_cannot_begin_names_the_file(tmp_path: Path) -> None:
    """And not the one of a passing name that it would be at first, which nobody asked for."""
    with pytest.raises(FileNotFoundError) as told:
        write_sections(tmp_path / "gone" / "a", "test", SECTIONS)
    assert told.value.filename == str(tmp_path / "gone" / "a")


def test_written_in_the_order_that_survives_a_power_cut(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file reaches the disk before it takes its name, and the name after that."""
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def noted_replace(source: str, target: Path) -> None:
        steps.append("rename")
        assert os.stat(source).st_mode & 0o777 == 0o600
        assert Path(source).parent == Path(target).parent
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_sections(path, "test", SECTIONS)
    assert steps == ["file", "rename", "folder"]


def test_open_does_not_read_the_sections(tmp_path: Path) -> None:
    """Opening takes milliseconds, however large the file: here one of 2 GB, all of it a hole."""
    path = tmp_path / "large.idx"
    rows = 2**31 // 32
    write_sections(path, "test", {"codes": np.zeros((1, 32), np.uint8)})

    def enlarge(file: bytearray) -> None:
        struct.pack_into("<Q", file, 48, 4096 + rows * 32)
        struct.pack_into("<Q", file, 64 + 32, rows)
        struct.pack_into("<Q", file, 64 + 56, rows * 32)

    path.write_bytes(resealed(path.read_bytes(), enlarge))
    os.truncate(path, 4096 + rows * 32)

    def opening() -> float:
        start = time.perf_counter()
        open_sections(path, "test")
        return time.perf_counter() - start

    assert soonest(opening, within=0.5) < 0.5
    opened = open_sections(path, "test")
    assert opened.array("codes", dtype="u1", dimensions=2).shape == (rows, 32)
