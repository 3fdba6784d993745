"""Files that are read ahead: the same results, and each file's harm stays its own."""

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
from screener.scanning.workers import worker_process
from screener.scanning.workers.messages import Order, frame_message
from screener.scanning.workers.pool import Workers
from screener.scanning.workers.worker_process import Usage
from screener.screening.input.hasher import Hasher, HashMode, Target, read_ahead

ALL = tuple(KINDS[name] for name in ("pdq", "sha256", "md5"))
BUDGET = Budget(members=1000, bytes=1 << 30)


@pytest.fixture
def files(scene, tmp_path):
    """Return paths of files of all sorts, some of them missing."""
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


def facts_of(session, path):
    """Return all facts of a hashed file."""
    done = session.run(Target(path), BUDGET, HashMode.NORMAL)
    hashed = getattr(done, "hashed", done)
    return hashed.name, list(hashed.hashes), hashed.media, str(hashed.error), type(done)


def descriptors():
    """Return the number of open file descriptors."""
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("policy", [Policy(), Policy(digests_only=True)], ids=["usual", "digests"])
def test_reading_ahead_changes_no_result(files, policy):
    """For every sort of file, repeated files, any order, and files never asked for."""
    kinds = ALL if not policy.digests_only else ALL[1:]
    session, other = (Hasher(policy, kinds).start_session() for _ in range(2))
    expected = {path: facts_of(other, path) for path in files}
    before = descriptors()

    session.read_ahead(map(Target, files))
    assert descriptors() > before
    for path in reversed(files[3:]):
        assert facts_of(session, path) == expected[path]
    session.read_ahead([Target(files[0], (1,)), Target(files[1])])
    assert list(session._files_ahead) == [files[1]]
    for path in files:
        assert facts_of(session, path) == expected[path]

    session.read_ahead([])
    for one in (session, other):
        for archive in one._archives.values():
            archive.close()
    assert descriptors() <= before


def test_a_file_keeps_the_state_in_which_it_was_read(scene, tmp_path):
    """Hashes, size and time belong to the same bytes if it changes or goes afterwards."""
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    expected = [facts_of(Hasher(Policy(), ALL).start_session(), path) for path in paths]
    session = Hasher(Policy(), ALL).start_session()
    session.read_ahead(map(Target, paths))
    os.truncate(paths[0], 100)
    os.unlink(paths[1])

    assert [facts_of(session, path) for path in paths] == expected
    # Once: when its turn comes again, it is what it is then.
    assert (
        facts_of(session, paths[0])[3]
        == facts_of(Hasher(Policy(), ALL).start_session(), paths[0])[3]
        != "None"
    )


def test_digests_are_computed_once(scene, tmp_path, monkeypatch):
    """A file that was read ahead is not read again."""
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    expected = [facts_of(Hasher(Policy(), ALL).start_session(), path) for path in paths]
    session = Hasher(Policy(), ALL).start_session()
    session.read_ahead(map(Target, paths))
    for name in (
        "screener.hashing.digest.compute_kinds",
        "screener.screening.input.hasher.OpenFile",
    ):
        monkeypatch.setattr(name, None)

    assert [facts_of(session, path) for path in paths] == expected


def test_read_ahead_is_limited(tmp_path):
    """No large file, no more than 16 MiB together, nothing over the policy's limit, no video.

    Nothing is read ahead if no MD5 is computed.
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
            assert one.digests[0].value == hashlib.md5(one.file.read_all()).digest()
        return [int(os.path.basename(path)) for path in made]

    assert held(md5, 1 << 30) == [1, 2, 3, 4, 6]
    assert held(md5, 3 << 20) == [2, 6, 7]
    assert held([KINDS["sha256"]], 1 << 30) == []


def test_lack_of_memory_ends_reading_ahead_only(scene, tmp_path, monkeypatch):
    """Files are then read in their turn."""
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    session = Hasher(Policy(), ALL).start_session()
    expected = [facts_of(session, path) for path in paths]
    before = descriptors()

    def lacks(*_):
        raise MemoryError

    for name in (
        "screener.media.files.open_file.OpenFile.load",
        "screener.hashing.digest.compute_batch",
    ):
        with monkeypatch.context() as patched:
            patched.setattr(name, lacks)
            session.read_ahead(map(Target, paths))
        assert descriptors() == before
        assert [facts_of(session, path) for path in paths] == expected


def busy(seconds):
    """Use so much processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class Foreseeing:
    """A job whose preparation crashes, hangs or takes long for files with such names."""

    policy = Policy(seconds=2)
    kinds = ()
    outcomes = (str,)

    def start_session(self):
        """Return this job."""
        return self

    def read_ahead(self, targets):
        """Crash, loop or take long."""
        for target in targets:
            if "crash" in target.path:
                os._exit(3)
            while "loop" in target.path:
                pass
            if "slow" in target.path:
                busy(1)

    def run(self, target, budget, way):
        """Return the path."""
        if "slower" in target.path:
            busy(1.7)
        return target.path


def test_harm_while_reading_ahead_is_that_of_its_file():
    """A crash or hang affects that file only, and the time counts for it."""
    # A process prepares for nothing in its first group, which has sixteen.
    between = [[f"{name}{number}" for number in range(17)] for name in "abcde"]
    odd = [["crash-1"], ["loop"], ["crash-2"], ["slow", "slower"], []]
    paths = [path for pair in zip(between, odd, strict=True) for one in pair for path in one]
    with Workers(Foreseeing(), 1) as workers:
        worker = workers.least_busy()
        waiting = [(path, worker.take(Target(path), None)) for path in paths]
        over = {}
        while len(over) < len(paths):
            over |= {done.task: done for done in workers.collect()}

    spent = {}
    for path, task in waiting:
        outcome = over[task].outcome
        if path.startswith("crash"):
            assert outcome.error.reason == Reason.CRASHED
        elif path in ("loop", "slower"):
            assert outcome.error.reason == Reason.TIMEOUT
        else:
            assert outcome == path
            spent[path] = over[task].seconds
    assert spent.pop("slow") > 0.9
    assert statistics.median(spent.values()) < 0.9


class Noting(Foreseeing):
    """A job that records its calls, in this process."""

    noted: ClassVar[list] = []

    def read_ahead(self, targets):
        """Record the targets."""
        self.noted.append([target.path for target in targets])

    def run(self, target, budget, way):
        """Record the target."""
        self.noted.append(target.path)


def test_a_process_reads_ahead_except_for_its_first_file(monkeypatch):
    """The first may use all memory; a file that did harm is not read ahead."""
    monkeypatch.setattr(worker_process, "confine", lambda memory: None)
    monkeypatch.setattr(worker_process, "gc", SimpleNamespace(freeze=lambda: None))
    (orders, scan_end), (answers, asked) = os.pipe(), os.pipe()
    for number in range(1, 37):
        way = HashMode.DIGESTS_ONLY if number == 20 else HashMode.NORMAL
        os.write(scan_end, frame_message(Order(number, Target(str(number)), None, way).to_wire()))
    os.close(scan_end)
    mark = Usage(multiprocessing.get_context("spawn"))
    with Connection(orders, writable=False) as one, Connection(asked, readable=False) as other:
        worker_process.serve(one, other, mark, pickle.dumps(Noting()))
    os.close(answers)

    each = [str(number) for number in range(1, 37)]
    usual = [one for one in each[16:32] if one != "20"]
    assert Noting.noted == [*each[:16], usual, *each[16:32], each[32:], *each[32:]]


def test_a_scan_matches_files_by_md5_among_many_read_together(make_list, scene, tmp_path):
    """Each file by its own digest."""
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


def test_a_failed_read_ahead_leaks_no_descriptor(tmp_path, monkeypatch):
    """The failure is reported in the file's turn."""
    (tmp_path / "a").write_bytes(b"a")

    def fails(*_):
        raise OSError("the disk is gone")

    before = descriptors()
    monkeypatch.setattr("screener.media.files.open_file.OpenFile.load", fails)
    assert read_ahead([str(tmp_path / "a")], [KINDS["md5"]], 1 << 30) == {}
    monkeypatch.setattr(
        "screener.screening.input.hasher.OpenFile",
        lambda _: (_ for _ in ()).throw(MediaError("unreadable", "")),
    )
    assert read_ahead([str(tmp_path / "a")], [KINDS["md5"]], 1 << 30) == {}
    assert descriptors() == before
