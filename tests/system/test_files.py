"""Our files and folders are for their owner alone, whatever the umask."""

import errno
import os
import stat

import numpy as np
import pytest
from list_values import putting, value

from screener import HammingIndex, HashList, output
from screener.hotline.casebook import database
from screener.lists.store import match_counts
from screener.scanning.cache.hash_cache import HashCache
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
    database.create(tmp_path)

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
