"""Inputs: what arguments and standard input mean, and odd files by any way in."""

import base64
import glob
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from command_process import CALL, screener
from hypothesis import given
from hypothesis import strategies as st
from scan_with_accidents import Engine
from slow_names import piped

from screener import HashList, Policy, Screener, scan
from screener.cli.app import cli
from screener.errors import PolicyError
from screener.scanning.inputs.expand import count_files, find_files, locate_files, parse_arguments
from screener.scanning.inputs.listed_names import Awaited, NameStream

NO_PATH = "a path must be text or an os.PathLike of text, not"


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


@pytest.mark.parametrize("wrong", [b"tree", bytearray(b"tree"), 3, None], ids=repr)
def test_what_is_no_path_is_refused_and_not_gone_through(wrong):
    """Bytes are no names, since they would be gone through number by number, or have a Result that
    names nobody; alone they are refused by the call itself.
    """
    with pytest.raises(TypeError, match=NO_PATH):
        scan(None, wrong)
    with pytest.raises(TypeError, match=NO_PATH):
        list(find_files([wrong]))
    with pytest.raises(TypeError, match=NO_PATH):
        list(count_files([wrong]))


def test_a_folder_listed_in_bytes_is_refused(tree):
    """An entry of `os.scandir(b"…")` is a path of bytes, whose Result would name nobody."""
    with os.scandir(os.fsencode(tree)) as entries, pytest.raises(TypeError, match=NO_PATH):
        list(find_files(entries))


def test_a_name_in_bytes_is_told_what_to_do():
    """The error says what bytes are taken for elsewhere, and how a name becomes text."""
    with pytest.raises(TypeError, match=r"os\.fsdecode, pass content to Screener"):
        list(find_files([b"photo.jpg"]))


def test_patterns_are_expanded_in_order_and_names_come_first(tree):
    """`*`, `**`, `?`, `[…]`; a file whose name looks like a pattern is itself; a pattern that fits
    nothing is a name; nothing is found twice.
    """

    def given_(*patterns):
        return below(tree, find_files(parse_arguments([f"{tree}/{one}" for one in patterns], None)))

    assert given_("*.jpg") == [".f.jpg", "a.jpg", "c1.jpg", "c[1].jpg"]
    assert given_("c[1].jpg") == ["c[1].jpg"]
    assert given_("?.png", "[a-b].*") == ["b.png", "a.jpg", "b.png"]
    assert given_("**/*.jpg") == [".f.jpg", "a.jpg", "c1.jpg", "c[1].jpg", "deep/er/d.jpg"]
    assert sorted(given_("**")) == sorted(given_("."))
    assert given_("deep/**") == ["deep/e.png", "deep/er/d.jpg"]
    assert given_("none*", "-") == ["none*", "-"]


def test_a_pattern_is_walked_as_a_folder_is(tree, monkeypatch):
    """In the order of a walk, not in that of the text, as names and from the current folder; what
    fits in several ways is found once; a folder that fits stands for all below it, and so it does
    with a slash behind it, which files do not fit.
    """
    (tree / "deep.d").mkdir()
    (tree / "deep.d" / "z.jpg").touch()
    monkeypatch.chdir(tree)

    def found(pattern):
        return list(find_files(parse_arguments([pattern], None)))

    everything = [os.path.relpath(path, tree) for path in find_files(tree)]
    jpgs = [name for name in everything if name.endswith(".jpg")]
    assert jpgs.index("deep/er/d.jpg") < jpgs.index("deep.d/z.jpg")
    assert found("**/*.jpg") == found("**/**/*.jpg") == found("**/./**/*.j*g") == jpgs
    assert found("**") == found("*") == found("**/*") == everything
    assert found("*/") == found("deep*") == [name for name in everything if "/" in name]
    assert found("deep/*r/*.jpg") == found("*/er/*") == ["deep/er/d.jpg"]
    assert found(f"{tree}//deep/**") == [f"{tree}//deep/e.png", f"{tree}//deep/er/d.jpg"]
    assert found("[b-") == ["[b-"]
    assert found("a.jpg/**") == ["a.jpg/**"]
    for pattern in ("*", "**/*.jpg", "*/", "no*"):
        assert sum(count_files(parse_arguments([pattern], None))) == len(found(pattern))
        by_disk = list(locate_files(parse_arguments([pattern], None), by_disk=True))
        assert sorted(place.path for place in by_disk) == sorted(found(pattern))


def test_results_come_while_a_pattern_is_looked_through(make_list, tmp_path, monkeypatch):
    """The first long before the last folder, in which nothing fits."""
    for number in range(1000):  # a minute in all, of which the scan needs what a worker takes
        (tmp_path / "tree" / f"{number:03}").mkdir(parents=True)
    (tmp_path / "tree" / "000" / "a.jpg").touch()
    engine = Screener(make_list([{"id": "one", "pdq": "ab" * 32}]))
    looked = []
    scandir = os.scandir

    def slow(path):
        looked.append(path)
        time.sleep(0.06)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", slow)
    with closing(
        scan(engine, parse_arguments([f"{tmp_path}/tree/**/*.jpg"], None), jobs=1)
    ) as results:
        assert next(results).input == f"{tmp_path}/tree/000/a.jpg"
        assert len(looked) < 990
        monkeypatch.setattr(os, "scandir", scandir)
        assert list(results) == []


NAMES = st.lists(st.sampled_from(["a", "b", "ab", ".a"]), min_size=1, max_size=4)
PATTERNS = st.lists(st.sampled_from(["a", "*", "?", "[!a]*", "**", "a*"]), min_size=1, max_size=4)


@given(named=st.lists(NAMES, max_size=8), pattern=PATTERNS)
def test_a_pattern_means_what_glob_means_by_it(named, pattern):
    """Where there are no links: the files that fit by `glob`, and those in folders that do, once
    each; the pattern itself where nothing fits.
    """
    with tempfile.TemporaryDirectory() as within:
        for name in named:
            path = Path(within, *name)
            if not any(above.is_file() for above in path.parents) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        text = os.path.join(within, *pattern)
        found = glob.glob(text, recursive=True, include_hidden=True)
        fitting = [one for one in found if os.path.exists(one)]  # some Pythons give a file `a/`
        expected = {os.path.normpath(path) for one in fitting for path in find_files(one)}

        found = list(find_files(parse_arguments([text], None)))

        assert sorted(found) == sorted(expected if fitting else {text})


def test_patterns_follow_no_links_to_folders(tree, tmp_path):
    """A loop of them ends; what fits is found once. One that fits, or leads where something might,
    is named, and is no folder; one that the caller named before the pattern is looked into.
    """
    (tree / "l1").symlink_to(".")
    (tree / "deep" / "l2").symlink_to("..")
    (tree / "file").symlink_to("a.jpg")
    (tree / "lost").symlink_to("nowhere")
    other = tmp_path / "other"
    (other / "sub").mkdir(parents=True)
    (other / "sub" / "x.jpg").touch()
    (tree / "out").symlink_to(other)

    def given_(pattern):
        return below(tree, find_files(parse_arguments([f"{tree}/{pattern}"], None)))

    jpgs = [".f.jpg", "a.jpg", "c1.jpg", "c[1].jpg", "deep/er/d.jpg", "deep/l2", "l1", "out"]
    assert given_("**/*.jpg") == jpgs
    assert given_("*/x.jpg") == ["l1", "out"]
    assert given_("o*") == given_("o*/") == given_("o*/**") == ["out"]
    assert given_("f*") == ["file"]
    assert given_("lo*") == ["lost"]
    assert given_("out/**/*.jpg") == given_("out/*") == ["out/sub/x.jpg"]
    assert below(tree, find_files(tree / "out")) == ["out/sub/x.jpg"]
    assert given_("*") == given_("**") == below(tree, find_files(tree))


def test_a_pattern_is_not_walked_to_its_end_before_the_first_file(tmp_path, monkeypatch):
    """What comes first is found when the folders before it have been looked into."""
    for number in range(50):
        (tmp_path / f"{number:02}").mkdir()
        (tmp_path / f"{number:02}" / "a.jpg").touch()
    looked = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path) or scandir(path))

    found = find_files(parse_arguments([f"{tmp_path}/**/*.jpg"], None))

    assert next(found) == f"{tmp_path}/00/a.jpg"
    assert looked == [str(tmp_path), f"{tmp_path}/00"]


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
        assert [os.fsencode(name) for name in NameStream(stream)] == listed


def test_a_name_with_line_ends_in_it_does_not_change_how_the_rest_is_read():
    """`find -print0` is known for what it is also if its first names have line ends."""
    odd = b"\n".join([b"x" * 250] * 15)

    assert list(NameStream(io.BytesIO(odd + b"\0b\0"))) == [odd.decode(), "b"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_names_in_utf_16_are_refused(encoding):
    """Each letter would be a name, `.` and `/` among them; a byte order mark says that they are."""
    names = "\ufeff./a.jpg\n/b.jpg\n".encode(encoding)

    with pytest.raises(PolicyError, match="UTF-8"):
        list(NameStream(io.BytesIO(names)))


@pytest.mark.parametrize("end", [b"\n", b"\0"])
def test_a_name_without_end_is_refused(end):
    """Names that are parted otherwise than they began are not gathered as one, however many."""
    more = 0

    class Endless(io.BytesIO):
        """Gives a name, and then one that never ends."""

        def read1(self, size=-1):
            nonlocal more
            more += 1
            assert more < 100
            return b"a" + end if more == 1 else b"x" * size

    with pytest.raises(PolicyError, match="or all with NULs"):
        list(NameStream(Endless()))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("place", [4095, 4096, 50_000])
def test_a_nul_says_how_names_are_read_only_among_the_first_bytes(place, at_once):
    """However the names come: one behind the first 4,096 bytes is in a name that no file has, which
    costs that name alone.
    """
    names = b"a\n" * 40_000
    names = names[:place] + b"\0" + names[place + 1 :]

    class Stream(io.BytesIO):
        """Gives all, or a little at a time."""

        def read1(self, size=-1):
            return self.read(size if at_once else 1000)

    end = "\0" if place < 4096 else "\n"
    expected = [name for name in names.decode().split(end) if name]
    assert list(NameStream(Stream(names))) == expected


def test_the_order_of_the_disk_changes_only_the_order(tree):
    """Each file once, each folder's files by their inodes."""
    by_name = list(locate_files(tree))
    by_disk = list(locate_files(tree, by_disk=True))

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

    assert list(find_files(tmp_path)) == expected
    assert sorted(place.path for place in locate_files(tmp_path, by_disk=True)) == sorted(expected)
    assert {place.path: place.inode for place in locate_files(tmp_path)} == {
        path: os.lstat(path).st_ino for path in expected
    }
    several = [tmp_path, expected[0], "missing", tmp_path / "loop", tmp_path / "z"]
    assert sum(count_files(several)) == len(list(find_files(several)))


@pytest.mark.parametrize("ordered", [True, False])
def test_results_come_while_the_next_name_does_not(make_list, tmp_path, ordered):
    """Each as soon as its input is done, in order; and a file that hangs has its `timeout` then."""
    engine = Engine(make_list([{"id": "one", "pdq": "ab" * 32}]), policy=Policy(seconds=2))
    for name in ("a", "b", "hang", "z"):
        (tmp_path / name).write_bytes(b"x")
    told = []
    with piped(tmp_path) as pipe, closing(scan(engine, [pipe.names], jobs=2, ordered=ordered)) as r:
        for names in (["a"], ["b", "hang"], ["z"]):
            pipe.add(*names)
            told += [next(r) for _ in names]
        pipe.close()
        assert list(r) == []

    other = "unsupported"
    expected = [("a", other), ("b", other), ("hang", "timeout"), ("z", other)]
    assert [(os.path.basename(one.input), str(one.reason)) for one in told] == expected


def test_a_name_that_comes_late_is_given_to_a_worker_that_is_free(make_list, tmp_path):
    """While another is at a file that hangs."""
    engine = Engine(make_list([{"id": "one", "pdq": "ab" * 32}]), policy=Policy(seconds=25))
    for name in ("hang", "a"):
        (tmp_path / name).write_bytes(b"x")
    with piped(tmp_path) as pipe, closing(scan(engine, [pipe.names], jobs=2, ordered=False)) as r:
        pipe.add("hang")
        later = threading.Timer(0.6, pipe.add, ["a"])
        later.start()
        begin = time.monotonic()
        assert os.path.basename(next(r).input) == "a"
        assert time.monotonic() - begin < 20
        later.join()


def test_the_command_writes_lines_while_names_are_awaited(make_list, tmp_path):
    """As somebody who types names, or a program that waits for each answer, needs it."""
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    call = [*CALL, "scan", "-", "--list", str(known.path), "--jobs", "1"]
    with subprocess.Popen(call, stdin=-1, stdout=-1, stderr=-1) as process:
        end = threading.Timer(60, process.kill)
        end.start()
        for name in (f"{tmp_path}/a", f"{tmp_path}/b"):
            process.stdin.write(os.fsencode(f"{name}\n"))
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, "it waited for more names"
            assert json.loads(line)["input"] == name
        rest, _ = process.communicate(timeout=60)
        end.cancel()

    assert (rest, process.returncode) == (b"", 3)


def test_lines_and_names_with_nuls_are_told_apart_also_if_they_come_slowly():
    """By what came before a pause behind a line end; a name that is not over yet is waited for."""
    for parts, expected in (
        ([b"a\n", b"b\nc", b"d\n"], ["a", "b", "cd"]),
        ([b"a\nb", b"\0c\nd\0", b"e"], ["a\nb", "c\nd", "e"]),
        ([b"a"], ["a"]),
    ):
        ends = os.pipe()
        found = []
        with os.fdopen(ends[0], "rb") as reading, os.fdopen(ends[1], "wb", 0) as writing:
            for name in NameStream(reading):
                if not isinstance(name, Awaited):
                    found.append(name)
                elif parts:
                    writing.write(parts.pop(0))
                else:
                    writing.close()
        assert found == expected


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
from screener.screening.input.hasher import Hasher
from screener.scanning.inputs.expand import find_files
if os.geteuid() == 0:
    os.setuid(65534)
hasher = Hasher(Policy(), (KINDS["md5"],))
for path in find_files(sys.argv[1]):
    print(os.path.basename(path), hasher.hash(path).error, sep=": ")
"""


def test_what_may_not_be_read_is_named(tmp_path):
    """A file and a folder without permissions, as somebody who is not root finds them; and that
    nothing in the folder was looked at, nor behind a link to one.
    """
    tmp_path = Path(tempfile.mkdtemp(dir="/tmp", prefix="screener-"))
    try:
        tmp_path.chmod(0o755)
        (tmp_path / "closed").mkdir(0)
        (tmp_path / "forbidden").touch(0)
        (tmp_path / "link").symlink_to("/")
        call = [sys.executable, "-c", CLOSED, tmp_path]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60)
    finally:
        (tmp_path / "closed").chmod(0o700)
        shutil.rmtree(tmp_path)

    assert done.stdout.splitlines() == [
        "closed: unreadable: a folder that cannot be listed: Permission denied",
        "forbidden: unreadable: Permission denied",
        "link: unreadable: a link to a folder, which is not followed",
    ], done.stderr


def test_a_named_file_that_may_not_be_read_costs_itself_only(make_list, tmp_path, monkeypatch):
    """As below a folder: of what a shell makes of a pattern, the others are screened and hashed."""
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    for name in "ab":
        (tmp_path / name).touch()
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith("b"))

    out = tmp_path / "results.jsonl"
    call = ["scan", str(tmp_path / "a"), str(tmp_path / "b"), "--list", str(known.path)]
    assert cli.main([*call, "-o", str(out)], standalone_mode=False) == 3
    assert len(out.read_text().splitlines()) == 2
    assert cli.main(["hash", *call[1:3], "--kinds", "md5"], standalone_mode=False) == 3


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


def test_file_urls_name_files_and_folders_of_this_machine(tmp_path):
    """Percent-encoded or not, with or without `localhost`; another host is an error."""
    folder = tmp_path / "a b"
    folder.mkdir()
    shutil.copy(
        Path(__file__).parents[3] / "fixtures/images/kiosk-mirrored.jpg", folder / "é[1].jpg"
    )
    path, screener_ = folder / "é[1].jpg", Screener(hash_list_of_none(tmp_path))
    urls = [path.as_uri(), f"file://localhost{path}", folder.as_uri(), "FILE://" + str(path)]
    results = list(scan(screener_, urls, jobs=1))
    assert [result.input for result in results] == [str(path)] * 4
    assert "unreadable" not in {result.reason for result in results}
    assert screener_.screen(path.as_uri()).reason == results[0].reason
    for url in ("file://elsewhere/a.jpg", "file://"):
        found = [*scan(screener_, [url], jobs=1), screener_.screen(url)]
        assert [one.reason for one in found] == ["unreadable"] * 2
        assert all("this machine" in one.detail for one in found)


def hash_list_of_none(folder):
    """Return an empty list."""
    return HashList.create(folder / "empty.list")
