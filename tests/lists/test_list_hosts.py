"""A list on its host: permissions, threads, forks, full disks and read-only media."""

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from list_values import hits, value

from screener.lists.hashlist import HashList


def test_only_the_owner_can_read_the_files(known, put):
    """Folders 0700 and files 0600, whatever the umask, also while the list is open."""
    before = os.umask(0)
    try:
        put(f"id,md5,pdq\nx,{value(1)},{value(1, 32)}\n")
        made = HashList.create(known.path.with_name("open.list"))
        with sqlite3.connect(made.path / "records.sqlite") as connection:
            connection.execute("BEGIN IMMEDIATE")
            modes = {
                path: stat.S_IMODE(path.stat().st_mode)
                for hash_list in (known, made)
                for path in (hash_list.path, *hash_list.path.rglob("*"))
            }
        connection.close()
    finally:
        os.umask(before)

    assert len(modes) >= 8
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


FORKED = """
import os, sys
from screener.lists.hashlist import HashList
import numpy as np
one = HashList.open(sys.argv[1])
query = np.frombuffer(bytes.fromhex(sys.argv[2]), np.uint8)
child = os.fork()
entry = one.holders("md5", one.lookup("md5", query)[1])[0][0].entry
if child == 0:
    os._exit(0 if entry == "x" and one.refresh() is one else 1)
print(entry, os.waitpid(child, 0)[1])
"""


def test_a_list_survives_a_fork(known, put):
    """Parent and child both search and read holders."""
    put(f"id,md5\nx,{value(1)}\n")
    call = [sys.executable, "-c", FORKED, known.path, value(1)]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.stdout == "x 0\n", done.stderr


def test_threads_share_a_list(known, put):
    """Many threads search one object and read holders at once."""
    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(200)))
    hash_list, wrong = known.refresh(), []

    def work(start):
        for number in range(start, 200, 8):
            if hits(hash_list, "md5", value(number)) != [("demo", f"e{number}", "confirmed")]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


FULL_DISK = """
import resource, signal, sys
from screener.lists.hashlist import HashList
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
one = HashList.open(sys.argv[1])
_, rows = one.lookup("md5", np.frombuffer(bytes.fromhex(sys.argv[2]), np.uint8))
print(one.holders("md5", rows)[0][0].entry, one.refresh() is one)
try:
    one.import_file(sys.argv[3])
except Exception as error:
    print(type(error).__name__, "nothing changed" in str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")
def test_a_list_on_a_full_disk_can_be_searched(known, put, tmp_path):
    """It matches although SQLite cannot create files beside the database; imports are refused."""
    put(f"id,md5\nx,{value(1)}\n")
    with contextlib.closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        connection.execute("SELECT count(*) FROM records").fetchone()  # the last one tidies up
    assert not (known.path / "records.sqlite-shm").exists()
    (tmp_path / "more.csv").write_text(f"id,md5\ny,{value(2)}\n")
    call = [sys.executable, "-c", FULL_DISK, known.path, value(1), tmp_path / "more.csv"]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.stdout == "x True\nListError True\n", done.stderr


READ_ONLY = """
import os, sys
import urllib.parse  # pathlib's, but from Python 3.13 on not before it is used: no longer readable
from pathlib import Path
from screener.index.digests import DigestIndex
from screener.lists.hashlist import HashList
from screener.lists.importing import import_file  # the other user may not read Python's folder
import numpy as np
folder = Path(sys.argv[1])
if os.getuid() == 0:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    os.setgid(65534); os.setuid(65534)
one = HashList.open(folder)
assert not os.access(folder, os.W_OK)
_, rows = one.lookup("md5", np.frombuffer(bytes.fromhex(sys.argv[2]), np.uint8))
print(one.holders("md5", rows)[0][0].entry, one.info().generation, one.refresh() is one)
try:
    one.import_file(sys.argv[3])
except Exception as error:
    print(type(error).__name__, "nothing changed" in str(error))
"""


def test_a_list_on_read_only_media_can_be_searched(known, put):
    """The list opens and matches, and imports are refused."""
    put(f"id,md5\nx,{value(1)}\n")
    place = Path(os.path.realpath("/tmp")) / f"screener-test-{os.getpid()}.list"
    shutil.copytree(known.path, place)
    extra = place.with_suffix(".csv")
    extra.write_text(f"id,md5\ny,{value(2)}\n")
    extra.chmod(0o644)
    try:
        (place / "segments").chmod(0o500)
        place.chmod(0o500)
        call = [sys.executable, "-c", READ_ONLY, place, value(1), extra]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        names = {path.name for path in place.iterdir()}
    finally:
        extra.unlink()
        place.chmod(0o700)
        (place / "segments").chmod(0o700)
        shutil.rmtree(place)
    assert done.stdout.splitlines() == ["x 1 True", "ListError True"], done.stderr
    assert names == {"lock", "records.sqlite", "segments"}
