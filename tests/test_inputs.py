"""Inputs: what arguments and standard input mean, and odd files by any way in."""

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command import CALL, screener
from hypothesis import given
from hypothesis import strategies as st

from screener import Screener, scan
from screener.inputs import arguments, count, find, names, places


@pytest.fixture
def tree(tmp_path):
    """A few files and folders."""
    for name in ("a.jpg", "b.png", "c[1].jpg", "c1.jpg", "deep/er/d.jpg", "deep/e.png", ".f.jpg"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


def below(tree, found):
    """Names without their folder."""
    return [os.path.relpath(name, tree) for name in found]


def test_patterns_are_expanded_in_order_and_names_come_first(tree):
    """`*`, `**`, `?`, `[…]`; a file whose name looks like a pattern is itself; a pattern that fits
    nothing is a name; nothing is found twice.
    """

    def given_(*patterns):
        return below(tree, find(arguments([f"{tree}/{one}" for one in patterns], None)))

    assert given_("*.jpg") == [".f.jpg", "a.jpg", "c1.jpg", "c[1].jpg"]
    assert given_("c[1].jpg") == ["c[1].jpg"]
    assert given_("?.png", "[a-b].*") == ["b.png", "a.jpg", "b.png"]
    assert given_("**/*.jpg") == [".f.jpg", "a.jpg", "c1.jpg", "c[1].jpg", "deep/er/d.jpg"]
    assert sorted(given_("**")) == sorted(given_("."))
    assert given_("deep/**") == ["deep/e.png", "deep/er/d.jpg"]
    assert given_("none*", "-") == ["none*", "-"]


@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda b: b"\0" not in b)), st.booleans())
def test_names_are_read_as_find_writes_them(listed, nul):
    """Any names with NULs between; any without line ends, a line each; in pieces of any size."""
    if not nul:
        listed = [name.replace(b"\n", b"-") for name in listed]
    end = b"\0" if nul else b"\n"
    whole = b"".join(name + end for name in listed)

    class Slow(io.RawIOBase):
        """Gives three bytes at a time, as a pipe may."""

        stream = io.BytesIO(whole)

        def read(self, size=-1):
            return self.stream.read(min(3, size) if size > 0 else 3)

    # One name that may have line ends in it, and no NUL behind it, would be lines.
    unended = whole[: -len(end)] if not nul or len(listed) > 1 else whole
    for stream in (io.BytesIO(whole), io.BytesIO(unended), Slow()):
        assert [os.fsencode(name) for name in names(stream)] == listed


def test_a_name_with_line_ends_in_it_does_not_change_how_the_rest_is_read():
    """`find -print0` is known for what it is also if its first names have line ends."""
    odd = b"\n".join([b"x" * 250] * 15)

    assert list(names(io.BytesIO(odd + b"\0b\0"))) == [odd.decode(), "b"]


def test_the_order_of_the_disk_changes_only_the_order(tree):
    """Each file once, each folder's files by their inodes."""
    by_name = list(places(tree))
    by_disk = list(places(tree, by_disk=True))

    assert sorted(by_disk) == sorted(by_name)
    assert [p.inode for p in by_name] == [os.stat(p.path).st_ino for p in by_name]
    files = [p for p in by_disk if Path(p.path).parent == tree]
    assert files == sorted(files, key=lambda p: p.inode)


def test_files_are_counted_as_they_are_found(tmp_path):
    """As many as are found, and those in the order of their names' bytes as text sorts them: names
    that begin alike, control characters, names that are not UTF-8, folders between files, links.
    """
    names = [b"a", b"a\x01", b"a!", b"ab", b"A", b"b\xff", b"b", b"\xc3\xa9", b"d", b"1\n2", b" "]
    for folder in (b"", b"a.d", b"a.d/deep", b"z"):
        within = os.path.join(os.fsencode(tmp_path), folder)
        os.makedirs(within, exist_ok=True)
        for name in names:
            Path(os.fsdecode(os.path.join(within, name))).touch()
    (tmp_path / "loop").symlink_to(tmp_path)

    def walked(folder):
        """The same by recursion."""
        found = []
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            inner = os.path.isdir(path) and not os.path.islink(path)
            found += walked(path) if inner else [path]
        return found

    expected = walked(str(tmp_path))

    assert list(find(tmp_path)) == expected
    assert sorted(place.path for place in places(tmp_path, by_disk=True)) == sorted(expected)
    assert {place.path: place.inode for place in places(tmp_path)} == {
        path: os.lstat(path).st_ino for path in expected
    }
    several = [tmp_path, expected[0], "missing", tmp_path / "loop", tmp_path / "z"]
    assert len(list(count(several))) == len(list(find(several)))


def test_every_odd_file_has_one_result_by_the_command(make_list, tmp_path):
    """From standard input: FIFO, socket, device, loops, a file that is gone, names that are not
    UTF-8 or no names at all.
    """
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    folder = tmp_path / "odd"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "up").symlink_to(folder)
    (folder / "device").symlink_to("/dev/zero")
    (folder / "empty").touch()
    raw = os.fsencode(folder) + b"/caf\xe9\n"
    Path(os.fsdecode(raw)).touch()
    odd = ["device", "fifo", "gone", "loop", "socket", "x" * 5000]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "socket"))
        listed = [os.fsencode(folder / name) for name in ["empty", *odd]]
        call = [*CALL, "scan", "-", "--list", str(known.path), "--jobs", "1"]
        whole = b"\0".join([*listed, raw])
        done = subprocess.run(call, input=whole, capture_output=True, timeout=60)

    assert done.returncode == 3, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(line["input"].removeprefix(f"{folder}/"), line["reason"]) for line in lines]
    unreadable = [(name, "unreadable") for name in odd]
    assert found == [("empty", "empty"), *unreadable, ("caf\ufffd\n", "empty")]
    assert base64.b64decode(lines[-1]["input_base64"]) == raw


CLOSED = """
import os, sys
from screener import Policy
from screener.hashing.hash import KINDS
from screener.hasher import Hasher
from screener.inputs import find
if os.geteuid() == 0:
    os.setuid(65534)
hasher = Hasher(Policy(), (KINDS["md5"],))
for path in find(sys.argv[1]):
    print(os.path.basename(path), hasher.hash(path).trouble.reason)
"""


def test_what_may_not_be_read_is_named(tmp_path):
    """A file and a folder without permissions, as somebody who is not root finds them."""
    tmp_path = Path(tempfile.mkdtemp(dir="/tmp", prefix="screener-"))
    try:
        tmp_path.chmod(0o755)
        (tmp_path / "closed").mkdir(0)
        (tmp_path / "forbidden").touch(0)
        call = [sys.executable, "-c", CLOSED, tmp_path]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60)
    finally:
        (tmp_path / "closed").chmod(0o700)
        shutil.rmtree(tmp_path)

    assert done.stdout.splitlines() == ["closed unreadable", "forbidden unreadable"], done.stderr


def test_files_that_vanish_under_a_scan_have_their_results(make_list, tmp_path):
    """Listed with their folder, and gone when they are opened."""
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}").write_bytes(b"x")
    results = []
    for result in scan(Screener(known), folder, jobs=1):
        results.append(result)
        for path in folder.iterdir():
            path.unlink()

    assert [os.path.basename(r.input) for r in results] == [str(n) for n in range(8)]
    assert {str(r.reason) for r in results[4:]} == {"unreadable"}


def test_progress_is_lines_of_json_where_asked_for(make_list, tmp_path):
    """Counts, rates and reasons at the end at least; nothing else on standard error."""
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    for number in range(5):
        (tmp_path / f"{number}.x").write_bytes(b"x" * number)

    done = screener("scan", f"{tmp_path}/*.x", "--list", known.path, "--json-progress")

    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert told[-1]["done"]
    assert not any(line["done"] for line in told[:-1])
    last = told[-1]
    assert (last["files"], last["total"], last["bytes"], last["match"]) == (5, 5, 10, 0)
    assert last["unscreened"] == {"unsupported": 4, "empty": 1}
    assert last["seconds_left"] == 0
    quiet = screener("scan", tmp_path / "0.x", "--list", known.path)
    assert "files/s" not in quiet.stderr
