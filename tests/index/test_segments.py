"""SegmentedIndex: kills, readers, damage; test_states.py has it go through changes in any order."""

import copy
import itertools
import mmap
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from screener.errors import HashError, IndexFileError
from screener.index import manifests, tiers
from screener.index.hamming import HammingIndex
from screener.index.segments import SegmentedIndex
from screener.system import files, locks

POOL = np.random.default_rng(5).integers(0, 256, (40, 8), dtype=np.uint8)
POOL[20:] = POOL[:20]
POOL[20:, 3] ^= 0x11  # each of the first twenty has a neighbour two bits off


def brute(model, queries, radius):
    """For each query, the (code, distance) pairs within the radius, straight from the set."""
    answers = []
    for query in queries:
        pairs = [(code, sum((a ^ b).bit_count() for a, b in zip(code, query, strict=True)))
                 for code in model]  # fmt: skip
        answers.append({pair for pair in pairs if pair[1] <= radius})
    return answers


def answered(index, queries, radius):
    """The same from an index; rows must ascend and offsets fit."""
    offsets, rows, distances = index.search(queries, radius=radius)
    assert offsets[0] == 0
    assert offsets[-1] == len(rows) == len(distances)
    codes = index.codes(rows)
    answers = []
    for low, high in itertools.pairwise(offsets):
        assert (np.diff(rows[low:high]) > 0).all()
        pairs = [(codes[at].tobytes(), int(distances[at])) for at in range(low, high)]
        assert len(set(pairs)) == len(pairs)
        answers.append(set(pairs))
    return answers


def agrees(index, model):
    """Whether an index is exactly the set."""
    assert len(index) == len(model)
    assert [code.tobytes() for code in index.all_codes()] == sorted(model)
    for radius in (0, 2, 30, 64):
        assert answered(index, POOL, radius) == brute(model, [c.tobytes() for c in POOL], radius)


@pytest.fixture(autouse=True)
def small_tiers(monkeypatch):
    """Tiers so small that a handful of codes reaches every branch."""
    for name, number in (("FACTOR", 2), ("SMALLEST", 1), ("AT_ONCE", 12), ("MOST", 4)):
        monkeypatch.setattr(tiers, name, number)


def test_an_index_in_a_folder_that_is_not_there_is_named(tmp_path):
    """And not the passing name of the one that would be made."""
    with pytest.raises(FileNotFoundError) as told:
        SegmentedIndex.create(tmp_path / "gone" / "index", bits=64)
    assert told.value.filename == str(tmp_path / "gone" / "index")


def test_an_empty_index(tmp_path):
    """It has a width and finds nothing; changes that change nothing make no generation."""
    index = SegmentedIndex.create(tmp_path / "i", bits=np.int64(256))

    assert (index.bits, len(index), index.generation, index.parts) == (256, 0, 0, 0)
    assert index.search(np.zeros((2, 32), np.uint8), radius=256)[0].tolist() == [0, 0, 0]
    assert index.remove(np.zeros((1, 32), np.uint8)).generation == 0
    assert index.compact() is index.refresh() is index


@pytest.mark.parametrize("held", [POOL[:3], np.zeros((4, 16), np.uint8)])
def test_a_part_of_another_size_or_width_is_not_searched(tmp_path, held):
    """Whole as it is, it is not the file that was written."""
    SegmentedIndex.create(tmp_path / "i", bits=64).add(POOL[:4])
    (part,) = (tmp_path / "i").glob("*.idx")
    HammingIndex.build(held).save(part)

    with pytest.raises(IndexFileError, match="does not hold 4 values of 8 bytes"):
        SegmentedIndex.open(tmp_path / "i")


def test_wrong_questions_are_refused(tmp_path):
    """Widths that there are not, codes of another form, rows beyond, no folder, one there is."""
    index = SegmentedIndex.create(tmp_path / "i", bits=64)
    for bits in (65, 64.0, "64", [64], None, True):
        with pytest.raises(HashError, match=f"not {re.escape(repr(bits))}"):
            SegmentedIndex.create(tmp_path / "j", bits=bits)
    masked = np.ma.array(POOL[:2], mask=[[True] * 8, [False] * 8])
    wrong = np.zeros((1, 9), np.uint8), np.zeros(8, np.uint8), np.zeros((1, 8)), [[0] * 8], masked
    for codes in wrong:
        with pytest.raises(HashError, match="codes"):
            index.add(codes)
    with pytest.raises(HashError, match="out of range"):
        index.codes([0])
    for rows in ([0.5], np.zeros(1, np.float32), [True]):
        with pytest.raises(HashError, match="must be integers"):
            index.add(POOL).codes(rows)
    with pytest.raises(HashError, match="one dimension"):
        index.add(POOL).codes([[0, 1], [1, 0]])
    with pytest.raises(HashError, match="not list"):
        index.add([[0] * 8])
    with pytest.raises(FileExistsError):
        SegmentedIndex.create(tmp_path / "i", bits=64)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(IndexFileError, match="not the folder"):
            SegmentedIndex.open(path)


def test_a_refresh_opens_only_what_is_new(tmp_path):
    """Files that both states name are not opened a second time."""
    index = SegmentedIndex.create(tmp_path / "i", bits=64).add(POOL[:20])
    after = index.add(POOL[30:32])

    assert after.parts == 2
    assert after._snapshot.parts[0] is index._snapshot.parts[0]


def replaced(path, *added):
    """An index that was opened before its folder was replaced, and what is in its place."""
    before = SegmentedIndex.create(path, bits=64).add(POOL[:12])
    shutil.rmtree(path)
    after = SegmentedIndex.create(path, bits=added[0].shape[1] * 8)
    for codes in added:
        after = after.add(codes)
    return before, after


def test_a_refresh_sees_that_another_index_is_there(tmp_path):
    """An index made anew in the same place is noticed, even with the same number of changes."""
    before, after = replaced(tmp_path / "i", POOL[12:20])

    assert before.generation == after.generation
    agrees(before.refresh(), {code.tobytes() for code in POOL[12:20]})
    agrees(before, {code.tobytes() for code in POOL[:12]})


def test_a_change_is_of_the_index_that_is_there(tmp_path):
    """A change by an object of an index that was replaced loses nothing of the other one."""
    before, after = replaced(tmp_path / "i", POOL[12:20])
    before.add(POOL[30:31])

    agrees(after.refresh(), {code.tobytes() for code in (*POOL[12:20], POOL[30])})
    agrees(SegmentedIndex.open(tmp_path / "i"), {c.tobytes() for c in (*POOL[12:20], POOL[30])})


@pytest.mark.parametrize("further", [0, 1])
def test_a_change_of_an_index_of_another_width_is_refused(tmp_path, further):
    """Codes do not go into an index whose codes are wider; nothing is written."""
    wide = np.tile(POOL[:3], 2)
    before, after = replaced(tmp_path / "i", *(wide[: 1 + n] for n in range(1 + further)))
    for change in (lambda: before.add(POOL[:1]), lambda: before.remove(POOL[:1]), before.compact):
        with pytest.raises(IndexFileError, match="of 128 bits, not 64"):
            change()
    assert after.refresh() is after


def test_files_go_when_nobody_needs_them(tmp_path):
    """Recent states and held files stay; older ones and what a killed writer left do not."""
    path = tmp_path / "i"
    first = index = SegmentedIndex.create(path, bits=64).add(POOL[:3])
    mine = set(first._opened)
    for name in ("00000009-0123456789abcdef.idx", ".x.0123456789abcdef.tmp", "a note"):
        (path / name).write_bytes(b"")
    for number in range(8):
        index = index.add(POOL[4 + number : 5 + number])

    names = {one.name for one in path.iterdir()}
    assert mine <= names
    assert {"a note", "lock"} <= names
    assert not names & {"00000009-0123456789abcdef.idx", ".x.0123456789abcdef.tmp"}
    states = sorted(name for name in names if name.endswith(".manifest"))
    assert manifests.KEPT <= len(states) <= manifests.KEPT + 1
    for name in states[-manifests.KEPT :]:
        assert manifests.read(path, int(name[:8])).parts.names <= names
    del first
    index = index.add(POOL[19:20])
    assert not mine & {one.name for one in path.iterdir()} - set(index._opened)


def test_any_damaged_byte_of_what_is_read_at_once_is_refused(tmp_path):
    """Manifest and removed rows are checked whole on opening: no silent miss. An index that is open
    finds damage of the rows, which hide codes that it has, when it is verified.
    """
    path = tmp_path / "i"
    index = SegmentedIndex.create(path, bits=64).add(POOL).remove(POOL[:2])
    (removed,) = path.glob("*.gone")
    for name in (f"{index.generation:08d}.manifest", removed.name):
        whole = (path / name).read_bytes()
        for at in (*range(0, 200, 7), len(whole) - 1):
            torn = bytearray(whole)
            torn[at] ^= 1
            (path / name).write_bytes(torn)
            with pytest.raises(IndexFileError):
                SegmentedIndex.open(path)
        (path / name).write_bytes(whole[:-1])
        with pytest.raises(IndexFileError):
            SegmentedIndex.open(path)
        (path / name).write_bytes(whole)
    index.verify()
    with removed.open("r+b") as file:  # which it has mapped
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    with pytest.raises(IndexFileError):
        index.verify()
    next(path.glob("*.idx")).unlink()
    with pytest.raises(IndexFileError, match="lost a file"):
        SegmentedIndex.open(path)


def test_a_second_writer_waits_and_then_says_so(tmp_path, monkeypatch):
    """Nothing changes, and afterwards it works."""
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.1)
    index = SegmentedIndex.create(tmp_path / "i", bits=64)
    with (
        locks.lock_file(tmp_path / "i/lock"),
        pytest.raises(IndexFileError, match="another writer"),
    ):
        index.add(POOL)

    assert len(index.refresh()) == 0
    assert len(index.add(POOL)) == 40


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_while_another_writes_keeps_no_writer_out(tmp_path, monkeypatch):
    """The turn ends with the change, though a child that knows nothing of it has its descriptor."""
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.1)
    index = SegmentedIndex.create(tmp_path / "i", bits=64)
    reading, writing = os.pipe()
    with locks.lock_file(tmp_path / "i/lock"):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    try:
        assert len(index.add(POOL)) == 40
    finally:
        os.close(reading)
        os.close(writing)
        os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_by_a_writer_does_not_end_its_turn(tmp_path, monkeypatch):
    """A forked process leaves the body as well, by an exception, while the writer works."""
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.1)
    index, child = SegmentedIndex.create(tmp_path / "i", bits=64), None
    try:
        with locks.lock_file(tmp_path / "i/lock"):
            child = os.fork()
            if child == 0:
                raise InterruptedError
            os.waitpid(child, 0)
            with pytest.raises(IndexFileError, match="another writer"):
                index.add(POOL)
    finally:
        if child == 0:
            os._exit(0)


def test_readers_in_threads_see_whole_states(tmp_path):
    """While a writer adds, removes and merges, each state that is met is one that was."""
    path = tmp_path / "i"
    index = SegmentedIndex.create(path, bits=64).add(POOL[[0, 20]])
    stop, wrong = threading.Event(), []

    def read():
        mine = SegmentedIndex.open(path)
        while not stop.is_set():
            mine = mine.refresh()
            codes = {code.tobytes() for code in mine.codes(mine.search(POOL[0], radius=64)[1])}
            if len(codes) != len(mine) or len(codes) % 2:
                wrong.append(mine.generation)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(2, 60):
            pair = POOL[[number % 20, 20 + number % 20]]
            index = index.remove(pair) if number % 3 == 0 else index.add(pair)
            index = index.compact() if number % 20 == 0 else index
    finally:
        stop.set()
        for reader in readers:
            reader.join()

    assert wrong == []


CHILD = """
import sys
import numpy as np
from screener.index import tiers
from screener.index.segments import SegmentedIndex
tiers.FACTOR, tiers.SMALLEST, tiers.AT_ONCE, tiers.MOST = 2, 1, 12, 4
index, number = SegmentedIndex.open(sys.argv[1]), 0
while True:
    code = np.frombuffer(number.to_bytes(8), np.uint8).reshape(1, 8)
    index = index.add(code)
    if number >= 5:
        old = np.frombuffer((number - 5).to_bytes(8), np.uint8).reshape(1, 8)
        index = index.remove(old)
    print(number, flush=True)
    number += 1
    if number % 13 == 0:
        index = index.compact()
"""


def test_a_writer_killed_at_any_moment_loses_nothing(tmp_path):
    """After SIGKILL at random moments all reported changes are there, and writing goes on."""
    rng = np.random.default_rng(3)
    for trial in range(5):
        path = tmp_path / str(trial)
        SegmentedIndex.create(path, bits=64)
        writer = subprocess.Popen([sys.executable, "-c", CHILD, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(int(rng.integers(1, 40)))]
        os.kill(writer.pid, signal.SIGKILL)
        said += [int(line) for line in writer.stdout if line.endswith(b"\n")]
        writer.stdout.close()
        writer.wait()

        index = SegmentedIndex.open(path)
        index.verify()
        numbers = [int.from_bytes(code.tobytes()) for code in index.all_codes()]
        last = said[-1]
        whole = list(range(max(0, last - 4), last + 1))
        assert numbers in (whole, [*whole, last + 1], [*whole, last + 1][-5:])
        index.add(POOL).verify()


def killed(path, calls, change):
    """Whether a change in a child died before its n-th sync or rename."""
    child = os.fork()
    if child == 0:
        left = [calls]

        def burning(call):
            def burn(*rest, **settings):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*rest, **settings)

            return burn

        os.fsync, os.replace, os.unlink = map(burning, (os.fsync, os.replace, os.unlink))
        change(SegmentedIndex.open(path))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("what", ["add", "remove", "compact"])
def test_killed_at_any_write_it_is_the_old_or_the_new_state(tmp_path, what):
    """Before every sync and rename: never a torn state, and the same change then succeeds."""
    change = {
        "add": lambda index: index.add(POOL[18:36]),
        "remove": lambda index: index.remove(POOL[3:5]),
        "compact": lambda index: index.compact(),
    }[what]
    path, deaths = tmp_path / "i", 0
    before = SegmentedIndex.create(path, bits=64).add(POOL[:17]).add(POOL[17:20]).remove(POOL[:1])
    old = before.all_codes().tobytes()
    assert before.parts > 1
    while killed(path, deaths + 1, change):
        deaths += 1
        seen = SegmentedIndex.open(path)
        seen.verify()
        if seen.generation > before.generation:
            break  # the rename is the commit; the sync of the folder comes after
        assert seen.all_codes().tobytes() == old
    after = change(SegmentedIndex.open(path))
    assert after.generation == before.generation + 1
    assert deaths >= 3
    assert {one.name for one in Path(path).iterdir()} >= after._manifest.parts.names


def test_threads_and_huge_pages_change_no_answer(tmp_path):
    """Any number of threads, mapped or copied: the same arrays; a refresh goes on copying."""
    path = tmp_path / "i"
    index = SegmentedIndex.create(path, bits=64).add(POOL[:30]).add(POOL[10:]).remove(POOL[3:5])
    copied = SegmentedIndex.open(path, hugepages=True)
    expected = index.search(POOL, radius=20)

    for one in (index, copied):
        for threads in (1, 2, 5):
            for array, wanted in zip(
                one.search(POOL, radius=20, threads=threads), expected, strict=True
            ):
                np.testing.assert_array_equal(array, wanted)
    index.add(POOL[3:4])
    after = copied.refresh()
    assert after.generation == copied.generation + 1
    assert all(not isinstance(part._sections._bytes, mmap.mmap) for part in after._snapshot.parts)
    with pytest.raises(HashError, match="threads"):
        index.search(POOL, radius=0, threads=0)


def test_an_index_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    """No half-made folder remains if the disk fails."""

    class Full(files.Disk):
        def rename(self, old, new):
            raise OSError("no space")

    monkeypatch.setattr(files, "current", Full())
    with pytest.raises(OSError, match="no space"):
        SegmentedIndex.create(tmp_path / "a", bits=64)
    assert list(tmp_path.iterdir()) == []


def test_a_new_index_lasts_through_a_power_cut(tmp_path, monkeypatch):
    """The name of its folder is synced too, after the folder has it."""
    steps = []

    class Noting(files.Disk):
        def rename(self, old, new):
            super().rename(old, new)
            steps.append(("rename", new))

        def sync_folder(self, path):
            super().sync_folder(path)
            steps.append(("sync", path))

    monkeypatch.setattr(files, "current", Noting())
    SegmentedIndex.create(tmp_path / "i", bits=64)

    assert steps[-2:] == [("rename", tmp_path / "i"), ("sync", tmp_path)]


def test_a_pickle_opens_the_state_that_it_was_made_of(tmp_path):
    """Not a newer one, of which rows mean others; also when its manifest is gone, as long as an
    object keeps its files. It is its own copy.
    """
    codes = np.random.default_rng(1).integers(0, 256, (40, 8), np.uint8)
    index = SegmentedIndex.create(tmp_path / "i", bits=64).add(codes[:20]).remove(codes[:2])
    text = pickle.dumps(index)
    newest = index
    for code in codes[20:]:
        newest = newest.add(code[np.newaxis])
    newest.compact()

    again = pickle.loads(text)
    assert (again.generation, len(again)) == (2, 18)
    assert (again.all_codes() == index.all_codes()).all()
    assert len(again.refresh()) == 38
    assert copy.copy(index) is copy.deepcopy(index) is index


def test_a_pickle_of_an_index_that_is_gone_is_refused(tmp_path):
    """Another index in its folder is not taken for it."""
    path, code = tmp_path / "i", np.zeros((1, 8), np.uint8)
    text = pickle.dumps(SegmentedIndex.create(path, bits=64).add(code))
    shutil.rmtree(path)
    SegmentedIndex.create(path, bits=64).add(code)

    with pytest.raises(IndexFileError, match="are gone; open the newest"):
        pickle.loads(text)
