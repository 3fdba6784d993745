"""Our files and folders are whole, and for their owner alone, whatever the umask."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest
from list_values import putting, value

from screener import HammingIndex, HashList, output
from screener.hotline.casebook import case_database
from screener.lists.store import match_counts
from screener.scanning.cache.hash_cache import HashCache
from screener.system import files
from screener.system.files import open_private


@pytest.fixture(params=[0o777, 0o277, 0])
def umask(request):
    """Umasks that take all rights, one that takes the owner's to write, and one that takes none."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_what_is_made_can_be_opened_again_by_its_owner(tmp_path, umask):
    """A list with its index and its counts, an export, a cache, results, an index, a casebook:
    files are 0600 and folders 0700, those that SQLite makes beside its own among them.
    """
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "file.csv"
    os.close(open_private(file, os.O_CREAT | os.O_WRONLY))
    putting(known, tmp_path)(f"id,md5\n1,{value(1)}")
    known = known.refresh()
    known.export(tmp_path / "out.csv", format="csv", audience="own")
    match_counts.count(known.path, [("demo", "1", "md5")])
    cache = HashCache.open(tmp_path / "hashes.cache")
    with output.open_jsonl(tmp_path / "results.jsonl"):
        pass
    HammingIndex.build(np.zeros((2, 8), np.uint8)).save(tmp_path / "codes.idx")
    case_database.create(tmp_path)

    modes = {
        path.relative_to(tmp_path): oct(stat.S_IMODE(path.stat().st_mode))
        for path in tmp_path.rglob("*")
    }
    cache.__exit__(None)
    assert {path: mode for path, mode in modes.items() if mode not in ("0o600", "0o700")} == {}
    assert len(modes) > 12


def test_a_file_that_holds_something_keeps_its_mode(tmp_path):
    """Only the owner decides who may read a file that has content."""
    path = tmp_path / "file"
    path.write_text("held")
    path.chmod(0o400)
    os.close(open_private(path, os.O_CREAT | os.O_RDONLY))
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_a_list_is_made_on_a_disk_that_keeps_no_modes(tmp_path, monkeypatch):
    """Some disks refuse to change a mode; if the owner has the rights, none needs changing."""

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    assert HashList.create(tmp_path / "known.list").kinds == {}


def test_new_files_appear_together_or_not_at_all(tmp_path):
    """If the body fails, the old files stay; no temporary file remains in either case."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"old")

    with pytest.raises(ZeroDivisionError), files.write_atomically(one, other) as handles:
        files.current.write(handles[0], bytes(1 // 0))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]

    with files.write_atomically(one, other) as handles:
        for handle in handles:
            files.current.write(handle, b"new")
        assert one.read_bytes() == b"old"
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"new", b"new"]


@pytest.mark.parametrize("call", ["create", "write", "sync", "rename"])
def test_an_error_names_the_path_and_not_the_temporary_file(tmp_path, monkeypatch, call):
    """A full disk may be noticed by any call; the old file stays."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(files.current, call, full)
    with (
        pytest.raises(OSError, match=f"No space left on device: '{path}'$"),
        files.write_atomically(path) as (handle,),
    ):
        files.current.write(handle, b"new")

    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_exists_is_not_replaced_unless_asked(tmp_path, monkeypatch, links):
    """On a disk without links, too; a new file appears whole."""
    if not links:

        def refuse(*_, **__):
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "file"
    for content in (b"first", b"second"):
        refused = pytest.raises(FileExistsError) if path.exists() else contextlib.nullcontext()
        with refused, files.write_atomically(path, replace=False) as (handle,):
            files.current.write(handle, content)

    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"first"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    """A failed body leaves no folder, and an existing one is refused."""
    path = tmp_path / "folder"
    with pytest.raises(ZeroDivisionError), files.make_folder_atomically(path) as fresh:
        (fresh / "file").write_bytes(bytes(1 // 0))
    assert list(tmp_path.iterdir()) == []

    with files.make_folder_atomically(path) as fresh:
        (fresh / "file").touch()
        assert not path.exists()
    assert [one.name for one in path.iterdir()] == ["file"]
    with pytest.raises(FileExistsError), files.make_folder_atomically(path):
        pass


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    """Its own temporary files, not those of a live writer or of another program."""
    writer = "import os, sys; from pathlib import Path; from screener.system import files\n"
    writer += "with files.write_atomically(Path(sys.argv[1]) / 'out') as (handle,):\n"
    writer += "    files.current.write(handle, b'half'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", writer, tmp_path], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == b"half"
    (tmp_path / ".screener.other.tmp").touch()

    with files.write_atomically(tmp_path / "one"), files.write_atomically(tmp_path / "two"):
        assert not left.exists()
        assert len(list(tmp_path.iterdir())) == 3

    assert {path.name for path in tmp_path.iterdir()} == {".screener.other.tmp", "one", "two"}


@pytest.mark.parametrize("forked", [False, True])
def test_a_new_file_is_not_locked_any_more(tmp_path, forked):
    """Even if a process that was forked during the write has its descriptors."""
    child = 0
    with files.write_atomically(tmp_path / "one"):
        if forked and not (child := os.fork()):
            os.kill(os.getpid(), signal.SIGSTOP)
    try:
        files.remove_unlocked(tmp_path / "one")
        assert list(tmp_path.iterdir()) == []
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
