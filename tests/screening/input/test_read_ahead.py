"""Files that are read before their turn: the same results, and each file's harm its own."""

import hashlib
import io
import multiprocessing
import os
import pickle
import statistics
import time
import zipfile
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from screener import Policy, Reason, Screener, Verdict, scan
from screener.errors import MediaError
from screener.hashing.hash import KINDS
from screener.media.archives.archive import Budget
from screener.scanning.workers import process
from screener.scanning.workers.messages import Order, framed
from screener.scanning.workers.pool import Workers
from screener.scanning.workers.process import Usage
from screener.screening.input.hasher import Hasher, HashMode, Target, read_ahead

ALL = tuple(KINDS[name] for name in ("pdq", "sha256", "md5"))
BUDGET = Budget(members=1000, bytes=1 << 30)


@pytest.fixture
def files(scene, tmp_path):
    """Files of all sorts, some of which are none."""
    for number in range(4):
        scene(number, (160, 120)).save(tmp_path / f"{number}.png")
    scene(5, (160, 120)).save(tmp_path / "five.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "five.jpg").read_bytes()[:3000])
    noise = np.random.default_rng(1).integers(0, 256, (1300, 1300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_bytes(b"no picture")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "1.png", "m.png")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "bad-\udcff.png").write_bytes((tmp_path / "2.png").read_bytes())
    names = sorted(os.listdir(tmp_path))
    return [str(tmp_path / name) for name in [*names, "gone", names[0], names[0]]]


def told(visit, path):
    """All that is known of a file."""
    done = visit.do(Target(path), BUDGET, HashMode.NORMAL)
    hashed = getattr(done, "hashed", done)
    return hashed.name, list(hashed.hashes), hashed.media, str(hashed.trouble), type(done)


def descriptors():
    """How many this process has."""
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("policy", [Policy(), Policy(digests_only=True)], ids=["usual", "digests"])
def test_what_is_foreseen_is_told_as_it_is_otherwise(files, policy):
    """Names, hashes and troubles of every sort of file, and of one that comes several times; in
    any order, and whether its turn comes or not.
    """
    kinds = ALL if not policy.digests_only else ALL[1:]
    visit, other = (Hasher(policy, kinds).visit() for _ in range(2))
    expected = {path: told(other, path) for path in files}
    before = descriptors()

    visit.foresee(map(Target, files))
    assert descriptors() > before
    for path in reversed(files[3:]):
        assert told(visit, path) == expected[path]
    visit.foresee([Target(files[0], (1,)), Target(files[1])])
    assert list(visit._ahead) == [files[1]]
    for path in files:
        assert told(visit, path) == expected[path]

    visit.foresee([])
    for one in (visit, other):
        for archive in one._open.values():
            archive.close()
    assert descriptors() <= before


def test_a_file_is_what_it_was_when_it_was_read(scene, tmp_path):
    """One that changes or goes before its turn has the hashes, the size and the time of the bytes
    that were read.
    """
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    expected = [told(Hasher(Policy(), ALL).visit(), path) for path in paths]
    visit = Hasher(Policy(), ALL).visit()
    visit.foresee(map(Target, paths))
    os.truncate(paths[0], 100)
    os.unlink(paths[1])

    assert [told(visit, path) for path in paths] == expected
    # Once: when its turn comes again, it is what it is then.
    assert told(visit, paths[0])[3] == told(Hasher(Policy(), ALL).visit(), paths[0])[3] != "None"


def test_what_was_made_ahead_is_not_made_again(scene, tmp_path, monkeypatch):
    """Neither digests nor the reading."""
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    expected = [told(Hasher(Policy(), ALL).visit(), path) for path in paths]
    visit = Hasher(Policy(), ALL).visit()
    visit.foresee(map(Target, paths))
    for name in (
        "screener.hashing.digest.compute_kinds",
        "screener.screening.input.hasher.OpenFile",
    ):
        monkeypatch.setattr(name, None)

    assert [told(visit, path) for path in paths] == expected


def test_no_more_is_held_than_stated(tmp_path):
    """Neither a large file, nor more than 16 MiB together, nor more than the policy reads, nor a
    video; nothing where no MD5 is wanted.
    """
    sizes = [(4 << 20) + 1, 4 << 20, 3 << 20, 4 << 20, 4 << 20, 4 << 20, 1 << 20, 1, 0]
    paths = [str(tmp_path / str(number)) for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        with open(path, "wb") as stream:
            stream.truncate(size)
    (tmp_path / "9").write_bytes(b"\0\0\0\x18ftypisom" + bytes(12))
    paths.append(str(tmp_path / "9"))
    md5 = [KINDS["md5"]]

    def held(kinds, limit):
        made = read_ahead(paths, kinds, limit)
        for one in made.values():
            one.file.close()
            assert one.digests[0].value == hashlib.md5(one.file.whole()).digest()
        return [int(os.path.basename(path)) for path in made]

    assert held(md5, 1 << 30) == [1, 2, 3, 4, 6]
    assert held(md5, 3 << 20) == [2, 6, 7]
    assert held([KINDS["sha256"]], 1 << 30) == []


def test_memory_that_is_lacking_is_nobodys_harm(scene, tmp_path, monkeypatch):
    """Where there is none to read ahead, files are read in their turn."""
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    visit = Hasher(Policy(), ALL).visit()
    expected = [told(visit, path) for path in paths]
    before = descriptors()

    def lacks(*_):
        raise MemoryError

    for name in (
        "screener.media.files.open_file.OpenFile.hold",
        "screener.hashing.digest.compute_batch",
    ):
        with monkeypatch.context() as patched:
            patched.setattr(name, lacks)
            visit.foresee(map(Target, paths))
        assert descriptors() == before
        assert [told(visit, path) for path in paths] == expected


def busy(seconds):
    """Take so much of the processor's time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class Foreseeing:
    """A job whose preparing harms its process, or takes its time, for files named so."""

    policy = Policy(seconds=2)
    kinds = ()
    outcomes = (str,)

    def visit(self):
        """Itself."""
        return self

    def foresee(self, targets):
        """Crash, loop, or be slow."""
        for target in targets:
            if "crash" in target.path:
                os._exit(3)
            while "loop" in target.path:
                pass
            if "slow" in target.path:
                busy(1)

    def do(self, target, budget, way):
        """What was asked for."""
        if "slower" in target.path:
            busy(1.7)
        return target.path


def test_the_harm_of_what_is_foreseen_is_its_own():
    """A file that crashes its worker, or never ends, before its turn costs itself and no other;
    the time that one takes is told with it, and is a part of what it may take.
    """
    # A process prepares for nothing in its first group, which has sixteen.
    between = [[f"{name}{number}" for number in range(17)] for name in "abcde"]
    odd = [["crash-1"], ["loop"], ["crash-2"], ["slow", "slower"], []]
    paths = [path for pair in zip(between, odd, strict=True) for one in pair for path in one]
    with Workers(Foreseeing(), 1) as workers:
        worker = workers.free()
        waiting = [(path, worker.take(Target(path), None)) for path in paths]
        over = {}
        while len(over) < len(paths):
            over |= {done.errand: done for done in workers.collect()}

    spent = {}
    for path, errand in waiting:
        outcome = over[errand].outcome
        if path.startswith("crash"):
            assert outcome.trouble.reason == Reason.CRASHED
        elif path in ("loop", "slower"):
            assert outcome.trouble.reason == Reason.TIMEOUT
        else:
            assert outcome == path
            spent[path] = over[errand].seconds
    assert spent.pop("slow") > 0.9
    assert statistics.median(spent.values()) < 0.9


class Noting(Foreseeing):
    """A job that notes what it was told, in this process."""

    noted: ClassVar[list] = []

    def foresee(self, targets):
        """All at once."""
        self.noted.append([target.path for target in targets])

    def do(self, target, budget, way):
        """One."""
        self.noted.append(target.path)


def test_a_process_foresees_what_came_together_but_for_its_first_files(monkeypatch):
    """The first is to have all memory that there is; of what did harm nothing is read before its
    turn.
    """
    monkeypatch.setattr(process, "confine", lambda memory: None)
    monkeypatch.setattr(process, "gc", SimpleNamespace(freeze=lambda: None))
    (orders, told), (answers, asked) = os.pipe(), os.pipe()
    for number in range(1, 37):
        way = HashMode.DIGESTS_ONLY if number == 20 else HashMode.NORMAL
        os.write(told, framed(Order(number, Target(str(number)), None, way).to_wire()))
    os.close(told)
    mark = Usage(multiprocessing.get_context("spawn"))
    with Connection(orders, writable=False) as one, Connection(asked, readable=False) as other:
        process.serve(one, other, mark, pickle.dumps(Noting()))
    os.close(answers)

    each = [str(number) for number in range(1, 37)]
    usual = [one for one in each[16:32] if one != "20"]
    assert Noting.noted == [*each[:16], usual, *each[16:32], each[32:], *each[32:]]


def test_a_scan_finds_what_is_listed_by_its_bytes(make_list, scene, tmp_path):
    """Each file by its own MD5, among many that are read together."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    rows = []
    for number in range(60):
        data = io.BytesIO()
        scene(number % 7, (64 + number, 64)).save(data, "PNG")
        (folder / f"{number:02}.png").write_bytes(data.getvalue())
        rows.append({"id": f"e{number:02}", "md5": hashlib.md5(data.getvalue()).hexdigest()})
    engine = Screener(make_list(rows[::3]), policy=Policy(digests_only=True))

    results = list(scan(engine, folder, jobs=1))

    assert [[match.entry for match in one.matches] for one in results] == [
        [] if number % 3 else [f"e{number:02}"] for number in range(60)
    ]
    assert {one.verdict for one in results} == {Verdict.MATCH, Verdict.NO_MATCH}


def test_what_cannot_be_read_is_nothing_to_hold(tmp_path, monkeypatch):
    """A read that fails ahead leaves no descriptor, and is told in its turn."""
    (tmp_path / "a").write_bytes(b"a")

    def fails(*_):
        raise OSError("the disk is gone")

    before = descriptors()
    monkeypatch.setattr("screener.media.files.open_file.OpenFile.hold", fails)
    assert read_ahead([str(tmp_path / "a")], [KINDS["md5"]], 1 << 30) == {}
    monkeypatch.setattr(
        "screener.screening.input.hasher.OpenFile",
        lambda _: (_ for _ in ()).throw(MediaError("unreadable", "")),
    )
    assert read_ahead([str(tmp_path / "a")], [KINDS["md5"]], 1 << 30) == {}
    assert descriptors() == before
